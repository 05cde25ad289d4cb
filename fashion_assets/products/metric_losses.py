"""A projection of vectors trained so that products of one class lie together, by the losses of
pytorch-metric-learning (extra ``tune``).

An estimator has to inherit from scikit-learn's bases, so this module loads it; import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fashion_assets.products.classifiers.protocol import State
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

Float32Array = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

LOSSES = ("supcon", "triplet", "proxy-anchor", "arcface")
#: Proxies of the two losses that have them learn so many times as fast as the map (Kim et al. 2020, "Proxy Anchor
#: Loss", section 4.1).
PROXY_SPEED = 100.0


class MetricProjection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A linear map to ``n_components`` numbers of length 1, under a loss on pairs, triples or class proxies.

    Parameters: loss, "supcon" (Khosla et al. 2020), "triplet", "proxy-anchor" (Kim et al. 2020) or "arcface" (Deng
    et al. 2019); n_components (cut to the columns); epochs; batch_size; rows_per_class, in a batch (its classes are
    drawn evenly, so that rare ones are heard); learning_rate; weight_decay; seed. Training begins at the rows'
    principal axes, and each column is scaled to unit spread first.

    Attributes: components_ (n_components, d), bias_ (n_components,), losses_ (per epoch), classes_,
    n_features_in_. UserError where pytorch-metric-learning is missing.
    """

    def __init__(
        self,
        loss: Literal["supcon", "triplet", "proxy-anchor", "arcface"] = "supcon",
        *,
        n_components: int = 128,
        epochs: int = 10,
        batch_size: int = 256,
        rows_per_class: int = 4,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        random_state: int = 7,
    ) -> None:
        self.loss = loss
        self.n_components = n_components
        self.epochs = epochs
        self.batch_size = batch_size
        self.rows_per_class = rows_per_class
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Itself, fitted on rows (n, d) and labels (n,). Raises UserError for options out of range or one class."""
        import torch

        if (
            self.loss not in LOSSES
            or min(self.n_components, self.epochs, self.rows_per_class) < 1
            or self.batch_size < 2
        ):
            raise UserError(
                f"loss {self.loss!r}, n_components {self.n_components!r}, epochs {self.epochs!r}, rows_per_class "
                f"{self.rows_per_class!r}, batch_size {self.batch_size!r}; expected one of {', '.join(LOSSES)}, "
                "whole numbers of at least 1, and batches of at least 2"
            )
        rows, y = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(f"metric learning needs at least two classes, the {len(rows)} rows hold 1 class")
        mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
        scale = np.where(spread > 1e-8, spread, 1.0)
        standard = ((rows - mean) / scale).astype(np.float32)
        width = min(self.n_components, rows.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            loss = _loss(self.loss, len(self.classes_), width)
            layer = torch.nn.Linear(rows.shape[1], width)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(_principal_axes(standard, width)))
                layer.bias.zero_()
            self.losses_ = self._train(layer, loss, torch.from_numpy(standard), codes)
        components = layer.weight.detach().numpy().astype(np.float64) / scale
        self.components_ = components.astype(np.float32)
        self.bias_ = (layer.bias.detach().numpy() - components @ mean).astype(np.float32)
        self._n_features_out = width
        return self

    def _train(
        self, layer: torch.nn.Linear, loss: torch.nn.Module, rows: torch.Tensor, codes: Array
    ) -> list[float]:
        import torch

        groups = [{"params": list(layer.parameters()), "lr": self.learning_rate}]
        if proxies := list(loss.parameters()):
            groups.append({"params": proxies, "lr": self.learning_rate * PROXY_SPEED})
        optimiser = torch.optim.AdamW(groups, weight_decay=self.weight_decay)
        generator = np.random.default_rng(self.random_state)
        targets = torch.from_numpy(codes.astype(np.int64))
        losses = []
        for _ in range(self.epochs):
            total, batches = 0.0, 0
            for places in self._batches(codes, generator):
                found = loss(torch.nn.functional.normalize(layer(rows[places])), targets[places])
                optimiser.zero_grad()
                found.backward()
                optimiser.step()
                total, batches = total + float(found.detach()), batches + 1
            losses.append(total / batches)
        return losses

    def _batches(self, codes: Array, generator: np.random.Generator) -> Iterator[Array]:
        """As many batches as the rows fill, each of classes drawn without and rows with repetition."""
        members = [np.flatnonzero(codes == code) for code in range(len(self.classes_))]
        # One row a class is no pair; with few classes more rows of each fill the batch.
        per_batch = min(max(2, self.batch_size // self.rows_per_class), len(members))
        per_class = max(2, self.batch_size // per_batch)
        for _ in range(max(1, len(codes) // self.batch_size)):
            chosen = generator.choice(len(members), per_batch, replace=False)
            yield np.concatenate([generator.choice(members[code], per_class) for code in chosen])

    def transform(self, X: Any) -> Float32Array:
        """(n, n_components) float32 rows of length 1."""
        check_is_fitted(self, "components_")
        rows = validate_data(self, X, reset=False, dtype=np.float32) @ self.components_.T + self.bias_
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(length > 0, length, 1.0), dtype=np.float32)

    def state(self) -> State:
        """(arrays, card) from which ``from_state`` makes an equal projection."""
        check_is_fitted(self, "components_")
        card = {
            "kind": "metric-projection",
            "params": self.get_params(deep=False),
            "classes": self.classes_.tolist(),
            "losses": self.losses_,
        }
        return {"components": self.components_, "bias": self.bias_}, card

    @classmethod
    def from_state(cls, arrays: Mapping[str, Array], card: Mapping[str, Any]) -> Self:
        """The projection that ``state`` described. UserError if arrays or card are of something else."""
        try:
            made = cls(**card["params"])
            made.components_, made.bias_ = arrays["components"], arrays["bias"]
            made.classes_, made.losses_ = np.asarray(card["classes"]), list(card["losses"])
            made._n_features_out, made.n_features_in_ = made.components_.shape
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(
                f"this is not the state of a metric projection ({type(error).__name__}: {error}); train it anew"
            ) from error
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _loss(name: str, n_classes: int, width: int) -> Any:
    try:
        from pytorch_metric_learning import losses
    except ImportError as error:
        raise UserError(
            "metric losses need pytorch-metric-learning, which is not installed; "
            "pip install 'fashion-assets[tune]', or use LFDA"
        ) from error
    if name == "supcon":
        return losses.SupConLoss()
    if name == "triplet":
        # The library's margin of .05 is for unit vectors of many classes and is met by most triples at once.
        return losses.TripletMarginLoss(margin=0.2)
    if name == "proxy-anchor":
        return losses.ProxyAnchorLoss(n_classes, width)
    return losses.ArcFaceLoss(n_classes, width)


def _principal_axes(rows: Float32Array, width: int) -> Float32Array:
    """(width, d) axes of the largest spread, the widest first."""
    _, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :width].T, dtype=np.float32)
