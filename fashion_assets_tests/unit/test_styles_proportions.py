"""Intervals of shares against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.intervals import wilson_interval


def test_wilson_interval_of_known_counts() -> None:
    # Wilson (1927) as tabulated by Newcombe (1998), table I: 81 of 263 and 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_interval_holds_the_share(case: tuple[int, int]) -> None:
    count, total = case
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
