"""One attribute head: a regularised logistic regression on ``[image | text]`` vectors that knows when not to
answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

FloatArray = npt.NDArray[np.float64]

CARD_FILE = "head.json"
WEIGHTS_FILE = "head.safetensors"
CARD_FORMAT = "fashion-assets attribute head 1"


class AttributeHead:
    """Predicts one attribute (gender, season, …) of a product from its vector; scikit-learn style.

    Fitted attributes: ``classes_`` (sorted labels), ``weights_`` (k, d), ``bias_`` (k,), ``mean_`` and
    ``scale_`` (d,), ``class_counts_``, ``n_unlabelled_`` (training rows left out for want of a label),
    ``note_`` (a sentence, "" if there is nothing to say). Prediction needs numpy only.

    A column with a single class gives a constant head: ``note_`` says that nothing was learnt.
    """

    def __init__(
        self,
        attribute: str,
        *,
        model_id: str = "",
        # How many of the leading numbers are the image block (``ProductVectors.image_width``); 0: one block
        # only.
        image_width: int = 0,
        # Inverse strength of the L2 penalty on standardised features. Some hundred features against some
        # thousand products over-fit at scikit-learn's 1.0.
        regularisation: float = 0.03,
        # Weight of a class is (n / (k * n_class)) ** power: 0 trusts the frequencies and starves rare
        # classes, 1 ("balanced") makes them as loud as the largest and costs accuracy; the root is between.
        class_weight_power: float = 0.5,
        # Under this probability the head gives its best guess but marks it as an abstention.
        abstain_below: float = 0.5,
        # lbfgs has converged well before on standardised features; reaching it is noted, not silent.
        max_iterations: int = 300,
    ) -> None:
        self.attribute = attribute
        self.model_id = model_id
        self.image_width = image_width
        self.regularisation = regularisation
        self.class_weight_power = class_weight_power
        self.abstain_below = abstain_below
        self.max_iterations = max_iterations

    def fit(self, x: npt.ArrayLike, y: Sequence[object] | npt.NDArray[Any]) -> AttributeHead:
        """Learn from ``x`` (n, d) and labels ``y`` (n,); rows without a label (None, NaN, "") are left out
        and counted.

        Raises UserError if no row has a label, shapes differ, or ``x`` holds NaN.
        """
        rows = self._rows(x)
        labels = [label_text(label) for label in y]
        if len(labels) != len(rows):
            raise UserError(
                f"{self.attribute}: {len(rows)} vectors and {len(labels)} labels; give one label per vector"
            )
        known = np.array([label is not None for label in labels], dtype=bool)
        if not known.any():
            raise UserError(
                f"the label column {self.attribute} is empty for all {len(labels)} products; nothing to "
                "learn from"
            )
        names = np.array([label for label in labels if label is not None], dtype=object)
        rows = rows[known]
        self.n_unlabelled_ = int((~known).sum())
        classes, codes = np.unique(names.astype(str), return_inverse=True)
        self.classes_ = classes.astype(object)
        counts = np.bincount(codes, minlength=len(classes))
        self.class_counts_ = {str(name): int(count) for name, count in zip(classes, counts, strict=True)}
        self._fit_scaler(rows)
        self.note_ = ""
        if len(classes) == 1:
            self.weights_ = np.zeros((1, rows.shape[1]))
            self.bias_ = np.zeros(1)
            self.note_ = (
                f"the label column {self.attribute} holds one value only ({classes[0]}, {len(names)} "
                "products): nothing "
                "was learnt, every product gets it; add products with other values"
            )
            return self
        self._fit_logistic(self._standardise(rows), codes, counts)
        return self

    def _fit_scaler(self, rows: FloatArray) -> None:
        """Mean and spread of each number over the rows that have its block."""
        self.mean_, self.scale_ = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
        for block in self._blocks(rows):
            present = rows[np.any(rows[:, block] != 0, axis=1), block]
            if len(present):
                spread = present.std(axis=0)
                self.mean_[block] = present.mean(axis=0)
                # A number that never varies says nothing; dividing by 1 leaves it at zero.
                self.scale_[block] = np.where(spread > 1e-8, spread, 1.0)

    def _blocks(self, rows: FloatArray) -> list[slice]:
        return [slice(0, self.image_width), slice(self.image_width, rows.shape[1])]

    def _fit_logistic(
        self, rows: FloatArray, codes: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]
    ) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        weight = (len(codes) / (len(counts) * counts)) ** self.class_weight_power
        model = LogisticRegression(C=self.regularisation, max_iter=self.max_iterations, tol=1e-3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(rows.astype(np.float32), codes, sample_weight=weight[codes])
        if any(issubclass(item.category, ConvergenceWarning) for item in caught):
            self.note_ = (
                f"the head of {self.attribute} had not settled after {self.max_iterations} iterations; raise "
                "max_iterations, or lower regularisation"
            )
        weights, bias = (
            np.asarray(model.coef_, dtype=np.float64),
            np.asarray(model.intercept_, dtype=np.float64),
        )
        if (
            len(counts) == 2
        ):  # scikit-learn keeps one row for two classes; with a row of zeros the softmax is the same
            weights, bias = np.vstack([np.zeros_like(weights), weights]), np.concatenate([np.zeros(1), bias])
        self.weights_, self.bias_ = weights, bias

    def predict_proba(self, x: npt.ArrayLike, *, model_id: str | None = None) -> FloatArray:
        """(n, k) probabilities in the order of ``classes_``; rows add up to 1.

        Raises UserError for vectors of another encoder (``model_id``) or another width.
        """
        self._must_be_fitted()
        if model_id is not None and model_id != self.model_id:
            raise UserError(
                f"the head of {self.attribute} was trained on vectors of {self.model_id!r}, these are of "
                f"{model_id!r}; "
                "encode the products with the first, or train the head anew"
            )
        rows = self._rows(x)
        if rows.shape[1] != len(self.mean_):
            raise UserError(
                f"the head of {self.attribute} was trained on {len(self.mean_)} numbers per product, these "
                "vectors have "
                f"{rows.shape[1]}; use the encoder it was trained with ({self.model_id!r})"
            )
        scores = self._standardise(rows) @ self.weights_.T + self.bias_
        scores -= scores.max(axis=1, keepdims=True)
        raised = np.exp(scores)
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)

    def predict(self, x: npt.ArrayLike, *, model_id: str | None = None) -> npt.NDArray[np.object_]:
        """(n,) likeliest label of each row, also where the head would rather abstain."""
        best = self.predict_proba(x, model_id=model_id).argmax(axis=1)
        return np.asarray(self.classes_[best], dtype=object)

    def decide(
        self, x: npt.ArrayLike, *, model_id: str | None = None
    ) -> tuple[npt.NDArray[np.object_], FloatArray, npt.NDArray[np.bool_]]:
        """(labels, confidence, abstained), each (n,). A row of zeros has neither picture nor text: always
        abstained.
        """
        probabilities = self.predict_proba(x, model_id=model_id)
        confidence = probabilities.max(axis=1)
        empty = ~np.any(self._rows(x) != 0, axis=1)
        labels = np.asarray(self.classes_[probabilities.argmax(axis=1)], dtype=object)
        return labels, confidence, (confidence < self.abstain_below) | empty

    def save(self, folder: Path) -> None:
        """Write ``head.safetensors`` and ``head.json`` into ``folder``; the card names the digest of its
        weights.
        """
        from safetensors.numpy import save

        self._must_be_fitted()
        arrays = {"weights": self.weights_, "bias": self.bias_, "mean": self.mean_, "scale": self.scale_}
        weights = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        card = {
            "format": CARD_FORMAT,
            "attribute": self.attribute,
            "model_id": self.model_id,
            "image_width": self.image_width,
            "classes": [str(name) for name in self.classes_],
            "class_counts": self.class_counts_,
            "n_unlabelled": self.n_unlabelled_,
            "regularisation": self.regularisation,
            "class_weight_power": self.class_weight_power,
            "abstain_below": self.abstain_below,
            "max_iterations": self.max_iterations,
            "note": self.note_,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        write_bytes_atomic(Path(folder) / WEIGHTS_FILE, weights)
        write_text_atomic(Path(folder) / CARD_FILE, json.dumps(card, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> AttributeHead:
        """The head that ``save`` wrote. Raises UserError if the folder holds none, or weights and card do not
        belong together.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        card_path, weights_path = Path(folder) / CARD_FILE, Path(folder) / WEIGHTS_FILE
        try:
            card = json.loads(card_path.read_text("utf-8"))
            weights = weights_path.read_bytes()
            arrays = load(weights)
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} holds no attribute head ({Path(error.filename).name} is missing); train one first"
            ) from error
        except (ValueError, SafetensorError) as error:
            raise UserError(f"the attribute head in {folder} is damaged ({error}); train it anew") from error
        if (
            card.get("format") != CARD_FORMAT
            or card.get("weights_sha256") != hashlib.sha256(weights).hexdigest()
        ):
            raise UserError(
                f"{card_path} does not belong to the weights beside it (format or digest differ); train "
                "the head anew"
            )
        head = cls(
            card["attribute"],
            model_id=card["model_id"],
            image_width=card["image_width"],
            regularisation=card["regularisation"],
            class_weight_power=card["class_weight_power"],
            abstain_below=card["abstain_below"],
            max_iterations=card["max_iterations"],
        )
        head.classes_ = np.array(card["classes"], dtype=object)
        head.class_counts_ = card["class_counts"]
        head.n_unlabelled_ = card["n_unlabelled"]
        head.note_ = card["note"]
        head.weights_, head.bias_ = arrays["weights"], arrays["bias"]
        head.mean_, head.scale_ = arrays["mean"], arrays["scale"]
        return head

    def _standardise(self, rows: FloatArray) -> FloatArray:
        scaled = np.asarray((rows - self.mean_) / self.scale_, dtype=np.float64)
        for block in self._blocks(rows):
            # A missing block is all zeros; its place after standardising is the average, which favours no
            # class.
            scaled[~np.any(rows[:, block] != 0, axis=1), block] = 0.0
        return scaled

    def _rows(self, x: npt.ArrayLike) -> FloatArray:
        rows = np.asarray(x, dtype=np.float64)
        if rows.ndim != 2:
            raise UserError(
                f"{self.attribute}: vectors have shape {rows.shape}; expected (products, numbers per product)"
            )
        if not np.isfinite(rows).all():
            raise UserError(
                f"{self.attribute}: row {int(np.argmin(np.isfinite(rows).all(axis=1)))} of the vectors "
                "holds NaN or infinity"
            )
        return rows

    def _must_be_fitted(self) -> None:
        if not hasattr(self, "weights_"):
            raise UserError(f"the head of {self.attribute} has not been trained; call fit or load first")


def label_text(label: object) -> str | None:
    """The label as text, or None for None, NaN and blank."""
    if (
        label is None
        or (isinstance(label, float) and label != label)
        or type(label).__name__ in ("NAType", "NaTType")
    ):
        return None
    return str(label).strip() or None
