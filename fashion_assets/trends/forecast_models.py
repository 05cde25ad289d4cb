"""The forecasting models, in numpy: each takes a history and returns the means of the next steps.

Formulas: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd edition (FPP3), chapters 5 and
8; theta as Hyndman & Billah 2003 rewrote it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Model = Callable[[FloatArray, int, int], FloatArray]

# Smoothing weights that are tried; the error is flat around its minimum, so a finer grid changes no forecast
# visibly.
ALPHAS = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])
BETAS = np.array([0.01, 0.05, 0.1, 0.2, 0.4])
# FPP3 8.2 keeps damping in 0.8 … 0.98: below, the trend is gone at once; above, it cannot be told from an
# undamped one.
DAMPINGS = np.array([0.8, 0.9, 0.98])
# A seasonal figure is learnt from the last years only: what was worn in March ten years ago says little.
SEASONS_KEPT = 4


def naive(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """The last value, for ever."""
    return np.full(horizon, y[-1])


def mean(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """The mean of the history."""
    return np.full(horizon, y.mean())


def drift(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """The straight line from the first value to the last, prolonged (FPP3 5.2)."""
    slope = (y[-1] - y[0]) / max(len(y) - 1, 1)
    return np.asarray(y[-1] + slope * np.arange(1, horizon + 1), dtype=np.float64)


def seasonal_naive(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """The value of the same season a year before."""
    return np.asarray(y[len(y) - season + np.arange(horizon) % season], dtype=np.float64)


def exponential_smoothing(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """Simple exponential smoothing (FPP3 8.1), the weight chosen by the one-step squared error."""
    level, _ = _smooth_level(y)
    return np.full(horizon, level)


def damped_trend(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """Holt's method with a damped trend (FPP3 8.2), its weights chosen by the one-step squared error."""
    if len(y) < 4:
        return naive(y, horizon, season)
    alpha, beta, phi = (grid.reshape(-1) for grid in np.meshgrid(ALPHAS, BETAS, DAMPINGS, indexing="ij"))
    level, slope = np.full(len(alpha), y[0]), np.full(len(alpha), y[1] - y[0])
    error = np.zeros(len(alpha))
    for value in y[1:]:
        expected = level + phi * slope
        error += (value - expected) ** 2
        new_level = alpha * value + (1 - alpha) * expected
        slope = beta * (new_level - level) + (1 - beta) * phi * slope
        level = new_level
    best = int(np.argmin(error))
    steps = np.cumsum(phi[best] ** np.arange(1, horizon + 1))
    return np.asarray(level[best] + slope[best] * steps, dtype=np.float64)


def theta(y: FloatArray, horizon: int, season: int) -> FloatArray:
    """The theta method: exponential smoothing plus half the slope of the fitted line (Hyndman & Billah 2003,
    eq. 8).
    """
    level, alpha = _smooth_level(y)
    slope = float(np.polyfit(np.arange(len(y)), y, 1)[0]) if len(y) > 2 else 0.0
    forgotten = (1 - (1 - alpha) ** len(y)) / alpha
    return np.asarray(level + slope / 2 * (np.arange(horizon) + forgotten), dtype=np.float64)


def _smooth_level(y: FloatArray) -> tuple[float, float]:
    """(last level, its weight) of simple exponential smoothing."""
    level, error = np.full(len(ALPHAS), y[0]), np.zeros(len(ALPHAS))
    for value in y[1:]:
        error += (value - level) ** 2
        level = ALPHAS * value + (1 - ALPHAS) * level
    best = int(np.argmin(error))
    return float(level[best]), float(ALPHAS[best])


def seasonal_figure(y: FloatArray, season: int) -> FloatArray:
    """(season,) how far each position in the year lies above the level; position 0 is that of ``y[0]``; sums
    to 0.

    Classical additive decomposition (FPP3 3.4) over the last ``SEASONS_KEPT`` years. Weekly figures are
    smoothed over five weeks, because a few years have only a few values per week.
    """
    kept = y[-min(len(y), SEASONS_KEPT * season) :]
    offset = len(y) - len(kept)
    level = _centred_mean(kept, season)
    position = (offset + np.arange(len(kept))) % season
    figure = np.bincount(position, kept - level, minlength=season) / np.maximum(
        np.bincount(position, minlength=season), 1
    )
    if season >= 26:
        wide = np.concatenate([figure[-2:], figure, figure[:2]])
        figure = np.convolve(wide, np.array([1, 2, 3, 2, 1]) / 9, mode="valid")
    return np.asarray(figure - figure.mean(), dtype=np.float64)


def _centred_mean(y: FloatArray, season: int) -> FloatArray:
    """Centred moving mean over one year, prolonged over the half years at both ends by its own mean slope."""
    weights = (
        np.full(season, 1 / season)
        if season % 2
        else np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    )
    if len(y) < len(weights):
        return np.full(len(y), y.mean())
    inner = np.convolve(y, weights, mode="valid")
    before = (len(y) - len(inner)) // 2
    after = len(y) - len(inner) - before
    # Held flat instead, a rising series would put its own trend into the season.
    slope = (inner[-1] - inner[0]) / max(len(inner) - 1, 1)
    head, tail = inner[0] - slope * np.arange(before, 0, -1), inner[-1] + slope * np.arange(1, after + 1)
    return np.concatenate([head, inner, tail])


def seasonally(model: Model) -> Model:
    """``model`` on the deseasonalised history, with the season added back."""

    def seasonal_model(y: FloatArray, horizon: int, season: int) -> FloatArray:
        figure = seasonal_figure(y, season)
        plain = model(y - figure[np.arange(len(y)) % season], horizon, season)
        return np.asarray(plain + figure[(len(y) + np.arange(horizon)) % season], dtype=np.float64)

    return seasonal_model


PLAIN_MODELS: dict[str, Model] = {
    "naive": naive,
    "mean": mean,
    "drift": drift,
    "exponential smoothing": exponential_smoothing,
    "damped trend": damped_trend,
    "theta": theta,
}
SEASONAL_MODELS: dict[str, Model] = {
    "seasonal naive": seasonal_naive,
    "seasonal mean": seasonally(mean),
    "seasonal drift": seasonally(drift),
    "seasonal exponential smoothing": seasonally(exponential_smoothing),
    "seasonal damped trend": seasonally(damped_trend),
    "seasonal theta": seasonally(theta),
}
ENSEMBLE = "ensemble"


def all_forecasts(y: FloatArray, horizon: int, season: int, seasonal: bool) -> dict[str, FloatArray]:
    """{model: (horizon,)} of every model that fits, and of the ensemble, their median at each step."""
    models = {**PLAIN_MODELS, **SEASONAL_MODELS} if seasonal else PLAIN_MODELS
    found = {name: model(y, horizon, season) for name, model in models.items()}
    # Seasonal models outvote the others only where they exist: the ensemble is theirs then.
    voters = SEASONAL_MODELS if seasonal else PLAIN_MODELS
    found[ENSEMBLE] = np.asarray(np.median([found[name] for name in voters], axis=0), dtype=np.float64)
    return found
