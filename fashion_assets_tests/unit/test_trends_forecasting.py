"""Forecasts: made series whose future is known, short ones, broken ones, and the public weekly series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.trends.forecast_models import (
    PLAIN_MODELS,
    SEASONAL_MODELS,
    damped_trend,
    drift,
    exponential_smoothing,
    seasonal_figure,
    seasonal_naive,
    theta,
)
from fashion_assets.trends.forecasting import backtest, forecast
from fashion_assets.trends.time_axis import read_series


def monthly(
    values: list[float] | np.ndarray, series_id: str = "a", start: str = "2020-01-01"
) -> pd.DataFrame:
    dates = pd.date_range(start, periods=len(values), freq="MS")
    return pd.DataFrame({"series_id": series_id, "month": dates.strftime("%Y-%m"), "value": values})


def test_a_constant_series_stays_constant_with_no_width() -> None:
    found = forecast(monthly([0.3] * 12), 6)
    assert found["mean"].tolist() == pytest.approx([0.3] * 6)
    assert (found["hi"] - found["lo"]).max() == pytest.approx(0.0)
    assert found["date"].tolist() == pd.date_range("2021-01-01", periods=6, freq="MS").tolist()
    figures = backtest(monthly([0.3] * 12), 6)
    assert (figures[figures["chosen"]]["mase"] == 0).all()


def test_a_straight_line_is_prolonged() -> None:
    found = forecast(monthly(np.arange(20.0)), 5)
    assert found["mean"].tolist() == pytest.approx([20, 21, 22, 23, 24])
    assert set(found["model"]) == {"drift"}


def test_a_season_of_three_years_is_repeated() -> None:
    y = 10 + 5 * np.sin(np.arange(36) / 12 * 2 * np.pi)
    found = forecast(monthly(y), 12)
    assert found["mean"].to_numpy() == pytest.approx(y[:12], abs=0.6)
    assert found["model"].iloc[0].startswith("seasonal")
    assert (found["note"] == "").all()


def test_a_rising_season_keeps_rising() -> None:
    t = np.arange(60)
    truth = 20 + 0.5 * np.arange(60, 72) + 5 * np.sin(np.arange(60, 72) / 12 * 2 * np.pi)
    y = 20 + 0.5 * t + 5 * np.sin(t / 12 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.3, 60)
    found = forecast(monthly(y), 12)
    assert np.abs(found["mean"].to_numpy() - truth).mean() < 2.0


def test_under_two_seasons_it_says_that_the_year_cannot_be_known() -> None:
    found = forecast(monthly(np.sin(np.arange(18) / 12 * 2 * np.pi)), 3)
    assert "yearly season cannot be known from 18 months (28 needed)" in found["note"].iloc[0]
    assert set(backtest(monthly(np.arange(18.0)), 3)["model"]) == {*PLAIN_MODELS, "ensemble"}
    assert set(backtest(monthly(np.arange(30.0)), 3)["model"]) == {
        *PLAIN_MODELS,
        *SEASONAL_MODELS,
        "ensemble",
    }


def test_zero_months_and_shares_stay_in_bounds() -> None:
    y = [0.0, 0.0, 0.5, 0.0, 0.0, 0.9, 0.0, 0.02, 0.0, 0.6]
    found = forecast(monthly(y), 8, bounds=(0.0, 1.0))
    assert found[["mean", "lo", "hi"]].to_numpy().min() >= 0.0
    assert found[["mean", "lo", "hi"]].to_numpy().max() <= 1.0
    assert (found["lo"] <= found["mean"]).all() and (found["mean"] <= found["hi"]).all()
    zeros = forecast(monthly([0.0] * 7), 2)
    assert zeros["mean"].tolist() == [0.0, 0.0]


def test_percent_where_shares_are_expected_are_refused() -> None:
    both = pd.concat([monthly([0.1] * 6), monthly([0.1, 12.5, 11.0, 12.0], "b")])
    with pytest.raises(
        UserError, match=r"series b is 12\.5 on 2020-02-01, which is outside 0 to 1; .*percent"
    ):
        forecast(both, 2, bounds=(0.0, 1.0))


def test_a_single_value_has_a_forecast_but_no_interval() -> None:
    found = forecast(monthly([0.2]), 2)
    assert found["mean"].tolist() == [0.2, 0.2]
    assert found[["lo", "hi"]].isna().all().all()
    assert "too short for a backtest (1 months)" in found["note"].iloc[0]


def test_intervals_never_narrow_and_cover_noise() -> None:
    rng = np.random.default_rng(3)
    history = pd.concat([monthly(rng.normal(0, 1, 60), f"s{i}") for i in range(30)])
    found = forecast(history, 12)
    width = (found["hi"] - found["lo"]).to_numpy().reshape(30, 12)
    assert (np.diff(width, axis=1) >= -1e-12).all()
    truth = rng.normal(0, 1, 360)
    covered = ((truth >= found["lo"]) & (truth <= found["hi"])).mean()
    assert 0.7 <= covered <= 0.95
    chosen = backtest(history, 12).query("chosen")
    assert len(chosen) == 30 and 0.65 <= chosen["coverage"].mean() <= 0.97


def test_series_are_forecast_apart_from_each_other() -> None:
    both = pd.concat([monthly([1.0, 2, 3, 4, 5, 6], "a"), monthly([9.0] * 6, "b")])
    found = forecast(both, 2)
    alone = forecast(monthly([9.0] * 6, "b"), 2)
    assert found[found["series_id"] == "b"].reset_index(drop=True).equals(alone)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=40), st.integers(1, 15))
def test_any_history_gives_finite_means_and_ordered_intervals(values: list[float], horizon: int) -> None:
    found = forecast(monthly(values), horizon)
    assert len(found) == horizon and np.isfinite(found["mean"]).all()
    known = found.dropna(subset=["lo"])
    assert (known["lo"] <= known["mean"] + 1e-9).all() and (known["mean"] <= known["hi"] + 1e-9).all()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0, 100), min_size=6, max_size=30), st.floats(-50, 50))
def test_shifting_the_history_shifts_the_smoothing_models(values: list[float], shift: float) -> None:
    y = np.array(values)
    for model in (drift, exponential_smoothing, seasonal_naive):
        moved = model(y + shift, 4, 6)
        assert moved - shift == pytest.approx(model(y, 4, 6), abs=1e-6)


def test_models_on_hand_made_histories() -> None:
    assert seasonal_naive(np.array([1.0, 2, 3, 4, 5, 6]), 4, 3).tolist() == [4, 5, 6, 4]
    assert drift(np.array([1.0, 5.0, 3.0]), 2, 12).tolist() == [4.0, 5.0]
    line = np.arange(30.0)
    damped = damped_trend(line, 3, 12)
    assert 29 < damped[0] < damped[1] < damped[2] < 33
    assert theta(line, 2, 12)[1] > theta(line, 2, 12)[0]
    figure = seasonal_figure(np.tile([1.0, -1.0, 0.0, 0.0], 5), 4)
    assert figure == pytest.approx([1, -1, 0, 0], abs=1e-9)


def test_weekly_dates_and_gaps() -> None:
    dates = pd.date_range("2024-01-02", periods=10, freq="7D")
    frame = pd.DataFrame(
        {"series_id": "w", "date": dates.strftime("%Y-%m-%d"), "value": np.arange(10.0)}
    ).drop(index=[4, 5])
    series = read_series(frame)[0]
    assert series.freq == "W" and series.filled == 2
    assert series.values.tolist() == pytest.approx(list(range(10)))
    found = forecast(frame, 2)
    assert found["date"].tolist() == [dates[-1] + pd.Timedelta(days=7), dates[-1] + pd.Timedelta(days=14)]
    assert "2 missing weeks filled" in found["note"].iloc[0]


def dated(series_id: str, start: str, step: str, count: int) -> pd.DataFrame:
    dates = pd.date_range(start, periods=count, freq=step).strftime("%Y-%m-%d")
    return pd.DataFrame({"series_id": series_id, "date": dates, "value": np.arange(count) % 7 + 1.0})


def test_each_series_has_the_frequency_of_its_own_dates() -> None:
    weeks = [dated(f"w{day}", f"2024-01-0{day}", "7D", 20) for day in (1, 2, 3, 5)]
    others = [dated("m", "2022-01-01", "MS", 30), dated("d", "2024-01-01", "2D", 20)]
    rare = [dated("14", "2024-01-01", "14D", 10), dated("two", "2024-01-01", "35D", 2)]
    found = {one.series_id: one for one in read_series(pd.concat([*weeks, *others, *rare]))}
    assert {name: one.freq for name, one in found.items()} == {
        **dict.fromkeys(["w1", "w2", "w3", "w5", "14", "two"], "W"),  # of two dates the file decides
        "m": "M",
        "d": "D",
    }
    assert [found[name].filled for name in ("w1", "w5", "m", "14", "two")] == [0, 0, 0, 9, 4]
    assert forecast(pd.concat([weeks[1], others[0]]), 1)["date"].tolist() == [
        pd.Timestamp("2024-05-21"),
        pd.Timestamp("2024-07-01"),
    ]


def test_what_was_never_below_zero_is_not_forecast_below_it() -> None:
    fall = np.maximum(100 - 3.2 * np.arange(36), 0.5)
    found = forecast(monthly(fall), 24)
    assert found["mean"].iloc[0] < 3 and (found[["mean", "lo", "hi"]] >= 0).all().all()
    below = forecast(monthly(fall - 50), 24)
    assert below["mean"].max() < -40


def test_of_days_it_says_that_no_year_is_looked_for() -> None:
    days = forecast(dated("d", "2023-01-01", "D", 800), 7)
    assert days["note"].unique().tolist() == [
        "a yearly season is not looked for in days; sum them up to weeks for one"
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.drop(columns="value"), "value is missing"),
        (lambda f: f.assign(month="01/02/2024"), "'01/02/2024' is no date; write 2024-01-31 or 2024-01"),
        (lambda f: f.drop(columns="month"), "date is missing"),
        (lambda f: f.assign(month=["2024-01", "soon", "2024-03"]), "row 2, column month: 'soon' is no date"),
        (lambda f: f.assign(value=["1", "many", "3"]), "row 2, column value: 'many' is no number"),
        (lambda f: f.assign(month="2024-01"), "two values for the month of 2024-01"),
        (lambda f: f.assign(value=[None, None, None]), "holds no value"),
    ],
)
def test_broken_series_get_a_sentence(change: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        forecast(change(monthly([1.0, 2.0, 3.0])), 2)  # type: ignore[operator]


def test_a_horizon_of_zero_and_an_unknown_frequency_get_a_sentence() -> None:
    with pytest.raises(UserError, match="at least 1 step"):
        forecast(monthly([1.0, 2.0]), 0)
    with pytest.raises(UserError, match="frequency 'Q'"):
        forecast(monthly([1.0, 2.0]), 1, "Q")


def test_missing_values_at_the_ends_are_cut_off() -> None:
    found = forecast(monthly([np.nan, 2.0, 2.0, 2.0, np.nan]), 1)
    assert found["date"][0] == pd.Timestamp("2020-05-01") and found["mean"][0] == pytest.approx(2.0)


@pytest.mark.real_data
def test_the_chosen_model_beats_the_seasonal_naive_one_on_public_weekly_series(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "trends" / "google_trends.csv")
    frame = frame.rename(columns={"trend_id": "series_id", "week": "date", "raw_signal": "value"})
    frame = frame[frame["series_id"].isin(frame["series_id"].unique()[:12])]
    held_out = frame.groupby("series_id").tail(52)
    history = frame.drop(index=held_out.index)
    found = forecast(history, 52)
    truth = held_out["value"].to_numpy(float)
    naive = np.concatenate(
        [group["value"].to_numpy(float)[-52:] for _, group in history.groupby("series_id", sort=False)]
    )
    assert np.abs(found["mean"] - truth).mean() < np.abs(naive - truth).mean()
    assert 0.6 <= ((truth >= found["lo"]) & (truth <= found["hi"])).mean() <= 0.98
    figures = backtest(history, 52).query("chosen")
    assert figures["mase"].notna().mean() > 0.9 and (figures["n_origins"] == 6).all()


def test_an_interval_needs_four_past_errors_and_says_so() -> None:
    for n, told in (
        (4, "it has 1 past error, and 4 are needed"),
        (5, "it has 3 past errors, and 4 are needed"),
    ):
        found = forecast(monthly([0.24, 0.2, 0.22, 0.22, 0.25][:n]), 3)
        assert found[["lo", "hi"]].isna().all().all() and found["mean"].notna().all()
        assert told in found["note"].iloc[0]
        assert backtest(monthly([0.24, 0.2, 0.22, 0.22, 0.25][:n]), 3)["coverage"].isna().all()
    enough = forecast(monthly([0.24, 0.2, 0.22, 0.22, 0.25, 0.21]), 3)
    assert enough[["lo", "hi"]].notna().all().all() and "past error" not in enough["note"].iloc[0]


def test_a_season_is_looked_for_once_there_is_enough_to_try_it_on() -> None:
    """A history a step longer than two seasons had an interval of one past error."""
    history = (10 + np.tile(np.arange(12.0), 3) + np.random.default_rng(1).random(36)).tolist()
    for n in range(20, 33):
        for horizon in (1, 3, 12):
            found = forecast(monthly(history[:n]), horizon)
            assert found[["lo", "hi"]].notna().all().all(), (n, horizon)
            assert ("(28 needed)" in found["note"].iloc[0]) == (n < 28)


def test_an_interval_that_cannot_hold_its_level_says_what_it_holds() -> None:
    history = monthly(np.random.default_rng(0).random(12).tolist())
    note = forecast(history, 1, level=0.95)["note"].iloc[0]
    assert "the interval is the largest of 6 past errors: it holds at most 86%, not 95%" in note
    assert "largest of" not in forecast(history, 1, level=0.8)["note"].iloc[0]
