"""A small multilayer perceptron: PyTorch trains it, numpy runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fashion_assets.products.classifiers.base import (
    Array,
    FloatArray,
    StatefulClassifier,
    class_weighted,
    softmax,
)
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch


class MlpClassifier(StatefulClassifier):
    """torchvision.ops.MLP over the row, as the reference has it (ReLU, dropout), without the dropout that
    torchvision puts behind the last layer.

    A seeded, stratified ``validation_share`` of the rows decides when to stop: the weights of the epoch with the
    lowest validation loss are kept, and ``patience`` epochs without a lower one end it. Rows are divided by
    their root mean square, one number, so zeros stay zeros.

    Parameters: hidden, widths of the hidden layers; dropout; learning_rate, weight_decay of AdamW; epochs, at
    most; batch_size; patience; validation_share (0: no early stop); class_weight_power as in
    ``SoftmaxRegression``; random_state.

    Attributes: layers_ [(weight (in, out), bias (out,)), …] float32, scale_, history_ [{epoch, train_loss,
    validation_loss or None}, …], best_epoch_ (from 1), classes_, n_features_in_.
    """

    kind = "mlp"

    def __init__(
        self,
        hidden: Sequence[int] = (256,),
        *,
        dropout: float = 0.3,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        epochs: int = 60,
        batch_size: int = 128,
        patience: int = 6,
        validation_share: float = 0.1,
        class_weight_power: float = 0.5,
        random_state: int = 7,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.validation_share = validation_share
        self.class_weight_power = class_weight_power
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See ``Classifier.fit``. CSR rows are made dense batch by batch."""
        import torch

        self._check_options()
        rows, codes, weights = self._training_rows(X, y, sample_weight)
        k = len(self.classes_)
        weights = class_weighted(codes, weights, k, self.class_weight_power)
        weights = weights / weights.mean()
        values = rows.data if hasattr(rows, "indptr") else rows
        square = float(np.square(values, dtype=np.float64).sum()) / (rows.shape[0] * rows.shape[1])
        self.scale_ = float(np.sqrt(square)) or 1.0
        held = self._held_out(codes)
        kept = np.flatnonzero(~held)
        data = _Rows(rows, codes, weights, self.scale_)
        generator = np.random.default_rng(self.random_state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            network = self._network(rows.shape[1], k)
            optimiser = torch.optim.AdamW(
                network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
            )
            self.history_: list[dict[str, float | None]] = []
            self.best_epoch_, best = 0, np.inf
            for epoch in range(1, self.epochs + 1):
                order = generator.permutation(kept)
                train_loss = self._one_epoch(network, optimiser, data, order)
                validation = data.loss(network, np.flatnonzero(held), self.batch_size) if held.any() else None
                self.history_.append(
                    {"epoch": epoch, "train_loss": train_loss, "validation_loss": validation}
                )
                if validation is None or validation < best:
                    best = np.inf if validation is None else validation
                    self.best_epoch_, self.layers_ = epoch, _layers(network)
                elif epoch - self.best_epoch_ >= self.patience:
                    break
        return self

    def _check_options(self) -> None:
        shares = 0 <= self.dropout < 1 and 0 <= self.validation_share < 1
        counts = min(self.epochs, self.batch_size, self.patience, *self.hidden)
        if not shares or counts < 1 or not self.learning_rate > 0:
            raise UserError(
                f"dropout {self.dropout!r} and validation_share {self.validation_share!r} have to be shares from 0 to "
                f"below 1, learning_rate {self.learning_rate!r} above 0, epochs {self.epochs!r}, batch_size "
                f"{self.batch_size!r}, patience {self.patience!r} and each of hidden {self.hidden!r} at least 1"
            )

    def _held_out(self, codes: Array) -> Array:
        """(n,) True for rows of the validation share; each class keeps at least one row to learn from."""
        held = np.zeros(len(codes), dtype=bool)
        generator = np.random.default_rng(self.random_state)
        for code in range(len(self.classes_)):
            members = generator.permutation(np.flatnonzero(codes == code))
            # A class of few rows gives a row with the chance that its share says.
            count = int(len(members) * self.validation_share + generator.random())
            held[members[: min(count, len(members) - 1)]] = self.validation_share > 0
        return held

    def _network(self, width: int, k: int) -> torch.nn.Sequential:
        import torch
        from torchvision.ops import MLP

        return torch.nn.Sequential(*list(MLP(width, [*self.hidden, k], dropout=self.dropout))[:-1])

    def _one_epoch(
        self, network: torch.nn.Sequential, optimiser: torch.optim.Optimizer, data: _Rows, order: Array
    ) -> float:
        network.train()
        total = heavy = 0.0
        for first in range(0, len(order), self.batch_size):
            losses, weights = data.losses(network, order[first : first + self.batch_size])
            optimiser.zero_grad()
            (losses * weights).mean().backward()
            optimiser.step()
            total += float((losses * weights).sum().detach())
            heavy += float(weights.sum())
        return total / heavy

    def predict_proba(self, X: Any) -> FloatArray:
        """See ``Classifier.predict_proba``."""
        hidden = self._new_rows(X) / self.scale_
        for weight, bias in self.layers_[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        weight, bias = self.layers_[-1]
        return softmax(hidden @ weight + bias)

    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        arrays: dict[str, Array] = {}
        for place, (weight, bias) in enumerate(self.layers_):
            arrays[f"weight{place}"], arrays[f"bias{place}"] = weight, bias
        return arrays, {"scale": self.scale_, "history": self.history_, "best_epoch": self.best_epoch_}

    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        count = len(self.hidden) + 1
        self.layers_ = [(arrays[f"weight{place}"], arrays[f"bias{place}"]) for place in range(count)]
        self.scale_, self.best_epoch_ = fitted["scale"], fitted["best_epoch"]
        self.history_ = [dict(row) for row in fitted["history"]]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Rows:
    """Rows (n, d), codes and weights that give a batch's losses."""

    def __init__(self, rows: Any, codes: Array, weights: FloatArray, scale: float) -> None:
        self._rows, self._codes, self._scale = rows, codes, scale
        self._weights = weights.astype(np.float32)

    def losses(self, network: torch.nn.Sequential, places: Array) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        rows = self._rows[places]
        dense = rows.toarray() if hasattr(rows, "indptr") else rows
        scores = network(torch.from_numpy(np.asarray(dense / self._scale, dtype=np.float32)))
        codes = torch.from_numpy(self._codes[places])
        losses = torch.nn.functional.cross_entropy(scores, codes, reduction="none")
        return losses, torch.from_numpy(self._weights[places])

    def loss(self, network: torch.nn.Sequential, places: Array, batch: int) -> float:
        """Weighted mean, dropout at rest."""
        import torch

        network.eval()
        total = heavy = 0.0
        with torch.no_grad():
            for first in range(0, len(places), batch):
                losses, weights = self.losses(network, places[first : first + batch])
                total += float((losses * weights).sum())
                heavy += float(weights.sum())
        return total / heavy


def _layers(network: torch.nn.Sequential) -> list[tuple[Array, Array]]:
    import torch

    return [
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
        for layer in network
        if isinstance(layer, torch.nn.Linear)
    ]
