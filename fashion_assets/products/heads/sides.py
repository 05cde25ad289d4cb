"""Products by the sides they show: who has only a picture or only a text is less sure to be judged right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.products.calibration import Temperature
from fashion_assets.products.heads.space import Signals

FloatArray = npt.NDArray[np.float64]

#: What a product shows: both sides (or nothing), only a picture, only a text.
SHOWN = ("both", "image", "text")
_UNCHANGED = Temperature()


def shown_sides(signals: Signals) -> npt.NDArray[np.str_]:
    """(n,) "image" or "text" for products with that side only, "both" for all others, those with neither included."""
    image, text = signals.has_image, signals.has_text
    return np.where(image & ~text, "image", np.where(text & ~image, "text", "both"))


@dataclass(frozen=True)
class SideTemperatures:
    """A temperature for each of ``SHOWN``."""

    both: Temperature = _UNCHANGED
    image: Temperature = _UNCHANGED
    text: Temperature = _UNCHANGED

    def apply(self, probabilities: FloatArray, shown: npt.NDArray[np.str_]) -> FloatArray:
        """(n, k) calibrated, each row by the temperature of what its product shows (n,)."""
        out = np.empty(probabilities.shape)
        for side in SHOWN:
            rows = shown == side
            if rows.any():
                temperature: Temperature = getattr(self, side)
                out[rows] = temperature.apply(probabilities[rows])
        return out

    def values(self) -> dict[str, float]:
        """Temperature by what is shown."""
        return {side: getattr(self, side).value for side in SHOWN}
