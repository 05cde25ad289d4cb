"""Which posts show a style, and what a famous post counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.engagement import winsor_limit, winsorised_mean
from fashion_assets.styles.representatives import diverse


def test_the_most_central_comes_first_and_its_copy_not_second() -> None:
    unit = unit_rows(np.array([[1, 0.1, 0], [1, 0.1, 0], [1, -0.3, 0.2], [0.2, 1, 0]], dtype=np.float32))
    centre = unit_rows(np.array([[1, 0, 0]], dtype=np.float32))[0]
    assert diverse(unit, unit @ centre, 3).tolist() == [0, 2, 1]


@given(st.integers(0, 12), st.integers(0, 15), st.integers(0, 99))
def test_each_row_at_most_once(n: int, count: int, seed: int) -> None:
    unit = unit_rows(np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32))
    chosen = diverse(unit, unit @ np.ones(4) / 2, count).tolist()
    assert len(set(chosen)) == len(chosen) == min(n, count)
    if chosen:
        assert chosen[0] == int((unit @ np.ones(4)).argmax())


def test_unknown_counts_say_nothing() -> None:
    nothing = np.array([np.nan, np.nan])
    assert winsor_limit(nothing) == np.inf
    assert np.isnan(winsorised_mean(nothing, 3.0))
    assert winsorised_mean(np.array([np.nan, 2.0, 50.0]), 4.0) == 3.0
