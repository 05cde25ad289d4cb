"""Regularised multinomial logistic regression on dense rows or n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from fashion_assets.products.classifiers.base import (
    Array,
    FloatArray,
    StatefulClassifier,
    class_weighted,
    softmax,
)
from fashion_assets.products.classifiers.softmax_solver import solve_softmax
from fashion_assets.storage.errors import UserError


class SoftmaxRegression(StatefulClassifier):
    """Softmax of a linear map, with an L2 penalty on the map and none on the intercepts.

    Parameters: C, inverse strength of the penalty as in scikit-learn (sum of the losses times C against half the
    squared length); class_weight_power, rows count (n / (k * n of their class)) ** power times; tol, nats a
    row that a further step has to promise; max_iter; warm_start, begin from the last fit where classes and
    columns are the same.

    Attributes: coef_ (k, d), intercept_ (k,), n_iter_, converged_, classes_, n_features_in_.
    """

    kind = "logistic"

    coef_: Array
    intercept_: FloatArray

    def __init__(
        self,
        C: float = 1.0,
        *,
        class_weight_power: float = 0.5,
        # What a tighter one costs and brings: ``benchmarks/classifier_speed.py``.
        tol: float = 1e-4,
        max_iter: int = 300,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.class_weight_power = class_weight_power
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See ``Classifier.fit``."""
        for name in ("C", "tol", "max_iter"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} is {getattr(self, name)!r}; expected a number above 0")
        before = (self.classes_, self.coef_, self.intercept_) if hasattr(self, "coef_") else None
        rows, codes, weights = self._training_rows(X, y, sample_weight)
        k = len(self.classes_)
        begin = None
        if self.warm_start and before is not None and before[1].shape == (k, rows.shape[1]):
            begin = (before[1].T, before[2]) if np.array_equal(before[0], self.classes_) else None
        found = solve_softmax(
            rows,
            codes,
            class_weighted(codes, weights, k, self.class_weight_power),
            k,
            strength=1.0 / (self.C * weights.sum()),
            tol=self.tol,
            max_iterations=self.max_iter,
            begin=begin,
        )
        self.coef_, self.intercept_ = np.ascontiguousarray(found.coefficients.T), found.intercepts
        self.n_iter_, self.converged_ = found.iterations, found.converged
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """See ``Classifier.predict_proba``."""
        return softmax(self._new_rows(X) @ self.coef_.T + self.intercept_)

    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        return {"coef": self.coef_, "intercept": self.intercept_}, {
            "n_iter": self.n_iter_,
            "converged": self.converged_,
        }

    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        self.coef_, self.intercept_ = arrays["coef"], arrays["intercept"]
        self.n_iter_, self.converged_ = fitted["n_iter"], fitted["converged"]
        if self.coef_.shape != (len(self.classes_), self.n_features_in_):
            raise UserError(
                f"the coefficients have shape {self.coef_.shape}, the card tells of {len(self.classes_)} classes and "
                f"{self.n_features_in_} columns; train the head anew"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
