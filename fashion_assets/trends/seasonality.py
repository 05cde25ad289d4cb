"""How much of a series is trend and how much is season, between 0 and 1.

The strengths of Wang, Smith & Hyndman 2006 (Characteristic-based clustering for time series data, section 3.2;
Hyndman & Athanasopoulos, FPP3, 4.3): 1 - Var(remainder) / Var(season + remainder), and the same with the trend in the
season's place. Two departures, because two or three years of months are few: trend (a parabola) and season (a value per
month of the year) are fitted together by least squares, where STL would take part of the noise for season, and the
variances are per degree of freedom, so that noise has a strength around 0 and not around one half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A yearly season needs to be seen twice.
MIN_SEASONAL_MONTHS = 24
# A parabola and its noise: half of the values at least are left for the noise.
MIN_TREND_MONTHS = 6
TREND_DEGREE = 2

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Strengths:
    """Per series (n,): 0 none, 1 nothing but it; NaN where the series is too short to know."""

    seasonal: FloatArray
    trend: FloatArray


def strengths(values: npt.ArrayLike, season: npt.ArrayLike) -> Strengths:
    """Strength of season and trend of ``values`` (series, months); ``season`` (months,) is the month of the year.

    The season is NaN under ``MIN_SEASONAL_MONTHS`` months, or where some month of the year was seen once only; the
    trend is NaN under ``MIN_TREND_MONTHS``. 0 for a series that does not move.
    """
    y = np.asarray(values, dtype=np.float64)
    codes, seen = np.unique(np.asarray(season), return_inverse=True, return_counts=True)[1:]
    steps = y.shape[1]
    unknown = np.full(len(y), np.nan)
    if steps < MIN_TREND_MONTHS:
        return Strengths(unknown, unknown)
    # Scaled to -1..1, or the squares of month numbers would spoil the fit's accuracy.
    time = np.linspace(-1.0, 1.0, steps)
    level, trend = np.ones((steps, 1)), np.vander(time, TREND_DEGREE + 1)[:, :-1]
    yearly = steps >= MIN_SEASONAL_MONTHS and seen.min() > 1
    # Months of the year against the first of them: the level stands for that.
    months = np.eye(len(seen))[codes][:, 1:] if yearly else np.empty((steps, 0))
    remainder = _variance(np.hstack([level, trend, months]), y)
    # What floating point leaves of an exact fit is far below this part of the values' squares.
    rounding = 1e-20 * (y**2).mean(axis=1)
    return Strengths(
        seasonal=_explained(remainder, _variance(np.hstack([level, trend]), y), rounding)
        if yearly
        else unknown,
        trend=_explained(remainder, _variance(np.hstack([level, months]), y), rounding),
    )


def _explained(remainder: FloatArray, without: FloatArray, rounding: FloatArray) -> FloatArray:
    moves = without > rounding
    return np.where(moves, np.maximum(0.0, 1.0 - remainder / np.where(moves, without, 1.0)), 0.0)


def _variance(x: FloatArray, y: FloatArray) -> FloatArray:
    """Variance per degree of freedom of what the columns of ``x`` leave of each row of ``y``."""
    weights = np.linalg.lstsq(x, y.T, rcond=None)[0]
    return np.asarray(((y.T - x @ weights) ** 2).sum(axis=0), dtype=np.float64) / (x.shape[0] - x.shape[1])
