"""Forecasts with intervals and how good they were: long weekly series as a panel, others each by the model that its
own past would have favoured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.trends.backtest_figures import (
    Pair,
    conformal_widths,
    coverage,
    mase,
    naive_error,
    smape,
)
from fashion_assets.trends.forecast_models import ENSEMBLE, all_forecasts
from fashion_assets.trends.panel_backtest import MIN_PANEL_WEEKS
from fashion_assets.trends.panel_tables import is_panel_series, panel_tables, panels
from fashion_assets.trends.statistical_models import MAX_SERIES, model_names, statistical_forecast
from fashion_assets.trends.time_axis import UNITS, Series, read_series

# Past forecasts per series: each origin costs one fit of all models; beyond six the choice hardly changes.
MAX_ORIGINS = 6
# A model needs a few values to be fitted at all before its first backtest.
MIN_TRAINING = 3
# Past errors that an interval needs. The largest of n errors holds n of n + 1 further ones (Vovk's rule), so that four
# are the fewest for 80 %; of one or two, which models that fit a few values exactly make 0, it would be no interval.
MIN_ERRORS = 4
# Seasonal models need two full seasons of history, or the season cannot be told from chance, and ``MIN_ERRORS`` steps
# more to be tried on.
MIN_SEASONS = 2
# 80 %: with the some dozen residuals of a monthly series the outer 5 % cannot be read off them.
INTERVAL_LEVEL = 0.8

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
    """What the models would have said: per model the (forecast, truth) of each origin."""

    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    scales: list[float] = field(default_factory=list)
    seasonal: bool = False
    note: str = ""

    @property
    def n_errors(self) -> int:
        """How many values each model would have forecast."""
        return max((sum(len(truth) for _, truth in pairs) for pairs in self.pairs.values()), default=0)

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
    thorough: bool = False,
) -> pd.DataFrame:
    """The next ``horizon`` steps of each series: series_id, date, mean, lo, hi, model, note.

    ``series`` is long: series_id, date (or month), value. ``freq`` is M, W or D, or None for the median step of each.
    Weekly series of two years or more are forecast together with those over the same weeks
    (``weekly_panel``), all others each by the model that a rolling-origin backtest chooses. lo and hi are the
    ``level`` quantile of the backtest errors around the mean, never narrower at a later step (on the scale of
    the panel), NaN where the past has fewer than ``MIN_ERRORS`` of them. ``bounds`` clips all three, (0, 1) for shares.
    ``date`` is the first of the month for months. ``note`` says what cannot be known, such as a yearly season
    from under two years. Where no value was below zero no forecast is. ``thorough`` also tries AutoETS, AutoARIMA
    and AutoTheta of statsforecast on series with two seasons, if at most ``MAX_SERIES`` are weekly and at most
    ``MAX_SERIES`` others. Raises UserError for what ``read_series`` refuses, for a horizon under 1, and for a value
    outside ``bounds``.
    """
    return forecast_and_backtest(series, horizon, freq, level=level, bounds=bounds, thorough=thorough)[0]


def backtest(
    series: pd.DataFrame,
    horizon: int,
    freq: str | None = None,
    *,
    level: float = INTERVAL_LEVEL,
    thorough: bool = False,
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
    return forecast_and_backtest(series, horizon, freq, level=level, thorough=thorough)[1]


def forecast_and_backtest(
    series: pd.DataFrame,
    horizon: int,
    freq: str | None = None,
    *,
    level: float = INTERVAL_LEVEL,
    bounds: tuple[float, float] | None = None,
    thorough: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What ``forecast`` and ``backtest`` return, each series' past gone through once."""
    _check(horizon, level)
    read = read_series(series, freq)
    if bounds is not None:
        _check_bounds(read, *bounds)
    alone = [one for one in read if not is_panel_series(one)]
    # Counted over all panels: series of many lengths are many small ones.
    tried = thorough and len(read) - len(alone) <= MAX_SERIES
    parts = [panel_tables(panel, horizon, level, bounds, tried) for panel in panels(read)]
    thorough = thorough and sum(_seasonal(one) for one in alone) <= MAX_SERIES
    for one in alone:
        past = _rolling_origins(one, horizon, thorough)
        past.note = "; ".join(filter(None, (past.note, _interval_note(past.n_errors, level))))
        model = past.chosen()
        figures = pd.DataFrame(_figures(one, past, model, level))
        parts.append((_future(one, past, model, horizon, level, bounds), figures))
    order = {one.series_id: position for position, one in enumerate(read)}
    future, figures = (
        _in_order([part[side] for part in parts], columns, order)
        for side, columns in enumerate((FORECAST_COLUMNS, BACKTEST_COLUMNS))
    )
    return future, figures


def _in_order(tables: list[pd.DataFrame], columns: list[str], order: dict[str, int]) -> pd.DataFrame:
    """The tables below each other, series in the order of the input."""
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)[columns]
    position = table["series_id"].map(order).to_numpy()
    return table.iloc[np.argsort(position, kind="stable")].reset_index(drop=True)


