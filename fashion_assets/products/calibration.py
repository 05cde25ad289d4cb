"""Temperature scaling.

Belongs here: making probabilities fit held-out rows. Does not: the reliability table and the expected calibration
error over equally wide bins (``reliability.py``), moving decisions towards rare classes (``logit_adjustment.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

FloatArray = npt.NDArray[np.float64]

#: A classifier that says 0 (trees, votes) has no logarithm; smaller probabilities count as this.
SMALLEST_PROBABILITY = 1e-12
#: Held-out rows that are all right, or no better than chance, would drive the temperature to 0 or infinity.
COLDEST, WARMEST = 0.05, 20.0


@dataclass(frozen=True)
class Temperature:
    """Probabilities p become p^(1 / value), scaled to add up to 1: the same order, sharper below 1, flatter above
    (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2, with ln p for the logits, which
    differ from them by a constant per row).
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.value < np.inf:
            raise UserError(f"a temperature is a number above 0, not {self.value!r}; train the head anew")

    @classmethod
    def fit(
        cls, probabilities: npt.ArrayLike, codes: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> Temperature:
        """The temperature of the lowest log loss on held-out rows: ``probabilities`` (n, k), true columns ``codes``
        (n,), rows counting by ``weights`` (n,); between ``COLDEST`` and ``WARMEST``.

        The loss is convex in 1 / temperature, so the zero of its slope is found by bisection. UserError for shapes
        that do not fit or no row.
        """
        from scipy.optimize import brentq

        rows, truth = probability_rows(probabilities, codes)
        heavy = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
        logits = np.log(np.maximum(rows, SMALLEST_PROBABILITY))
        own = logits[np.arange(len(truth)), truth]

        def slope(sharpness: float) -> float:
            return float(heavy @ ((_sharpened(logits, sharpness) * logits).sum(axis=1) - own))

        low, high = 1 / WARMEST, 1 / COLDEST
        if slope(low) >= 0:
            return cls(WARMEST)
        if slope(high) <= 0:
            return cls(COLDEST)
        return cls(1 / float(brentq(slope, low, high, xtol=1e-6)))

    def apply(self, probabilities: npt.ArrayLike) -> FloatArray:
        """(n, k) calibrated; the likeliest class of a row stays the likeliest."""
        rows = np.asarray(probabilities, dtype=np.float64)
        return _sharpened(np.log(np.maximum(rows, SMALLEST_PROBABILITY)), 1 / self.value)


def probability_rows(
    probabilities: npt.ArrayLike, codes: npt.ArrayLike
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """(probabilities (n, k), codes (n,)) if they fit each other; UserError if not."""
    rows, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(codes)
    if rows.ndim != 2 or truth.shape != (len(rows),) or not len(rows):
        raise UserError(
            f"there are probabilities of shape {rows.shape} and {truth.shape} labels; expected (rows, classes) and "
            "one label per row, and a row"
        )
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise UserError("a probability is negative, NaN or infinite; give probabilities, not scores")
    if truth.min() < 0 or truth.max() >= rows.shape[1]:
        raise UserError(f"labels run from {truth.min()} to {truth.max()}, there are {rows.shape[1]} classes")
    return rows, truth.astype(np.intp)


def _sharpened(logits: FloatArray, sharpness: float) -> FloatArray:
    raised = np.exp(sharpness * (logits - logits.max(axis=1, keepdims=True)))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
