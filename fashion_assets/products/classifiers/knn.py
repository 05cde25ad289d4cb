"""The nearest neighbours by angle, searched exactly, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from fashion_assets.products.classifiers.base import Array, FloatArray, StatefulClassifier
from fashion_assets.storage.errors import UserError

#: Similarities held at a time: 16 million float32 are 64 MB.
BLOCK_NUMBERS = 16_000_000
#: Rows at the same place would weigh infinitely; nearer than this counts as this.
SMALLEST_DISTANCE = 1e-3


class CosineNeighbours(StatefulClassifier):
    """The ``n_neighbors`` training rows of the highest cosine vote.

    Votes are smoothed by ``smoothing`` neighbours that vote as the training labels are spread, so that no
    probability is 0 (a calibration by log loss needs that). A row of zeros has no direction: it gets that spread.

    Parameters: n_neighbors (cut to the training rows), weights "distance" (1 / (1 - cosine)) or "uniform",
    smoothing. Sample weights multiply votes; a row of weight 2 is still one neighbour.

    Attributes: rows_ (n, d) of length 1, dense or CSR, codes_ (n,), row_weights_ (n,), prior_ (k,), classes_,
    n_features_in_.
    """

    kind = "knn"

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        weights: Literal["distance", "uniform"] = "distance",
        smoothing: float = 0.5,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.smoothing = smoothing

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See ``Classifier.fit``; the rows are kept, nothing is learnt."""
        if self.n_neighbors < 1 or not self.smoothing > 0 or self.weights not in ("distance", "uniform"):
            raise UserError(
                f"n_neighbors {self.n_neighbors!r}, smoothing {self.smoothing!r}, weights {self.weights!r}; expected "
                '1 or more, a number above 0, and "distance" or "uniform"'
            )
        rows, codes, row_weights = self._training_rows(X, y, sample_weight)
        self.rows_, _ = _unit(rows)
        self.codes_, self.row_weights_ = codes, row_weights
        self.prior_ = np.bincount(codes, weights=row_weights) / row_weights.sum()
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """See ``Classifier.predict_proba``."""
        rows, some = _unit(self._new_rows(X))
        size = max(1, BLOCK_NUMBERS // len(self.codes_))
        parts = [self._votes(rows[first : first + size]) for first in range(0, rows.shape[0], size)]
        votes = np.concatenate(parts)
        votes[~some] = 0.0
        votes += self.smoothing * self.prior_
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))

    def _votes(self, rows: Any) -> FloatArray:
        """(b, k) votes of rows (b, d) of length 1; each row of votes adds up to the number of neighbours."""
        import scipy.sparse

        near = rows @ self.rows_.T
        near = near.toarray() if scipy.sparse.issparse(near) else np.asarray(near)
        count = min(self.n_neighbors, len(self.codes_))
        # Of rows equally near the partition takes any; a stable order would cost a full sort.
        place = np.argpartition(near, -count, axis=1)[:, -count:]
        weights = self.row_weights_[place]
        if self.weights == "distance":
            distance = 1.0 - np.take_along_axis(near, place, axis=1).astype(np.float64)
            weights = weights / np.maximum(distance, SMALLEST_DISTANCE)
        weights = weights * (count / weights.sum(axis=1, keepdims=True))
        k = len(self.classes_)
        flat = np.arange(len(near))[:, None] * k + self.codes_[place]
        votes = np.bincount(flat.ravel(), weights=weights.ravel(), minlength=len(near) * k)
        return np.asarray(votes.reshape(-1, k), dtype=np.float64)

    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        import scipy.sparse

        arrays: dict[str, Array] = {
            "codes": self.codes_,
            "row_weights": self.row_weights_,
            "prior": self.prior_,
        }
        sparse = scipy.sparse.issparse(self.rows_)
        if sparse:
            for name in ("data", "indices", "indptr"):
                arrays[name] = getattr(self.rows_, name)
        else:
            arrays["rows"] = self.rows_
        return arrays, {"sparse": bool(sparse)}

    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        import scipy.sparse

        self.codes_, self.row_weights_ = arrays["codes"], arrays["row_weights"]
        self.prior_ = arrays["prior"]
        self.rows_ = (
            scipy.sparse.csr_matrix(
                (arrays["data"], arrays["indices"], arrays["indptr"]), (len(self.codes_), self.n_features_in_)
            )
            if fitted["sparse"]
            else arrays["rows"]
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _unit(rows: Any) -> tuple[Any, Array]:
    """(rows of length 1, (n,) True where there was a length); rows of zeros stay."""
    import scipy.sparse
    from sklearn.preprocessing import normalize

    if scipy.sparse.issparse(rows):
        return normalize(rows), np.diff(rows.indptr) > 0
    return normalize(rows), np.any(rows != 0, axis=1)
