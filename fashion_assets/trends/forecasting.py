"""Forecasts with intervals, each series by the model that its own past would have favoured, and how good that
was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.trends.forecast_models import ENSEMBLE, all_forecasts
from fashion_assets.trends.time_axis import Series, read_series

# Past forecasts per series: each origin costs one fit of all models; beyond six the choice hardly changes.
MAX_ORIGINS = 6
# A model needs a few values to be fitted at all before its first backtest.
MIN_TRAINING = 3
# Seasonal models need two full seasons of history, or the season cannot be told from chance, and one step
# more to be tried on.
MIN_SEASONS = 2
# 80 %: with the some dozen residuals of a monthly series the outer 5 % cannot be read off them.
INTERVAL_LEVEL = 0.8
# A step's spread is read from the residuals of neighbouring steps; with fewer than these, from those of all
# steps.
MIN_RESIDUALS = 8
_STEP_NEIGHBOURHOOD = 1.5

FORECAST_COLUMNS = ["series_id", "date", "mean", "lo", "hi", "model", "note"]
BACKTEST_COLUMNS = [
    "series_id",
    "model",
    "mase",
    "smape",
    "coverage",
    "n_origins",
    "horizon",
    "chosen",
    "note",
]

FloatArray = npt.NDArray[np.float64]


@dataclass
class _Past:
    """What the models would have said: per model a list of (forecast, truth) of each origin."""

    pairs: dict[str, list[tuple[FloatArray, FloatArray]]] = field(default_factory=dict)
    scales: list[float] = field(default_factory=list)
    seasonal: bool = False
    note: str = ""

    def mase(self, model: str) -> float:
        """Mean absolute scaled error, the mean over origins; NaN without a backtest."""
        errors = [np.abs(mean - truth).mean() for mean, truth in self.pairs[model]]
        scaled = zip(errors, self.scales, strict=True)
        ratios = [
            error / scale if scale > 0 else 0.0 for error, scale in scaled if scale > 0 or error < 1e-12
        ]
        return float(np.mean(ratios)) if ratios else float("nan")

    def chosen(self) -> str:
        """The model with the smallest mean absolute error; the ensemble if nothing could be compared."""
        scores = {
            model: float(np.mean([np.abs(mean - truth).mean() for mean, truth in pairs]))
            for model, pairs in self.pairs.items()
            if pairs
        }
        # A model as good as the best but for rounding and earlier in the list is simpler.
        best = min(scores.values(), default=0.0)
        return next(
            (model for model, score in scores.items() if score <= best * (1 + 1e-9) + 1e-12), ENSEMBLE
        )


def forecast(
    series: pd.DataFrame,
    horizon: int,
    freq: str | None = None,
    *,
    level: float = INTERVAL_LEVEL,
    bounds: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """The next ``horizon`` steps of each series: series_id, date, mean, lo, hi, model, note.

    ``series`` is long: series_id, date (or month), value. ``freq`` is M, W or D, or None for the median step.
    The model is chosen per series by a rolling-origin backtest; lo and hi are the ``level`` quantile of its
    backtest errors around the mean, never narrower at a later step, NaN where the past is too short for any
    error. ``bounds`` clips all three, (0, 1) for shares. ``date`` is the first of the month for months.
    ``note`` says what cannot be known, such as a yearly season from under two years. Raises UserError for
    what ``read_series`` refuses, and for a horizon under 1.
    """
    return forecast_and_backtest(series, horizon, freq, level=level, bounds=bounds)[0]


def backtest(
    series: pd.DataFrame,
    horizon: int,
    freq: str | None = None,
    *,
    level: float = INTERVAL_LEVEL,
) -> pd.DataFrame:
    """How every model would have done: series_id, model, mase, smape, coverage, n_origins, horizon, chosen,
    note.

    Rolling origins: the history up to an origin is all a model sees, the up to ``horizon`` steps after it are
    the truth. mase scales by the training history's own error of the seasonal naive forecast (of the naive
    one where no season can be known; Hyndman & Koehler 2006); smape is in percent, 0 to 200; coverage is the
    share of truths inside the interval, an origin's interval taken from the other origins only. NaN where the
    past is too short. The chosen model's figures are of the origins that chose it, so a little better than
    the future will be.
    """
    return forecast_and_backtest(series, horizon, freq, level=level)[1]


def forecast_and_backtest(
    series: pd.DataFrame,
    horizon: int,
    freq: str | None = None,
    *,
    level: float = INTERVAL_LEVEL,
    bounds: tuple[float, float] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What ``forecast`` and ``backtest`` return, each series' past gone through once."""
    _check(horizon, level)
    tables: list[pd.DataFrame] = []
    rows: list[dict[str, object]] = []
    for one in read_series(series, freq):
        past = _rolling_origins(one, horizon)
        model = past.chosen()
        tables.append(_future(one, past, model, horizon, level, bounds))
        rows += _figures(one, past, model, level)
    future = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=FORECAST_COLUMNS)
    return future, pd.DataFrame(rows, columns=BACKTEST_COLUMNS)


