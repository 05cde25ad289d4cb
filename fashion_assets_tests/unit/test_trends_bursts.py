"""Bursts of keywords: against the paper's costs by hand and by trying every sequence of states, and planted ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.reports.charts import burst_chart_png
from fashion_assets.trends.keyword_bursts import burst_gain, find_bursts, list_bursts
from fashion_assets.trends.series import keyword_series
from fashion_assets_tests.unit.keyword_posts import Post, counted

Counts = list[tuple[int, int]]
COUNTS = st.lists(
    st.integers(0, 60).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))),
    min_size=1,
    max_size=8,
)


def published_cost(r: int, d: int, rate: float) -> float:
    """-ln [C(d, r) p^r (1 - p)^(d - r)] (Kleinberg 2002, section 4)."""
    return -(math.log(math.comb(d, r)) + r * math.log(rate) + (d - r) * math.log(1 - rate))


def cost_of(states: tuple[int, ...], months: Counts, rates: tuple[float, float]) -> float:
    entry = math.log(max(sum(d > 0 for _, d in months), 1))
    entries = sum(after > before for before, after in itertools.pairwise((0, *states)))
    return entry * entries + sum(
        published_cost(r, d, rates[state]) for state, (r, d) in zip(states, months, strict=True)
    )


def bursts_of(months: Counts) -> tuple[list[int], list[float]]:
    level, weight = find_bursts([[r for r, _ in months]], [d for _, d in months])
    return level[0].tolist(), weight[0].tolist()


@given(COUNTS)
def test_no_sequence_of_states_is_cheaper_than_the_one_found(months: Counts) -> None:
    level, weight = bursts_of(months)
    named, total = sum(r for r, _ in months), sum(d for _, d in months)
    if named in (0, total):
        assert not any(level) and not any(weight)
        return
    base = named / total
    rates = (base, min(2 * base, (1 + base) / 2))
    best = min(cost_of(states, months, rates) for states in itertools.product((0, 1), repeat=len(months)))
    assert cost_of(tuple(level), months, rates) == pytest.approx(best, abs=1e-9)
    for _, places in itertools.groupby(range(len(months)), key=lambda place: level[place]):
        run = list(places)
        gains = [published_cost(*months[i], rates[0]) - published_cost(*months[i], rates[1]) for i in run]
        expected = sum(gains) if level[run[0]] else 0.0
        assert [weight[i] for i in run] == pytest.approx([expected] * len(run), abs=1e-9)


def test_the_weight_by_hand() -> None:
    # 40 of 400: a base rate of 0.1 and a burst rate of 0.2.
    months = [(5, 100), (5, 100), (25, 100), (5, 100)]
    gain = 25 * math.log(2) + 75 * math.log(0.8 / 0.9)
    assert burst_gain([[r for r, _ in months]], [100] * 4)[0, 2] == pytest.approx(gain)
    assert gain > math.log(4)
    assert bursts_of(months) == ([0, 0, 1, 0], pytest.approx([0, 0, gain, 0]))


def test_a_planted_burst_is_found_and_a_constant_word_has_none() -> None:
    rng = np.random.default_rng(5)
    usual = rng.binomial(2000, 0.01, size=(200, 24))
    planted = usual.copy()
    planted[:, 10:13] = rng.binomial(2000, 0.05, size=(200, 3))
    level, weight = find_bursts(planted, np.full(24, 2000))
    assert level[:, 10:13].all() and level[:, :10].mean() < 0.001 and level[:, 13:].mean() < 0.001
    # A price of one ln n lets a few months of pure chance through; their weight tells them from a real burst.
    by_chance, chance_weight = find_bursts(usual, np.full(24, 2000))
    assert by_chance.mean() < 0.01
    assert chance_weight.max() < weight[:, 11].min() / 5
    constant, weight = find_bursts(np.full((1, 24), 20), np.full(24, 2000))
    assert not constant.any() and not weight.any()


def test_a_month_without_posts_neither_begins_nor_ends_a_burst() -> None:
    quiet, loud, empty = (1, 100), (20, 100), (0, 0)
    level, weight = bursts_of([empty, quiet, quiet, empty, loud, empty, loud, empty, quiet, quiet, empty])
    assert level == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert len({round(value, 9) for value in weight[4:7]}) == 1


def test_words_in_every_post_in_most_and_in_none() -> None:
    level, weight = find_bursts([[50, 50, 50], [0, 0, 0], [20, 20, 50]], [50, 50, 50])
    assert level.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]] and np.isfinite(weight).all()
    assert find_bursts(np.empty((0, 3)), [1, 1, 1])[0].shape == (0, 3)
    assert not find_bursts([[0, 0]], [0, 0])[0].any()


@given(st.lists(COUNTS.filter(lambda months: len(months) > 1), min_size=1, max_size=1), st.integers(2, 9))
def test_words_do_not_disturb_each_other(found: list[Counts], others: int) -> None:
    months = found[0]
    counts, totals = [r for r, _ in months], [d for _, d in months]
    noise = np.random.default_rng(others).binomial(totals, 0.3, size=(others, len(totals)))
    together = find_bursts(np.vstack([noise, counts]), totals)
    alone = find_bursts([counts], totals)
    assert together[0][-1].tolist() == alone[0][0].tolist()
    assert together[1][-1] == pytest.approx(alone[1][0])


def test_the_list_of_bursts_has_one_row_each_the_heaviest_first() -> None:
    months = [f"2024-{month:02d}" for month in range(1, 13)]
    hat, scarf, coat = ("贝雷帽", "accessory"), ("围巾", "accessory"), ("外套", "garment")
    named = {hat: {3: 30, 4: 40}, scarf: {0: 25, 11: 20}, coat: {}}
    posts = [
        Post(month, [word for word, loud in named.items() if i < loud.get(place, 2)])
        for place, month in enumerate(months)
        for i in range(100)
    ]
    series = keyword_series(counted(posts, months))
    found = list_bursts(series)
    assert found[["keyword", "first", "last", "peak", "posts"]].to_numpy().tolist() == [
        ["贝雷帽", "2024-04", "2024-05", "2024-05", 70],
        ["围巾", "2024-01", "2024-01", "2024-01", 25],
        ["围巾", "2024-12", "2024-12", "2024-12", 20],
    ]
    assert found["weight"].is_monotonic_decreasing
    assert list_bursts(series[series["keyword"] == "外套"]).empty


def test_the_chart_shows_bursts_that_end_in_the_newest_month_and_says_if_there_are_none() -> None:
    months = ["2024-01", "2024-02", "2024-04"]
    bursts = pd.DataFrame(
        [("贝雷帽", "2024-01", "2024-04", 12.0), ("$ 围巾", "2024-02", "2024-02", 4.0)] * 10,
        columns=["keyword", "first", "last", "weight"],
    )
    drawn = [burst_chart_png(rows, months) for rows in (bursts, bursts[:1], bursts[:0])]
    assert all(png.startswith(b"\x89PNG") for png in drawn) and len(set(drawn)) == 3
