"""Change points: the cheapest cut of all, none in noise, and what is said of each."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.trends.change_points import (
    MIN_STRETCH,
    PENALTY,
    _without_odd_months,
    change_points,
    change_table,
    list_changes,
)
from fashion_assets.trends.dispersion import overdispersion
from fashion_assets.trends.tables import style_trends

MONTHS = [f"2023-{month:02d}" for month in range(1, 11)]


def brute_force(hits: np.ndarray, posts: np.ndarray, dispersion: float) -> float:
    """The smallest cost over every way to cut one series."""
    months = len(hits)

    def deviance(start: int, end: int) -> float:
        x, n = hits[start:end].sum(), posts[start:end].sum()
        return -2 * sum(count * np.log(count / n) for count in (x, n - x) if count)

    costs = []
    for n_cuts in range(months // MIN_STRETCH):
        for cuts in combinations(range(MIN_STRETCH, months - MIN_STRETCH + 1), n_cuts):
            ends = [0, *cuts, months]
            if min(np.diff(ends)) >= MIN_STRETCH:
                fit = sum(deviance(a, b) for a, b in pairwise(ends))
                costs.append(fit / dispersion + PENALTY * np.log(months) * n_cuts)
    return min(costs)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(60, 90)), min_size=4, max_size=9))
def test_no_other_cut_is_cheaper(pairs: list[tuple[int, int]]) -> None:
    hits, posts = np.array(pairs, dtype=float).T
    # Odd months are moved before the search.
    dispersion = float(overdispersion(hits[None], posts[None])[0])
    seen = _without_odd_months(hits[None], posts[None], np.array([dispersion]))[0]
    cuts = np.flatnonzero(change_points(hits[None], posts[None])[0])
    ends = [0, *cuts, len(hits)]
    assert min(np.diff(ends)) >= MIN_STRETCH
    cost = PENALTY * np.log(len(hits)) * len(cuts)
    for a, b in pairwise(ends):
        x, n = seen[a:b].sum(), posts[a:b].sum()
        cost += -2 * sum(count * np.log(count / n) for count in (x, n - x) if count) / dispersion
    assert cost == pytest.approx(brute_force(seen, posts, dispersion))


@pytest.mark.parametrize("months", [10, 24])
def test_flat_noise_has_a_change_point_in_at_most_one_series_of_twenty(months: int) -> None:
    draw = np.random.default_rng(3)
    posts = np.full((2000, months), 800.0)
    assert change_points(draw.binomial(800, 0.05, posts.shape), posts).any(axis=1).mean() <= 0.05


def test_posts_in_batches_are_no_change_either() -> None:
    draw = np.random.default_rng(4)
    posts = np.full((2000, 18), 800.0)
    # Beta-binomial with about four times the binomial variance.
    hits = draw.binomial(800, draw.beta(0.05 * 265, 0.95 * 265, posts.shape))
    assert 2.5 < np.median(overdispersion(hits, posts)) < 5.5
    assert change_points(hits, posts).any(axis=1).mean() <= 0.05


def test_neither_a_level_nor_a_ramp_is_dispersion() -> None:
    posts = np.full((2, 12), 2000.0)
    ramp = np.stack([np.linspace(0.02, 0.3, 12), np.r_[np.full(6, 0.05), np.full(6, 0.4)]])
    assert overdispersion(np.round(ramp * posts), posts).tolist() == [1.0, 1.0]
    assert overdispersion(np.ones((3, 2)), np.full((3, 2), 9.0)).tolist() == [1.0] * 3


def test_a_change_has_its_month_shares_and_interval() -> None:
    posts = np.full((2, 10), 500.0)
    hits = np.array([[25.0] * 6 + [75.0] * 4, [40.0] * 10])
    table = change_table(hits, posts)
    assert np.argwhere(np.isfinite(table["change"])).tolist() == [[0, 6]]
    before, after, change = (table[name][0, 6] for name in ("change_before", "change_after", "change"))
    assert (before, after, change) == pytest.approx((0.05, 0.15, 0.10))
    # Newcombe 1998, method 10, by hand.
    (l1, u1), (l2, u2) = (
        [float(end) for end in wilson_interval(x, n)] for x, n in ((150, 3000), (300, 2000))
    )
    assert table["change_low"][0, 6] == pytest.approx(0.10 - np.hypot(0.15 - l2, u1 - 0.05))
    assert table["change_high"][0, 6] == pytest.approx(0.10 + np.hypot(u2 - 0.15, 0.05 - l1))


def test_one_odd_month_and_the_newest_month_alone_are_no_change() -> None:
    posts = np.full((2, 10), 500.0)
    hits = np.full((2, 10), 25.0)
    hits[0, 4], hits[1, 9] = 70.0, 70.0
    assert not change_points(hits, posts).any()
    hits[1, 8] = 70.0
    assert np.argwhere(change_points(hits, posts)).tolist() == [[1, 8]]
    assert not change_points(hits[:, :3], posts[:, :3]).any()


def test_the_surest_change_comes_first_in_the_table_of_a_trend() -> None:
    rows = [
        (month, style, f"s{style}", count)
        for style, level in enumerate(([60] * 5 + [20] * 5, [40] * 5 + [80] * 5, [200] * 10))
        for month, count in zip(MONTHS, level, strict=True)
    ]
    table = style_trends(pd.DataFrame(rows, columns=["month", "style_id", "name", "n_posts"]), MONTHS)
    found = list_changes(table)
    assert found["series_id"].tolist() == ["style:0", "style:1"]
    assert set(found["month"]) == {"2023-06"}
    assert table.loc[table["kind"] == "forecast", "change"].isna().all()
    assert table["trend_strength"].between(0, 1).all() and table["seasonal_strength"].isna().all()