def _future(
    one: Series, past: _Past, model: str, horizon: int, level: float, bounds: tuple[float, float] | None
) -> pd.DataFrame:
    mean = all_forecasts(one.values, horizon, one.season, past.seasonal)[model]
    width = _widths(past.pairs[model], horizon, level)
    low, high = (np.clip(edge, *bounds) if bounds else edge for edge in (mean - width, mean + width))
    mean = np.clip(mean, *bounds) if bounds else mean
    columns = {
        "series_id": one.series_id,
        "date": one.future(horizon),
        "mean": mean,
        "lo": low,
        "hi": high,
    }
    return pd.DataFrame({**columns, "model": model, "note": past.note})


def _figures(one: Series, past: _Past, chosen: str, level: float) -> list[dict[str, object]]:
    return [
        {
            "series_id": one.series_id,
            "model": model,
            "mase": past.mase(model),
            "smape": _smape(pairs),
            "coverage": _coverage(pairs, level),
            "n_origins": len(pairs),
            "horizon": max((len(truth) for _, truth in pairs), default=0),
            "chosen": model == chosen,
            "note": past.note,
        }
        for model, pairs in past.pairs.items()
    ]


def _check(horizon: int, level: float) -> None:
    if horizon < 1 or not 0 < level < 1:
        raise UserError(
            f"the horizon is {horizon} and the level {level}; expected at least 1 step and a level such as "
            "0.8"
        )


def _rolling_origins(one: Series, horizon: int) -> _Past:
    y, season = one.values, one.season
    seasonal = len(y) > MIN_SEASONS * season
    past = _Past(seasonal=seasonal, note=_note(one, seasonal))
    # Seasonal models cannot be tried on less than two seasons, so the comparison starts after those.
    shortest = MIN_SEASONS * season if seasonal else MIN_TRAINING
    candidates = list(range(shortest, len(y) - horizon + 1))
    if len(candidates) < 2:  # too short for two full horizons: the later origins see fewer steps
        candidates = list(range(shortest, len(y)))
    picked = np.linspace(0, len(candidates) - 1, min(MAX_ORIGINS, len(candidates))).round().astype(int)
    origins = [candidates[index] for index in picked]
    for model in all_forecasts(y, 1, season, seasonal):
        past.pairs[model] = []
    for origin in origins:
        truth = y[origin : origin + horizon]
        past.scales.append(_scale(y[:origin], season if seasonal else 1))
        for model, mean in all_forecasts(y[:origin], len(truth), season, seasonal).items():
            past.pairs[model].append((mean, truth))
    return past


def _note(one: Series, seasonal: bool) -> str:
    notes = []
    unit, cycle = {"M": ("months", "yearly"), "W": ("weeks", "yearly"), "D": ("days", "weekly")}[one.freq]
    if not seasonal:
        notes.append(
            f"the {cycle} season cannot be known from {len(one.values)} {unit} "
            f"({MIN_SEASONS * one.season + 1} needed); "
            "forecast without one"
        )
    if len(one.values) <= MIN_TRAINING:
        notes.append(f"too short for a backtest ({len(one.values)} {unit}), so there is no interval")
    if one.filled:
        notes.append(f"{one.filled} missing {unit} filled along a straight line")
    return "; ".join(notes)


def _scale(history: FloatArray, lag: int) -> float:
    return float(np.abs(history[lag:] - history[:-lag]).mean()) if len(history) > lag else 0.0


def _smape(pairs: list[tuple[FloatArray, FloatArray]]) -> float:
    if not pairs:
        return float("nan")
    mean, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    size = np.abs(mean) + np.abs(truth)
    return float(np.mean(200 * np.abs(mean - truth) / np.where(size > 0, size, 1.0)))


def _coverage(pairs: list[tuple[FloatArray, FloatArray]], level: float) -> float:
    if len(pairs) < 2:
        return float("nan")
    inside = []
    for index, (mean, truth) in enumerate(pairs):
        others = pairs[:index] + pairs[index + 1 :]
        inside.append(np.abs(mean - truth) <= _widths(others, len(truth), level) + 1e-12)
    return float(np.concatenate(inside).mean())


def _widths(pairs: list[tuple[FloatArray, FloatArray]], horizon: int, level: float) -> FloatArray:
    """(horizon,) half widths: the conformal quantile of the absolute backtest errors at about each step.

    The quantile is the ceil((n + 1) level)-th smallest of n errors (Vovk's split conformal rule), the largest
    if n is too small for it. Steps beyond the longest backtest grow with the square root of the step, as a
    random walk would.
    """
    if not pairs:
        return np.full(horizon, np.nan)
    steps = np.concatenate([np.arange(1, len(truth) + 1) for _, truth in pairs])
    errors = np.concatenate([np.abs(mean - truth) for mean, truth in pairs])
    longest = int(steps.max())
    widths = np.empty(horizon)
    for step in range(1, horizon + 1):
        tested = min(step, longest)
        near = errors[(steps >= tested / _STEP_NEIGHBOURHOOD) & (steps <= tested * _STEP_NEIGHBOURHOOD)]
        pool = np.sort(near if len(near) >= MIN_RESIDUALS else errors)
        rank = min(int(np.ceil((len(pool) + 1) * level)), len(pool))
        widths[step - 1] = pool[rank - 1] * np.sqrt(step / tested)
    return np.asarray(np.maximum.accumulate(widths), dtype=np.float64)
