"""Weekly series over the same weeks, backtested and forecast together, with intervals from pooled residuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.trends.backtest_figures import widths_by_step
from fashion_assets.trends.panel_members import YEAR
from fashion_assets.trends.panel_scale import PanelScale
from fashion_assets.trends.statistical_models import model_names, statistical_forecast
from fashion_assets.trends.weekly_panel import PANEL_ENSEMBLE, panel_forecast

FloatArray = npt.NDArray[np.float64]
# (n, T) values and a horizon to (n, horizon) on the scale of ``PanelScale.of(values)``.
PanelModel = Callable[[FloatArray, int], FloatArray]

# Two whole years: below, a yearly season cannot be told from chance.
MIN_PANEL_WEEKS = 2 * YEAR
# An origin needs a year and a half, or its naive error is of too few weeks.
MIN_ORIGIN_WEEKS = YEAR + YEAR // 2
MAX_PANEL_ORIGINS = 6
ORIGIN_STEP = 13
SEASONAL_NAIVE = "seasonal naive"
# Another model displaces the ensemble if it was better by more than chance: two standard errors.
DISPLACING_ERRORS = 2.0
MIN_DISPLACING_SERIES = 5
# A series' own residuals are of two or three overlapping years: the panel's mean counts as so many origins more.
PRIOR_ORIGINS = 2.0


@dataclass(frozen=True)
class PanelOrigin:
    """One past forecast of n series: the model's (n, h) and the truth (n, h), in values and on the scale."""

    mean: FloatArray
    truth: FloatArray
    residual: FloatArray
    naive_error: FloatArray  # (n,) of the history


def panel_models(values: FloatArray, statistical: bool) -> dict[str, PanelModel]:
    """The ensemble, the seasonal naive model and, if wanted, those of statsforecast."""
    models: dict[str, PanelModel] = {PANEL_ENSEMBLE: panel_forecast, SEASONAL_NAIVE: _seasonal_naive}
    for name in model_names(YEAR) if statistical else []:
        models[name] = _each_by_itself(name)
    return models


def panel_origins(weeks: int, horizon: int) -> list[int]:
    """The lengths of history that are forecast from, at most ``MAX_PANEL_ORIGINS``, the shortest first.

    A quarter apart, each with ``horizon`` weeks of truth after it; where there are not two such, the later
    origins see fewer.
    """
    full = list(range(weeks - horizon, MIN_ORIGIN_WEEKS - 1, -ORIGIN_STEP))
    if len(full) < 2:
        full = list(range(weeks - ORIGIN_STEP, MIN_ORIGIN_WEEKS - 1, -ORIGIN_STEP))
    return sorted(full[:MAX_PANEL_ORIGINS])


def panel_past(values: FloatArray, horizon: int, model: PanelModel) -> list[PanelOrigin]:
    """What ``model`` would have said of ``values`` (n, T) at each of ``panel_origins``."""
    past = []
    for origin in panel_origins(values.shape[1], horizon):
        history, truth = values[:, :origin], values[:, origin : origin + horizon]
        scale = PanelScale.of(history)
        scaled = model(history, truth.shape[1])
        naive_error = np.abs(history[:, YEAR:] - history[:, :-YEAR]).mean(axis=1)
        past.append(
            PanelOrigin(scale.to_values(scaled), truth, np.abs(scale.to_scale(truth) - scaled), naive_error)
        )
    return past


def panel_mase(past: Sequence[PanelOrigin]) -> FloatArray:
    """(n,) mean absolute scaled error of each series, the mean over origins; NaN where no history moved."""
    scaled = []
    for origin in past:
        error = np.abs(origin.mean - origin.truth).mean(axis=1)
        moved = np.where(origin.naive_error > 0, origin.naive_error, 1.0)
        still = np.where(error < 1e-9 * (1 + np.abs(origin.truth).mean(axis=1)), 0.0, np.nan)
        scaled.append(np.where(origin.naive_error > 0, error / moved, still))
    found = np.stack(scaled)
    known = (~np.isnan(found)).sum(axis=0)
    return np.asarray(np.where(known > 0, np.nansum(found, axis=0) / np.maximum(known, 1), np.nan))


def chosen_model(pasts: dict[str, list[PanelOrigin]]) -> str:
    """The ensemble, unless another model had the lower mean MASE over all series by more than chance.

    One choice for the panel: one or two past years of a single series choose a worse model than the ensemble
    more often than a better one (benchmarks/forecasting.py --choice).
    """
    score = {name: panel_mase(past) for name, past in pasts.items()}
    best, best_gain = PANEL_ENSEMBLE, 0.0
    for name, figures in score.items():
        gain = (score[PANEL_ENSEMBLE] - figures)[~np.isnan(score[PANEL_ENSEMBLE] - figures)]
        if len(gain) < MIN_DISPLACING_SERIES:
            continue
        sure = gain.mean() - DISPLACING_ERRORS * gain.std(ddof=1) / np.sqrt(len(gain))
        if sure > 0 and gain.mean() > best_gain:
            best, best_gain = name, float(gain.mean())
    return best


def panel_widths(past: Sequence[PanelOrigin], horizon: int, level: float) -> FloatArray:
    """(n, horizon) half widths on the scale: the pooled conformal quantile times each series' own spread."""
    spread = _spread(past)
    pooled, steps = [], []
    for index, origin in enumerate(past):
        others = [*past[:index], *past[index + 1 :]]
        # The spread without the origin itself, or its residuals would look smaller than the future's will.
        own = _spread(others)[:, None] if others else spread[:, None]
        moves = own[:, 0] > 0
        pooled.append((origin.residual[moves] / own[moves]).reshape(-1))
        steps.append(np.tile(np.arange(1, origin.residual.shape[1] + 1), int(moves.sum())))
    errors, at = np.concatenate(pooled), np.concatenate(steps)
    if not len(errors):
        return np.zeros((len(spread), horizon))
    return np.asarray(spread[:, None] * widths_by_step(errors, at, horizon, level), dtype=np.float64)


def panel_coverage(past: Sequence[PanelOrigin], level: float) -> FloatArray:
    """(n,) share of truths inside, each origin's interval taken from the other origins; NaN under two."""
    if len(past) < 2:
        return np.full(len(past[0].truth), np.nan)
    inside = []
    for index, origin in enumerate(past):
        others = [*past[:index], *past[index + 1 :]]
        widths = panel_widths(others, origin.truth.shape[1], level)
        inside.append(origin.residual <= widths + 1e-12)
    return np.asarray(np.concatenate(inside, axis=1).mean(axis=1), dtype=np.float64)


def _spread(past: Sequence[PanelOrigin]) -> FloatArray:
    """(n,) mean absolute residual of each series, shrunk to the panel's; 0 for a series that was never missed."""
    own = np.mean([origin.residual.mean(axis=1) for origin in past], axis=0)
    shrunk = (len(past) * own + PRIOR_ORIGINS * own.mean()) / (len(past) + PRIOR_ORIGINS)
    return np.asarray(np.where(own > 1e-12, shrunk, 0.0), dtype=np.float64)


def _seasonal_naive(values: FloatArray, horizon: int) -> FloatArray:
    last_year = PanelScale.of(values).to_scale(values)[:, -YEAR:]
    return last_year[:, np.arange(horizon) % YEAR]


def _each_by_itself(name: str) -> PanelModel:
    def forecast(values: FloatArray, horizon: int) -> FloatArray:
        means = np.stack([statistical_forecast(name, one, horizon, YEAR) for one in values])
        return PanelScale.of(values).to_scale(means)

    return forecast