def _future(
    one: Series, past: _Past, model: str, horizon: int, level: float, bounds: tuple[float, float] | None
) -> pd.DataFrame:
    mean = _forecasts(one.values, horizon, one, past.seasonal, [model])[model]
    enough = past.n_errors >= MIN_ERRORS
    width = conformal_widths(past.pairs[model], horizon, level) if enough else np.full(horizon, np.nan)
    bounds = bounds or (_lowest(one.values), np.inf)
    low, mean, high = (np.clip(edge, *bounds) for edge in (mean - width, mean, mean + width))
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
            "mase": mase(pairs, past.scales),
            "smape": smape(pairs),
            "coverage": coverage(pairs, level) if past.n_errors >= MIN_ERRORS else float("nan"),
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


def _check_bounds(read: list[Series], lowest: float, highest: float) -> None:
    """A history outside would be forecast at the bound: 12.5 as 1, where percent were meant."""
    for one in read:
        outside = (one.values < lowest) | (one.values > highest)
        if outside.any():
            step = int(np.argmax(outside))
            raise UserError(
                f"the series {one.series_id} is {one.values[step]:g} on {one.dates[step]:%Y-%m-%d}, which is outside "
                f"{lowest:g} to {highest:g}; shares lie between 0 and 1 (divide percent by 100), other figures are "
                "forecast without bounds"
            )


def _seasonal(one: Series) -> bool:
    return one.freq != "W" and len(one.values) >= _needed(one)


def _needed(one: Series) -> int:
    """Values from which on a season is looked for: two seasons to fit, and what models with one are tried on."""
    return MIN_PANEL_WEEKS if one.freq == "W" else MIN_SEASONS * one.season + MIN_ERRORS


def _rolling_origins(one: Series, horizon: int, thorough: bool) -> _Past:
    y, seasonal = one.values, _seasonal(one)
    past = _Past(seasonal=seasonal, note=_note(one, seasonal))
    extra = model_names(one.season) if thorough and seasonal else []
    # Seasonal models cannot be tried on less than two seasons, so the comparison starts after those.
    shortest = MIN_SEASONS * one.season if seasonal else MIN_TRAINING
    candidates = list(range(shortest, len(y) - horizon + 1))
    if len(candidates) < 2:  # too short for two full horizons: the later origins see fewer steps
        candidates = list(range(shortest, len(y)))
    picked = np.linspace(0, len(candidates) - 1, min(MAX_ORIGINS, len(candidates))).round().astype(int)
    origins = [candidates[index] for index in picked]
    for model in [*all_forecasts(y, 1, one.season, seasonal), *extra]:
        past.pairs[model] = []
    for origin in origins:
        truth = y[origin : origin + horizon]
        past.scales.append(naive_error(y[:origin], one.season if seasonal else 1))
        for model, mean in _forecasts(y[:origin], len(truth), one, seasonal, extra).items():
            past.pairs[model].append((mean, truth))
    return past


def _forecasts(
    y: FloatArray, horizon: int, one: Series, seasonal: bool, wanted: list[str]
) -> dict[str, FloatArray]:
    """{model: (horizon,)} of the models in numpy, and of those of statsforecast that are wanted."""
    found = all_forecasts(y, horizon, one.season, seasonal)
    for name in wanted:
        if name not in found:
            found[name] = statistical_forecast(name, y, horizon, one.season)
    return {name: np.maximum(means, _lowest(y)) for name, means in found.items()}


def _lowest(y: FloatArray) -> float:
    """What no forecast falls below: 0 for counts, shares and prices, which were never below it."""
    return 0.0 if y.min() >= 0 else -np.inf


def _interval_note(n_errors: int, level: float) -> str:
    """What is to be said of an interval at ``level`` from that many past errors; none where they are enough."""
    if not n_errors:
        return ""  # `_note` says that there is no backtest
    told = f"{n_errors} past error{'' if n_errors == 1 else 's'}"
    if n_errors < MIN_ERRORS:
        return f"no interval: the past is so short that it has {told}, and {MIN_ERRORS} are needed"
    if (n_errors + 1) * level > n_errors:
        held = n_errors / (n_errors + 1)
        return f"the interval is the largest of {told}: it holds at most {held:.0%}, not {level:.0%}"
    return ""


def _note(one: Series, seasonal: bool) -> str:
    unit = UNITS[one.freq]
    notes = []
    if not seasonal:
        cycle = "weekly" if one.freq == "D" else "yearly"
        notes.append(
            f"the {cycle} season cannot be known from {len(one.values)} {unit} ({_needed(one)} needed); "
            "forecast without one"
        )
    if one.freq == "D":
        notes.append("a yearly season is not looked for in days; sum them up to weeks for one")
    if len(one.values) <= MIN_TRAINING:
        notes.append(f"too short for a backtest ({len(one.values)} {unit}), so there is no interval")
    if one.filled:
        notes.append(one.filled_note())
    return "; ".join(notes)
