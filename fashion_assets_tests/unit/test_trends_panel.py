"""Weekly panels: members, correction, choice of the model and pooled intervals, on made series with a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fashion_assets.trends import forecasting
from fashion_assets.trends.backtest_figures import conformal_widths
from fashion_assets.trends.forecasting import backtest, forecast
from fashion_assets.trends.panel_backtest import (
    PANEL_ENSEMBLE,
    SEASONAL_NAIVE,
    PanelOrigin,
    chosen_model,
    panel_mase,
    panel_origins,
    panel_past,
    panel_widths,
)
from fashion_assets.trends.panel_correction import MIN_SERIES, corrected
from fashion_assets.trends.panel_members import WEEKS_PER_YEAR, harmonic_regression, past_years
from fashion_assets.trends.panel_scale import PanelScale
from fashion_assets.trends.statistical_models import model_names, statistical_forecast
from fashion_assets.trends.weekly_panel import panel_forecast

WEEKS = 208


def made(n: int, weeks: int = WEEKS, seed: int = 0, noise: float = 0.15) -> np.ndarray:
    """(n, weeks) shares: a season that keeps to the calendar, a wandering level and noise, all multiplied."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(weeks) / WEEKS_PER_YEAR
    amplitude, shift = rng.uniform(0.2, 0.6, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    level = np.cumsum(rng.normal(0, 0.01, (n, weeks)), axis=1)
    season = amplitude * (np.cos(phase + shift) + 0.4 * np.cos(2 * phase + shift))
    return np.exp(level + season + rng.normal(0, noise, (n, weeks))) * 0.01


def long_form(values: np.ndarray, prefix: str = "s", start: str = "2021-01-05") -> pd.DataFrame:
    dates = pd.date_range(start, periods=values.shape[1], freq="7D").strftime("%Y-%m-%d")
    ids = [f"{prefix}{number}" for number in range(len(values))]
    return pd.DataFrame(
        {
            "series_id": np.repeat(ids, len(dates)),
            "date": np.tile(dates, len(values)),
            "value": values.reshape(-1),
        }
    )


def in_values(values: np.ndarray, horizon: int) -> np.ndarray:
    return PanelScale.of(values).to_values(panel_forecast(values, horizon))


def test_the_scale_goes_there_and_back() -> None:
    values = np.array([[0.0, 1.0, 5.0], [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    scale = PanelScale.of(values)
    assert scale.to_values(scale.to_scale(values)) == pytest.approx(values)
    assert scale.signed[:, 0].tolist() == [False, True, False]
    assert scale.to_values(np.full((3, 1), -99.0))[:, 0].tolist() == pytest.approx([0.0, -99.0, 0.0])


@pytest.mark.parametrize("member", [past_years, harmonic_regression])
def test_a_season_without_noise_is_found_again(member) -> None:
    time = 2 * np.pi * np.arange(WEEKS + 52) / WEEKS_PER_YEAR
    season = np.cos(time)[None, :] * np.linspace(0.2, 1.0, 6)[:, None]
    found = member(season[:, :WEEKS], 52)
    assert np.abs(found - season[:, WEEKS:]).mean() < 0.08 * np.abs(season).mean()


@pytest.mark.parametrize("member", [past_years, harmonic_regression])
def test_constant_series_stay_constant_and_a_shift_shifts(member) -> None:
    assert member(np.full((3, 120), 0.7), 60) == pytest.approx(np.full((3, 60), 0.7))
    z = np.log(made(5))
    assert member(z + 3.0, 52) - 3.0 == pytest.approx(member(z, 52), abs=1e-8)


def test_noise_is_not_forecast_as_a_season() -> None:
    noise = np.random.default_rng(4).normal(0, 1, (40, WEEKS))
    assert past_years(noise, 52).std(axis=1).mean() < 0.35 < noise[:, -52:].std(axis=1).mean()


def test_the_ensemble_beats_the_seasonal_naive_forecast() -> None:
    values = made(60, WEEKS + 52, seed=1)
    history, truth = values[:, :WEEKS], values[:, WEEKS:]
    naive = np.abs(history[:, -52:] - truth).mean()
    assert np.abs(in_values(history, 52) - truth).mean() < 0.8 * naive
    few = np.concatenate([in_values(one[None, :], 52) for one in history[:10]])
    assert np.abs(few - truth[:10]).mean() < 0.85 * np.abs(history[:10, -52:] - truth[:10]).mean()


def test_weeks_of_nothing_hardly_move_the_forecast() -> None:
    values = made(20, seed=3)
    broken = values.copy()
    broken[:, [40, 90, 150, WEEKS - 4]] = 0.0
    moved = np.abs(in_values(broken, 52) - in_values(values, 52)).mean()
    assert moved < 0.05 * values.mean()


def test_the_correction_learns_what_all_series_had_in_common() -> None:
    # Every series grows by half a year after year; a forecast that stays level is wrong by the same everywhere.
    rng = np.random.default_rng(2)
    growth = np.exp(0.4 * np.arange(WEEKS + 52) / 52)
    values = growth * (1 + rng.normal(0, 0.02, (40, WEEKS + 52)))

    def level(history: np.ndarray, horizon: int) -> np.ndarray:
        z = PanelScale.of(history).to_scale(history)
        return np.repeat(z[:, -8:].mean(axis=1, keepdims=True), horizon, axis=1)

    history, truth = values[:, :WEEKS], values[:, WEEKS:]
    scale = PanelScale.of(history)
    plain = np.abs(scale.to_values(level(history, 52)) - truth).mean()
    assert np.abs(scale.to_values(corrected(history, 52, level)) - truth).mean() < 0.6 * plain
    few = history[: MIN_SERIES - 1]
    assert np.array_equal(corrected(few, 52, level), level(few, 52))


def test_a_horizon_beyond_a_year_and_one_of_a_week() -> None:
    history = made(15)
    long, short = in_values(history, 120), in_values(history, 1)
    assert long.shape == (15, 120) and np.isfinite(long).all() and (long >= 0).all()
    assert short[:, 0] == pytest.approx(long[:, 0])


def test_origins_are_a_quarter_apart_and_leave_the_horizon() -> None:
    assert panel_origins(156, 52) == [78, 91, 104]
    assert panel_origins(208, 52) == [91, 104, 117, 130, 143, 156]
    assert panel_origins(104, 52) == [78, 91]


def origin(error: float, n: int = 12, spread: float = 0.0) -> list[PanelOrigin]:
    each = error + spread * np.linspace(-1, 1, n)
    truth = np.zeros((n, 4))
    return [PanelOrigin(np.repeat(each[:, None], 4, axis=1), truth, truth + each[:, None], np.ones(n))]


def test_another_model_displaces_the_ensemble_only_by_more_than_chance() -> None:
    assert chosen_model({PANEL_ENSEMBLE: origin(1.0), SEASONAL_NAIVE: origin(0.8)}) == SEASONAL_NAIVE
    # The gain differs so much from series to series that it may be none.
    assert (
        chosen_model({PANEL_ENSEMBLE: origin(1.0), SEASONAL_NAIVE: origin(0.9, spread=0.6)}) == PANEL_ENSEMBLE
    )
    assert chosen_model({PANEL_ENSEMBLE: origin(1.0, 3), SEASONAL_NAIVE: origin(0.1, 3)}) == PANEL_ENSEMBLE


def test_mase_counts_series_that_never_moved_only_if_exact() -> None:
    still = PanelOrigin(
        np.array([[0.0], [1.0], [1.0]]), np.zeros((3, 1)), np.zeros((3, 1)), np.array([0.0, 0.0, 2.0])
    )
    assert panel_mase([still]).tolist() == pytest.approx([0.0, np.nan, 0.5], nan_ok=True)


def test_intervals_cover_an_unseen_year_and_follow_each_series() -> None:
    values = np.concatenate(
        [made(30, WEEKS + 52, seed=5, noise=0.05), made(30, WEEKS + 52, seed=6, noise=0.4)]
    )
    history, truth = values[:, :WEEKS], values[:, WEEKS:]
    past, scale, mean = (
        panel_past(history, 52, panel_forecast),
        PanelScale.of(history),
        panel_forecast(history, 52),
    )
    widths = {level: panel_widths(past, 52, level) for level in (0.8, 0.95)}
    for level, width in widths.items():
        inside = (truth >= scale.to_values(mean - width)) & (truth <= scale.to_values(mean + width))
        assert level - 0.1 < inside.mean() < level + 0.1
    assert (widths[0.95] >= widths[0.8]).all() and (np.diff(widths[0.8], axis=1) >= 0).all()
    assert widths[0.8][:30].mean() < 0.7 * widths[0.8][30:].mean()


def test_conformal_widths_by_hand() -> None:
    pairs = [(np.zeros(2), np.array([1.0, 2.0])), (np.zeros(2), np.array([3.0, 4.0]))]
    # Four errors, fewer than eight: all of them at each step; rank ceil(5 * 0.5) = 3.
    assert conformal_widths(pairs, 3, 0.5) == pytest.approx([3.0, 3.0, 3.0 * np.sqrt(1.5)])
    assert np.isnan(conformal_widths([], 2, 0.5)).all()


def test_weekly_series_of_different_lengths_come_back_in_their_order() -> None:
    long, short = made(3), made(3, 60, seed=9)
    frame = pd.concat(
        [
            long_form(long[:1], "b"),
            long_form(short, "short"),
            long_form(long[1:], "a"),
            long_form(made(2, 130), "c"),
        ]
    )
    found = forecast(frame, 10)
    assert found["series_id"].unique().tolist() == [
        "b0",
        "short0",
        "short1",
        "short2",
        "a0",
        "a1",
        "c0",
        "c1",
    ]
    assert (found.groupby("series_id").size() == 10).all()
    noted = found[found["note"] != ""]
    assert noted["series_id"].str.startswith("short").all() and len(noted) == 30
    assert noted["note"].str.contains(r"yearly season cannot be known from 60 weeks \(104 needed\)").all()
    of_panel = found[~found["series_id"].str.startswith("short")]
    assert (of_panel["model"] == PANEL_ENSEMBLE).all()
    assert (of_panel["lo"] <= of_panel["mean"]).all() and (of_panel["mean"] <= of_panel["hi"]).all()
    assert found.equals(forecast(frame, 10))


def test_zeros_negative_values_and_bounds_in_a_panel() -> None:
    values = np.stack([np.zeros(156), made(1, 156)[0] * 80, np.sin(np.arange(156.0)), np.ones(156)])
    found = forecast(long_form(values), 52)
    by_id = dict(iter(found.groupby("series_id")))
    assert (by_id["s0"][["mean", "lo", "hi"]].to_numpy() == 0).all()
    assert by_id["s3"][["mean", "lo", "hi"]].to_numpy() == pytest.approx(np.ones((52, 3)), abs=1e-6)
    assert by_id["s2"]["lo"].min() < 0 <= by_id["s1"]["lo"].min()
    shares = np.stack([np.zeros(156), (1 + np.sin(np.arange(156.0))) / 2, np.ones(156)])
    clipped = forecast(long_form(shares), 52, bounds=(0.0, 1.0))
    assert clipped[["mean", "lo", "hi"]].to_numpy().min() >= 0 and clipped["hi"].max() <= 1


def test_thorough_tries_the_models_of_statsforecast() -> None:
    figures = backtest(long_form(made(1, 108)), 13, thorough=True)
    assert set(figures["model"]) == {PANEL_ENSEMBLE, SEASONAL_NAIVE, *model_names(52)}
    assert figures[["mase", "smape", "coverage"]].notna().all().all()
    months = pd.DataFrame(
        {
            "series_id": "m",
            "month": pd.date_range("2020-01-01", periods=28, freq="MS").strftime("%Y-%m"),
            "value": 10 + np.sin(np.arange(28) / 6 * np.pi),
        }
    )
    tried = set(backtest(months, 2, thorough=True)["model"])
    assert {"AutoETS", "AutoARIMA", "AutoTheta"} <= tried
    assert tried - {"AutoETS", "AutoARIMA", "AutoTheta"} == set(backtest(months, 2)["model"])


def test_many_small_panels_are_too_many_for_statsforecast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "MAX_SERIES", 1)
    frame = pd.concat([long_form(made(1, 108), "a"), long_form(made(1, 110), "b")])
    assert set(backtest(frame, 13, thorough=True)["model"]) == {PANEL_ENSEMBLE, SEASONAL_NAIVE}


def test_statsforecast_looks_at_twenty_seasons() -> None:
    y = 10 + np.sin(np.arange(210.0)) + np.random.default_rng(2).normal(0, 0.2, 210)
    changed = np.concatenate([y[:70] + 50, y[70:]])
    recent = statistical_forecast("AutoETS", y, 7, 7)
    assert recent.tolist() == statistical_forecast("AutoETS", changed, 7, 7).tolist()
    assert recent.tolist() != statistical_forecast("AutoETS", y[:-1], 7, 7).tolist()


def test_what_cannot_be_fitted_is_the_seasonal_naive_forecast() -> None:
    y = np.arange(30.0)
    y[3] = np.nan
    assert statistical_forecast("AutoETS", y, 3, 12).tolist() == [18.0, 19.0, 20.0]
