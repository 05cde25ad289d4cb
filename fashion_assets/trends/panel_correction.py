"""What the forecasts of a whole panel got wrong a year ago, learnt as a small regression and put right.

One series has one or two past years to learn from, which is too few to choose anything by; all series of a
panel together show whether growth went on, whether seasons were shrunk too much, and which level held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.trends.panel_members import YEAR
from fashion_assets.trends.panel_scale import PanelScale

FloatArray = npt.NDArray[np.float64]
Forecaster = Callable[[FloatArray, int], FloatArray]

# The features need two years, the truth one more.
MIN_CORRECTED_WEEKS = 3 * YEAR
# How many weeks of truth an origin leaves: the season goes round once, the two later ones show newer growth.
TRUTH_WEEKS = (52, 39, 26)
# The regression of n series counts as n / PRIOR_SERIES times as sure as "nothing to put right".
PRIOR_SERIES = 30.0
# Half of what a dozen series got wrong together is their accident; fewer teach nothing.
MIN_SERIES = 12
# On the scale: by a factor of e^0.5 up or down. More than that is an extrapolation.
MAX_CORRECTION = 0.5
# Residuals above this share of the median one count by their size, not its square (Huber 1964), as in MASE.
HUBER_SHARE = 0.3
_ITERATIONS = 8
# A week's weight is the error it makes in units of the series' error; a nearly constant series has no unit.
_MAX_WEIGHT = 50.0


@dataclass(frozen=True)
class _Task:
    """One origin: features (n, h, f), what the forecast lacked (n, h), weights (n, h)."""

    features: FloatArray
    lacking: FloatArray
    weights: FloatArray


def corrected(values: FloatArray, horizon: int, forecast: Forecaster) -> FloatArray:
    """(n, horizon) the forecast of ``values`` (n, T) on the scale of ``PanelScale.of(values)``, corrected.

    ``forecast`` maps (n, T) values to (n, h) on their scale. Uncorrected under ``MIN_CORRECTED_WEEKS``
    and under ``MIN_SERIES``.
    """
    steps = max(horizon, YEAR)
    scale = PanelScale.of(values)
    plain = forecast(values, steps)
    weeks = values.shape[1]
    if weeks < MIN_CORRECTED_WEEKS or len(values) < MIN_SERIES:
        return plain[:, :horizon]
    tasks = [_task(values, weeks - truth, forecast) for truth in TRUTH_WEEKS if weeks - truth >= 2 * YEAR]
    spread = _spread(tasks)
    coefficients = _regression(tasks, spread, len(values))
    change = _features(scale.to_scale(values), plain) / spread @ coefficients
    return np.asarray(plain + np.clip(change, -MAX_CORRECTION, MAX_CORRECTION), dtype=np.float64)[:, :horizon]


def _task(values: FloatArray, origin: int, forecast: Forecaster) -> _Task:
    history, truth = values[:, :origin], values[:, origin : origin + YEAR]
    scale = PanelScale.of(history)
    plain = forecast(history, YEAR)
    seen = truth.shape[1]
    lacking = scale.to_scale(truth) - plain[:, :seen]
    unit = np.abs(history[:, YEAR:] - history[:, :-YEAR]).mean(axis=1, keepdims=True)
    weights = np.minimum(scale.slope(plain[:, :seen]) / np.where(unit > 0, unit, np.inf), _MAX_WEIGHT)
    return _Task(_features(scale.to_scale(history), plain)[:, :seen], lacking, weights)


def _features(z: FloatArray, plain: FloatArray) -> FloatArray:
    """(n, h, 9) of histories ``z`` (n, T) and their forecasts (n, h), all zero where nothing moves."""
    steps = np.arange(plain.shape[1])
    time = np.minimum((steps + 1) / YEAR, 1.0)[None, :]
    always = np.ones_like(time)
    year = plain[:, :YEAR]
    level = year.mean(axis=1, keepdims=True)
    last_year = z[:, -YEAR:]
    last_level = last_year.mean(axis=1, keepdims=True)
    yearly = last_year - z[:, -2 * YEAR : -YEAR]
    growth = yearly.mean(axis=1, keepdims=True)
    newer_growth = yearly[:, -8:].mean(axis=1, keepdims=True) - growth
    repeated = last_year - last_level - (year - level)
    long_level = z.mean(axis=1, keepdims=True)
    return np.stack(
        [
            plain - level,
            repeated[:, steps % YEAR],
            growth * time,
            growth * always,
            newer_growth * time,
            newer_growth * always,
            (last_level - level) * time,
            (last_level - level) * always,
            (long_level - level) * time,
        ],
        axis=-1,
    )


def _spread(tasks: list[_Task]) -> FloatArray:
    every = np.concatenate([task.features.reshape(-1, task.features.shape[-1]) for task in tasks])
    return np.asarray(every.std(axis=0) + 1e-6, dtype=np.float64)


def _regression(tasks: list[_Task], spread: FloatArray, n_series: int) -> FloatArray:
    """(f,) ridge regression with Huber weights, by iteratively reweighted least squares."""
    design = np.concatenate([task.features.reshape(-1, len(spread)) for task in tasks]) / spread
    lacking = np.concatenate([task.lacking.reshape(-1) for task in tasks])
    weights = np.concatenate([task.weights.reshape(-1) for task in tasks])
    found = np.zeros(len(spread))
    if not weights.any():
        return found
    weights = weights / weights[weights > 0].mean()
    for _ in range(_ITERATIONS):
        residual = np.abs(lacking - design @ found)
        middle = float(np.median(residual * weights)) + 1e-9
        robust = weights / np.maximum(residual, HUBER_SHARE * middle) * middle
        weighted = design * robust[:, None]
        ridge = PRIOR_SERIES / n_series * robust.sum() * np.eye(len(spread))
        found = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ lacking)
    return found
