"""What the classifiers share: reading rows and labels, weights of classes, and the JSON half of their state.

Estimators have to inherit from scikit-learn's bases, so this module loads it; import it inside functions only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fashion_assets.products.classifiers.protocol import State
from fashion_assets.storage.errors import UserError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


class StatefulClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The common half of a classifier; a kind adds ``fit``, ``predict_proba``, ``_arrays`` and ``_restore``."""

    #: The name in the card, and in ``CLASSIFIERS``.
    kind: ClassVar[str]

    classes_: Array
    n_features_in_: int

    @abstractmethod
    def predict_proba(self, X: Any) -> FloatArray:
        """(n, k) probabilities in the order of ``classes_``."""

    @abstractmethod
    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What was fitted: arrays, and what else JSON can hold."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        """Take back what ``_arrays`` gave."""

    def predict(self, X: Any) -> Array:
        """(n,) likeliest class of each row; of equals the first."""
        check_is_fitted(self, "classes_")
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def state(self) -> State:
        """See ``Classifier.state``."""
        check_is_fitted(self, "classes_")
        arrays, fitted = self._arrays()
        return arrays, {
            "kind": self.kind,
            "params": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.get_params(deep=False).items()
            },
            "classes": self.classes_.tolist(),
            "n_features_in": int(self.n_features_in_),
            "fitted": fitted,
        }

    @classmethod
    def from_state(cls, arrays: Mapping[str, Array], card: Mapping[str, Any]) -> Self:
        """See ``Classifier.from_state``."""
        try:
            if card["kind"] != cls.kind:
                raise UserError(f"the card is of a classifier of kind {card['kind']!r}, not {cls.kind!r}")
            params = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in card["params"].items()
            }
            made = cls(**params)
            # Names come back as objects: their longest need not be the longest name to come.
            names = card["classes"]
            made.classes_ = np.asarray(names, dtype=object if isinstance(names[0], str) else None)
            made.n_features_in_ = int(card["n_features_in"])
            made._restore(arrays, card["fitted"])
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise UserError(
                f"this is not the state of a {cls.kind} classifier ({type(error).__name__}: {error}); "
                "train it anew"
            ) from error
        return made

    def _training_rows(
        self, X: Any, y: Any, sample_weight: Any, *, sparse: bool = True
    ) -> tuple[Any, npt.NDArray[np.intp], FloatArray]:
        """(rows, codes, weights) of rows with a weight above 0; sets ``classes_`` and ``n_features_in_``."""
        rows, y = validate_data(
            self, X, y, accept_sparse="csr" if sparse else False, dtype=[np.float32, np.float64]
        )
        check_classification_targets(y)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        counted = weights > 0
        if not counted.all():
            rows, y, weights = rows[counted], y[counted], weights[counted]
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(
                f"a classifier needs at least two classes, the {len(codes)} training rows hold "
                f"{len(self.classes_)} class"
            )
        return rows, codes, weights

    def _new_rows(self, X: Any, *, sparse: bool = True) -> Any:
        check_is_fitted(self, "classes_")
        return validate_data(
            self, X, reset=False, accept_sparse="csr" if sparse else False, dtype=[np.float32, np.float64]
        )


def class_weighted(
    codes: npt.NDArray[np.intp], weights: FloatArray, n_classes: int, power: float
) -> FloatArray:
    """(n,) ``weights`` times (total / (k * weight of the class)) ** ``power``, scaled to the same sum.

    ``power`` 0 trusts the frequencies, 1 is scikit-learn's "balanced"; between them rare classes are heard
    without being as loud as the largest.
    """
    if power == 0:
        return weights
    share = np.bincount(codes, weights=weights, minlength=n_classes) / weights.sum()
    louder = weights * (1.0 / (n_classes * share[codes])) ** power
    return np.asarray(louder * (weights.sum() / louder.sum()))


def softmax(scores: Array) -> FloatArray:
    """(n, k) exp(scores) with rows that add up to 1, without overflow."""
    raised = np.asarray(scores, dtype=np.float64)
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
