"""The scale on which weekly series are comparable: logarithms of multiples of a series' own mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Added to the multiples before the logarithm: a week of nothing is then three powers of e below the mean,
# not infinitely far, and rounding of small counts does not look like a season.
LOG_OFFSET = 0.05
# What the logarithm and back leave of a week of nothing.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PanelScale:
    """``to_scale`` and back for n series at once.

    ``size`` (n, 1) is the mean absolute value of each series, ``signed`` (n, 1) marks series with values below
    zero, for which the scale is linear.
    """

    size: FloatArray
    signed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: FloatArray) -> PanelScale:
        """The scale of ``values`` (n, T)."""
        size = np.abs(values).mean(axis=1, keepdims=True)
        return cls(np.where(size > 0, size, 1.0), values.min(axis=1, keepdims=True) < 0)

    def to_scale(self, values: FloatArray) -> FloatArray:
        """(n, h) on the scale."""
        multiple = values / self.size
        logarithm = np.log(np.maximum(multiple, 0.0) + LOG_OFFSET)
        return np.asarray(np.where(self.signed, multiple, logarithm), dtype=np.float64)

    def to_values(self, scaled: FloatArray) -> FloatArray:
        """(n, h) back in the units of the series; not below zero where no value was."""
        # e^30 times the mean is beyond any series, and short of overflow.
        multiple = np.exp(np.minimum(scaled, 30.0)) - LOG_OFFSET
        multiple = np.where(multiple > _ROUNDING, multiple, 0.0)
        return np.asarray(np.where(self.signed, scaled, multiple) * self.size, dtype=np.float64)

    def slope(self, scaled: FloatArray) -> FloatArray:
        """(n, h) by how much the value moves with the scale."""
        return np.asarray(
            np.where(self.signed, 1.0, np.exp(np.minimum(scaled, 30.0))) * self.size, dtype=np.float64
        )

    def rows(self, picked: npt.NDArray[np.intp]) -> PanelScale:
        """The scale of some of the series."""
        return PanelScale(self.size[picked], self.signed[picked])
