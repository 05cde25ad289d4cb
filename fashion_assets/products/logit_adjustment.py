"""Decisions moved towards rare classes after training, by as much as helps on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.calibration import probability_rows
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.storage.errors import UserError

FloatArray = npt.NDArray[np.float64]

#: 0 leaves decisions as they are, 1 is the balanced-error optimum of a classifier that knows the true
#: probabilities; one trained with class weights has gone part of the way, or too far (below 0).
STRENGTHS = tuple(float(value) for value in np.round(np.arange(-0.5, 1.51, 0.1), 2))


@dataclass(frozen=True)
class LogitAdjustment:
    """Probabilities p of class y become p / prior(y)^strength, scaled to add up to 1 (Menon et al. 2021, "Long-Tail
    Learning via Logit Adjustment", eq. 9, post hoc).

    The result is for deciding. How sure a decision is, the probabilities before it say: after it they are those of
    a world where classes are about equally frequent.
    """

    strength: float
    prior: FloatArray

    def __post_init__(self) -> None:
        if not np.isfinite(self.strength) or self.prior.ndim != 1 or not (self.prior > 0).all():
            raise UserError(
                f"a logit adjustment needs a finite strength and shares above 0, found {self.strength!r} and "
                f"{self.prior!r}; train the head anew"
            )

    @classmethod
    def fit(
        cls,
        probabilities: npt.ArrayLike,
        codes: npt.ArrayLike,
        prior: npt.ArrayLike,
        strengths: Sequence[float] = STRENGTHS,
    ) -> tuple[LogitAdjustment, pd.DataFrame]:
        """(the adjustment of the highest macro-F1 on held-out rows, table of strength and macro_f1).

        ``probabilities`` (n, k), true columns ``codes`` (n,), ``prior`` (k,) shares of the classes in training. Of
        strengths that are equally good the one nearest 0 wins: what does not help is not done.
        """
        rows, truth = probability_rows(probabilities, codes)
        shares = np.asarray(prior, dtype=np.float64)
        if shares.shape != (rows.shape[1],):
            raise UserError(
                f"there are {rows.shape[1]} classes and {shares.shape} shares; give one per class"
            )
        tried = sorted({float(value) for value in strengths} | {0.0}, key=lambda value: (abs(value), value))
        scores = [macro_f1(truth, cls(value, shares).apply(rows).argmax(axis=1)) for value in tried]
        best = tried[int(np.argmax(scores))]
        table = pd.DataFrame({"strength": tried, "macro_f1": scores}).sort_values(
            "strength", ignore_index=True
        )
        return cls(best, shares), table

    def apply(self, probabilities: npt.ArrayLike) -> FloatArray:
        """(n, k) adjusted, rows add up to 1."""
        # The lifts are scaled to 1 at most, so that none overflows for a class of a share near 0.
        lift = -self.strength * np.log(self.prior)
        adjusted = np.asarray(probabilities, dtype=np.float64) * np.exp(lift - lift.max())
        total = adjusted.sum(axis=1, keepdims=True)
        return np.asarray(adjusted / np.where(total > 0, total, 1.0))
