"""Weekly series forecast together: the panel ensemble of ``panel_members``, corrected by ``panel_correction``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.trends.panel_correction import corrected
from fashion_assets.trends.panel_members import harmonic_regression, past_years
from fashion_assets.trends.panel_scale import PanelScale

FloatArray = npt.NDArray[np.float64]

PANEL_ENSEMBLE = "panel ensemble"
# The past years carry two thirds: alone they are the better of the two, together both are better than either.
PAST_YEARS_WEIGHT = 2 / 3
# A week further from the median of the five around it than six times what is usual (1.4826 median distances, as
# many standard deviations of a normal) is an accident, not a season, and is moved to there (Hampel's filter).
ODD_WEEK = 6.0
_REACH = 2
_NORMAL_SPREAD = 1.4826
# On the scale, about 2 % of the mean: a series that hardly moves has no odd weeks.
_SMALLEST_SPREAD = 0.02


def panel_forecast(values: FloatArray, horizon: int) -> FloatArray:
    """(n, horizon) on the scale of ``PanelScale.of(values)``; ``values`` are (n, T) over the same weeks.

    T is at least ``panel_members.MIN_WEEKS``. The weights are fixed; what all series together say about the
    last forecasts corrects them, the less the fewer series there are.
    """
    return corrected(values, horizon, _ensemble)


def _ensemble(values: FloatArray, horizon: int) -> FloatArray:
    scale = PanelScale.of(values)
    z = _without_odd_weeks(scale.to_scale(values))
    members = [scale.to_values(member(z, horizon)) for member in (past_years, harmonic_regression)]
    mean = PAST_YEARS_WEIGHT * members[0] + (1 - PAST_YEARS_WEIGHT) * members[1]
    return scale.to_scale(mean)


def _without_odd_weeks(z: FloatArray) -> FloatArray:
    wide = np.pad(z, ((0, 0), (_REACH, _REACH)), mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(wide, 2 * _REACH + 1, axis=1), axis=2)
    distance = z - around
    usual = np.median(np.abs(distance), axis=1, keepdims=True)
    furthest = ODD_WEEK * (_NORMAL_SPREAD * usual + _SMALLEST_SPREAD)
    return np.asarray(around + np.clip(distance, -furthest, furthest), dtype=np.float64)
