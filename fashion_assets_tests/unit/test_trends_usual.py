"""Limits from a history hold by chance, and break where a month is not like those before it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.trends.usual import missing_days, rate_against_history, volume_against_history

START, END = date(2024, 5, 1), date(2024, 5, 31)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(500, 5_000)), min_size=3, max_size=24))
def test_the_limit_lies_above_the_usual_rate(history: list[tuple[int, int]]) -> None:
    judged = rate_against_history(1, 1_000, history)
    assert judged.usual is not None and judged.limit is not None
    assert 0 < judged.usual < 1 and judged.limit >= judged.usual + 0.02


def test_too_few_months_set_no_limit() -> None:
    assert rate_against_history(900, 1_000, [(1, 1_000)] * 2).limit is None
    assert not rate_against_history(900, 1_000, [(1, 1_000)] * 2).high
    assert volume_against_history(1, [100, 100]).usual is None


def test_chance_alone_stays_under_the_limit_and_a_tripled_rate_does_not() -> None:
    rng = np.random.default_rng(4)
    drawn = rng.binomial(300, 0.03, size=(1_000, 7))
    high = [rate_against_history(int(row[0]), 300, [(int(x), 300) for x in row[1:]]).high for row in drawn]
    assert sum(high) <= 2
    assert rate_against_history(40, 300, [(9, 300)] * 6).high


def test_months_that_differ_by_themselves_widen_the_limit() -> None:
    calm = rate_against_history(10, 1_000, [(30, 1_000)] * 6).limit
    restless = rate_against_history(10, 1_000, [(5, 1_000), (55, 1_000)] * 3).limit
    assert calm is not None and restless is not None and restless > calm


def test_a_small_rise_of_a_huge_month_is_not_worth_a_look() -> None:
    assert not rate_against_history(11_000, 1_000_000, [(10_000, 1_000_000)] * 12).high


@pytest.mark.parametrize(
    ("per_day", "unusual"), [(10, False), (6, False), (4, True), (0, True), (19, False), (30, True)]
)
def test_volumes_beyond_half_and_twice_the_usual(per_day: float, unusual: bool) -> None:
    assert volume_against_history(per_day, [9, 10, 11, 10, 9.5]).unusual is unusual


def test_one_delivery_gone_wrong_does_not_widen_the_limits_of_a_year() -> None:
    assert volume_against_history(4, [10, 10, 1_000, 9, 11]).unusual


def test_wild_volumes_are_usual_where_they_always_are() -> None:
    assert not volume_against_history(4, [2, 10, 30, 5, 18, 3]).unusual


def days(*numbers: int) -> list[date]:
    return [START + timedelta(days=number - 1) for number in numbers]


def test_a_month_that_ends_early_lacks_its_end() -> None:
    gap = missing_days(days(*range(1, 13)), 300, START, END)
    assert gap is not None and (gap.first, gap.last, gap.days) == (date(2024, 5, 13), END, 19)


def test_a_hole_in_the_middle_and_at_the_start() -> None:
    hole = missing_days(days(*range(1, 10), *range(15, 32)), 300, START, END)
    start = missing_days(days(*range(6, 32)), 300, START, END)
    assert hole is not None and (hole.first.day, hole.last.day) == (10, 14)
    assert start is not None and (start.first.day, start.last.day) == (1, 5)


def test_what_chance_or_a_holiday_explains_is_no_gap() -> None:
    assert missing_days(days(1, 9, 17, 25), 4, START, END) is None
    assert missing_days(days(*range(1, 10), *range(12, 32)), 3_000, START, END) is None
    assert missing_days([], 0, START, END) is None
    assert missing_days(days(*range(1, 13)), 300, START, date(2024, 5, 12)) is None


@given(st.integers(0, 2**32 - 1))
def test_posts_at_random_leave_no_gap(seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(1, 32, size=200)
    assert missing_days(days(*drawn.tolist()), 200, START, END) is None
