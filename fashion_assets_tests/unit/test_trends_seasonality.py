"""Strength of trend and season: 0 for noise, near 1 for the thing itself, unknown where too short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.trends.seasonality import MIN_SEASONAL_MONTHS, MIN_TREND_MONTHS, strengths


def yearly(months: int) -> np.ndarray:
    return np.arange(months) % 12


def test_noise_has_neither_and_each_is_known_by_itself() -> None:
    draw = np.random.default_rng(7)
    noise = draw.normal(size=(200, 36))
    both = strengths(noise, yearly(36))
    assert np.mean(both.seasonal) < 0.1 and np.mean(both.trend) < 0.1
    wave = 5 * np.cos(2 * np.pi * yearly(36) / 12)
    season, trend = strengths(noise + wave, yearly(36)), strengths(noise + 0.4 * np.arange(36), yearly(36))
    assert season.seasonal.min() > 0.8 and np.mean(season.trend) < 0.1
    assert trend.trend.min() > 0.8 and np.mean(trend.seasonal) < 0.1


def test_a_season_alone_is_all_season_and_a_flat_series_nothing() -> None:
    both = strengths(np.stack([np.sin(yearly(24)), np.full(24, 0.3), np.linspace(0, 1, 24)]), yearly(24))
    assert both.seasonal.round(6).tolist() == [1.0, 0.0, 0.0]
    assert both.trend.round(6).tolist() == [0.0, 0.0, 1.0]


def test_under_two_years_the_season_is_unknown_and_under_half_a_year_the_trend() -> None:
    short = strengths(np.random.default_rng(0).normal(size=(3, MIN_SEASONAL_MONTHS - 1)), yearly(23))
    assert np.isnan(short.seasonal).all() and np.isfinite(short.trend).all()
    shorter = strengths(np.ones((3, MIN_TREND_MONTHS - 1)), yearly(5))
    assert np.isnan(shorter.seasonal).all() and np.isnan(shorter.trend).all()
    # 24 months in which one month of the year was seen once: its season cannot be told from its noise.
    seen = np.r_[np.arange(11), np.arange(11), 11, 0]
    assert np.isnan(strengths(np.random.default_rng(0).normal(size=(1, 24)), seen).seasonal).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_an_exact_parabola_is_trend_alone_in_every_unit(scale: float) -> None:
    both = strengths(scale * np.linspace(0, 1, 30)[None] ** 2, yearly(30))
    assert both.trend.round(9).tolist() == [1.0] and both.seasonal.tolist() == [0.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=40), st.floats(0.01, 100), st.floats(-100, 100))
def test_unit_and_level_do_not_matter(values: list[float], scale: float, level: float) -> None:
    y = np.round(np.array(values), 3)[None]
    plain, moved = strengths(y, yearly(y.shape[1])), strengths(scale * y + level, yearly(y.shape[1]))
    for a, b in ((plain.trend, moved.trend), (plain.seasonal, moved.seasonal)):
        if np.isfinite(a).all() and y.std() > 0.1:
            assert 0 <= a[0] <= 1
            np.testing.assert_allclose(a, b, atol=1e-4)
