"""Linear discriminant analysis with a shrunk covariance: closed form, also with more columns than rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from fashion_assets.products.classifiers.base import Array, FloatArray, StatefulClassifier, softmax
from fashion_assets.storage.errors import UserError


class ShrinkageLda(StatefulClassifier):
    """Classes are Gaussians that share one covariance, pulled towards a multiple of the identity.

    Columns are scaled to one spread first, as scikit-learn does, so that the target fits each of them.
    With more columns than rows the (n, n) system is solved instead of the (d, d) one (Woodbury's identity).
    Dense rows only.

    Parameters: shrinkage, "auto" (Ledoit & Wolf 2004, "A well-conditioned estimator for large-dimensional
    covariance matrices") or a share from above 0 to 1.

    Attributes: coef_ (k, d), intercept_ (k,), shrinkage_, classes_, n_features_in_.
    """

    kind = "lda"

    def __init__(self, shrinkage: float | Literal["auto"] = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See ``Classifier.fit``. Weights count as repetitions."""
        if self.shrinkage != "auto" and not 0 < self.shrinkage <= 1:
            raise UserError(f'shrinkage is {self.shrinkage!r}; expected "auto" or a share from above 0 to 1')
        rows, codes, weights = self._training_rows(X, y, sample_weight, sparse=False)
        k, total = len(self.classes_), weights.sum()
        rows = np.asarray(rows, dtype=np.float64)
        members = np.zeros((k, len(rows)))
        members[codes, np.arange(len(rows))] = weights
        counts = members.sum(axis=1)
        means = (members @ rows) / counts[:, None]
        within = rows - means[codes]
        spread = np.sqrt(weights @ within**2 / total)
        # A column that does not vary within classes keeps its unit: nothing to divide by.
        spread[spread <= 1e-12 * np.abs(rows).max(initial=1.0)] = 1.0
        within /= spread
        pooled = _ShrunkCovariance(within, weights, self.shrinkage)
        self.shrinkage_ = pooled.shrinkage
        directions = pooled.solve((means / spread).T).T / spread
        self.coef_ = directions
        self.intercept_ = np.log(counts / total) - 0.5 * np.einsum("kd,kd->k", directions, means)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """See ``Classifier.predict_proba``."""
        return softmax(self._new_rows(X, sparse=False) @ self.coef_.T + self.intercept_)

    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        return {"coef": self.coef_, "intercept": self.intercept_}, {"shrinkage": self.shrinkage_}

    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        self.coef_, self.intercept_ = arrays["coef"], arrays["intercept"]
        self.shrinkage_ = fitted["shrinkage"]


class _ShrunkCovariance:
    """(1 - s) S + s m I for centred rows z (n, d) with weights, S = sum w z z' / sum w, m = trace(S) / d."""

    def __init__(self, centred: FloatArray, weights: FloatArray, shrinkage: float | Literal["auto"]) -> None:
        width, total = centred.shape[1], weights.sum()
        self._rows = centred * np.sqrt(weights / total)[:, None]
        self._wide = width > len(centred)
        # The smaller of the two Gram matrices has all of S that is needed.
        self._gram = self._rows @ self._rows.T if self._wide else self._rows.T @ self._rows
        level = float(np.trace(self._gram)) / width
        square = float((self._gram**2).sum())
        if shrinkage == "auto":
            lengths = np.einsum("ij,ij->i", centred, centred)
            noise = (float(weights @ lengths**2) / total - square) / (total * width)
            distance = square / width - level**2
            shrinkage = 1.0 if distance <= 0 else float(np.clip(noise / distance, 0.0, 1.0))
        self.shrinkage = shrinkage
        # Columns have spread 1, so this floor is far under any real one; without it rows that do not vary within
        # classes would leave nothing to invert.
        self._ridge = max(shrinkage * level, 1e-9)

    def solve(self, right: FloatArray) -> FloatArray:
        """(d, k) inverse covariance times ``right`` (d, k)."""
        from scipy.linalg import cho_factor, cho_solve

        kept = 1 - self.shrinkage
        if not self._wide:
            return np.asarray(
                cho_solve(cho_factor(kept * self._gram + self._ridge * np.eye(len(right))), right)
            )
        system = kept * self._gram + self._ridge * np.eye(len(self._gram))
        inner = cho_solve(cho_factor(system), self._rows @ right)
        return np.asarray((right - kept * (self._rows.T @ inner)) / self._ridge)
