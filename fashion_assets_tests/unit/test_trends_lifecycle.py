"""Life-cycle stages: each stage from a series made to be in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.months import shift_month
from fashion_assets.trends.lifecycle import STAGES, life_cycle, seasonal_strength


def series(shares: list[float], posts: int = 1000) -> pd.DataFrame:
    months = [shift_month("2023-01", step) for step in range(len(shares))]
    return pd.DataFrame({"series_id": "style:1", "month": months, "month_posts": posts, "share": shares})


@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        ([0.1, 0.1, 0.1], "too short"),
        ([0.0] * 8 + [0.02, 0.04, 0.05], "emerging"),
        ([0.05] * 6 + [0.05, 0.06, 0.08, 0.10, 0.14, 0.18], "rising"),
        ([0.15] * 6 + [0.15, 0.14, 0.12, 0.08, 0.05, 0.03], "fading"),
        ([0.02] * 3 + [0.3] * 3 + [0.05] * 6, "fading"),
        ([0.02] * 6 + [0.20] * 6, "peak"),
        ([0.10, 0.11, 0.09, 0.10, 0.10, 0.11, 0.10, 0.09], "steady"),
        ([0.0] * 8, "steady"),
        ([0.1 + 0.08 * np.cos(2 * np.pi * step / 12) for step in range(30)], "seasonal"),
    ],
)
def test_every_stage_is_recognised(shares: list[float], stage: str) -> None:
    found = life_cycle(series(shares)).iloc[0]
    assert found["stage"] == stage, found["evidence"]
    assert found["evidence"].endswith(".")


def test_the_same_shares_of_few_posts_are_no_evidence() -> None:
    rising = [0.05] * 6 + [0.05, 0.06, 0.08, 0.10, 0.14, 0.18]
    assert life_cycle(series(rising, posts=20)).iloc[0]["stage"] == "steady"


def test_months_without_posts_are_passed_over() -> None:
    frame = series([0.1] * 6)
    frame.loc[2:, "month_posts"] = 0
    frame.loc[2:, "share"] = np.nan
    found = life_cycle(frame).iloc[0]
    assert found["stage"] == "too short" and found["evidence"].startswith("2 months")


def test_the_order_of_rows_does_not_matter() -> None:
    frame = series([0.02] * 6 + [0.2] * 6)
    assert life_cycle(frame.sample(frac=1, random_state=3)).equals(life_cycle(frame))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 5000))
def test_every_series_has_a_stage_and_a_sentence(shares: list[float], posts: int) -> None:
    found = life_cycle(series(shares, posts))
    assert len(found) == 1 and found["stage"][0] in STAGES and found["evidence"][0]


def test_noise_is_hardly_seasonal_and_a_season_fully() -> None:
    rng = np.random.default_rng(7)
    position = np.arange(36) % 12
    strengths = [seasonal_strength(rng.normal(size=36), position) for _ in range(50)]
    assert np.mean(strengths) < 0.25
    assert seasonal_strength(np.sin(position / 12 * 2 * np.pi), position) > 0.95
    assert seasonal_strength(np.ones(36), position) == 0.0
