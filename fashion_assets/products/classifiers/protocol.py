"""What every classifier of an attribute can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

#: Arrays for a safetensors file, and a card that JSON can hold.
State = tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]


class Classifier(Protocol):
    """A scikit-learn style classifier that can be written without pickle.

    Rows ``x`` are (n, d), dense float32 or float64, or a scipy CSR matrix. Labels ``y`` (n,) are codes or
    names. UserError for shapes that do not fit, NaN, infinity, or one class only.
    """

    classes_: npt.NDArray[Any]
    n_features_in_: int

    def fit(self, x: Any, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Itself, fitted; each row counts ``sample_weight`` (n,) times, once if that is None."""
        ...

    def predict_proba(self, x: Any) -> npt.NDArray[np.float64]:
        """(n, k) probabilities in the order of ``classes_``; rows add up to 1."""
        ...

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """(n,) likeliest class of each row; of equals the first."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options."""
        ...

    def set_params(self, **params: Any) -> Self:
        """Itself with other options; what was fitted stays."""
        ...

    def state(self) -> State:
        """(arrays, card) from which ``from_state`` makes an equal classifier; options are in the card."""
        ...

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> Self:
        """The classifier that ``state`` described. UserError if arrays or card are of something else."""
        ...
