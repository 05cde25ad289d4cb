"""Life-cycle stages: each stage from a series made to be in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.months import shift_month
from fashion_assets.trends.lifecycle import STAGES, life_cycle


def series(shares: list[float], posts: int = 1000) -> pd.DataFrame:
    months = [shift_month("2023-01", step) for step in range(len(shares))]
    return pd.DataFrame(
        {"series_id": "style:1", "month": months, "month_posts": posts, "share": shares, "complete": True}
    )


@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        ([0.1, 0.1, 0.1], "too short"),
        ([0.0] * 8 + [0.02, 0.04, 0.05], "emerging"),
        ([0.0] * 2 + [0.002] + [0.0] * 5 + [0.02, 0.04, 0.05], "emerging"),
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
    assert found["stage"] == "too short" and found["evidence"].startswith("2 whole months")


def test_a_month_that_is_not_over_is_passed_over() -> None:
    frame = series([0.1] * 9 + [0.0])
    assert life_cycle(frame.iloc[:-1]).equals(life_cycle(frame.assign(complete=[True] * 9 + [False])))
    assert life_cycle(frame.assign(complete=False)).iloc[0]["evidence"].startswith("0 whole months")


def test_a_yearly_wave_under_two_years_is_not_called_seasonal_and_it_says_so() -> None:
    wave = [0.1 + 0.08 * np.cos(2 * np.pi * step / 12) for step in range(24)]
    short, long = life_cycle(series(wave[:23])).iloc[0], life_cycle(series(wave)).iloc[0]
    assert short["stage"] != "seasonal"
    assert short["evidence"].endswith("A yearly season needs 24 months; 23 are known.")
    assert long["stage"] == "seasonal" and "needs" not in long["evidence"]


def test_what_posts_in_batches_do_by_chance_is_no_rise() -> None:
    draw = np.random.default_rng(5)
    # Three times the variance that a thousand independent posts would have.
    shares = draw.beta(0.05 * 330, 0.95 * 330, (400, 12))
    frames = [series(list(each)).assign(series_id=f"s{number}") for number, each in enumerate(shares)]
    stages = life_cycle(pd.concat(frames))["stage"]
    assert (stages == "steady").mean() > 0.88


@pytest.mark.parametrize("posts", [300, 3000])
def test_noise_hardly_changes_the_stage_that_a_series_is_made_for(posts: int) -> None:
    draw = np.random.default_rng(6)
    made = {
        "emerging": [0.0] * 10 + [0.06, 0.06],
        "peak": [0.04] * 6 + [0.12] * 6,
        "rising": [0.04] * 8 + [0.05, 0.07, 0.1, 0.12],
        "fading": [0.12] * 8 + [0.11, 0.08, 0.05, 0.04],
        "steady": [0.05] * 12,
    }
    frames = [
        series(list(draw.binomial(posts, share) / posts), posts).assign(series_id=f"{stage}{number}")
        for stage, share in made.items()
        for number in range(60)
    ]
    found = life_cycle(pd.concat(frames))
    right = found["stage"] == found["series_id"].str.rstrip("0123456789")
    assert right.groupby(found["series_id"].str.rstrip("0123456789")).mean().min() > 0.85


def test_the_order_of_rows_does_not_matter() -> None:
    frame = series([0.02] * 6 + [0.2] * 6)
    assert life_cycle(frame.sample(frac=1, random_state=3)).equals(life_cycle(frame))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 5000))
def test_every_series_has_a_stage_and_a_sentence(shares: list[float], posts: int) -> None:
    found = life_cycle(series(shares, posts))
    assert len(found) == 1 and found["stage"][0] in STAGES and found["evidence"][0]


def test_what_nobody_posts_any_more_is_not_steady() -> None:
    found = life_cycle(series([0.005, 0.0, 0.0, 0.0, 0.0, 0.0], posts=200)).iloc[0]
    assert found["stage"] == "fading"
    assert found["evidence"].startswith("No post in the last 4 months; 1 post in the 2 months before those.")
