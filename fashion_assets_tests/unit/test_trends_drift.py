"""Drift is zero where nothing moved, stays under its limit by chance alone, and is found where something moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.trends.drift import (
    centroid_shift,
    cloud_of,
    distance_stability,
    distances_to,
    population_stability,
    word_drift,
)

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=30)


@given(counts)
def test_the_same_shares_have_no_drift(values: list[int]) -> None:
    found = population_stability(values, values)
    assert found.psi == 0 and not found.changed


@given(
    st.integers(2, 20).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(0, 9), min_size=n, max_size=n)] * 2)
    )
)
def test_the_index_is_symmetric_and_never_negative(pair: tuple[list[int], list[int]]) -> None:
    there, back = population_stability(*pair), population_stability(*reversed(pair))
    assert there.psi >= 0
    assert there.psi == pytest.approx(back.psi) and there.limit == pytest.approx(back.limit)


def test_the_index_is_the_one_of_the_books() -> None:
    """(0.3 - 0.2) ln(0.3 / 0.2) + (0.7 - 0.8) ln(0.7 / 0.8), but for half a count in 100,000."""
    found = population_stability([20_000, 80_000], [30_000, 70_000])
    assert found.psi == pytest.approx(0.1 * np.log(1.5) - 0.1 * np.log(0.875), rel=1e-3)


def test_rows_of_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="bin by bin"):
        population_stability([1, 2, 3], [1, 2])


def test_chance_alone_stays_under_the_limit() -> None:
    """2,000 pairs of small months of one population: none is called changed."""
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(50))
    pairs = ((rng.multinomial(300, shares), rng.multinomial(300, shares)) for _ in range(2_000))
    assert not any(population_stability(a, b).changed for a, b in pairs)


def test_a_changed_population_is_found() -> None:
    assert population_stability([500, 300, 200], [200, 300, 500]).changed
    assert not population_stability([500, 300, 200], [450, 320, 230]).changed


def test_words_that_no_month_had_are_counted_and_named_words_moved() -> None:
    before = {"马面裙": 600, "大衣": 300, "帽子": 100}
    drift = word_drift(before, {"马面裙": 100, "大衣": 300, "皮衣": 600})
    assert drift.unseen == pytest.approx(0.6) and drift.stability.changed
    assert drift.moved[0] == ("马面裙", pytest.approx(0.6), pytest.approx(0.1))
    same = word_drift(before, before)
    assert (same.unseen, same.moved, same.stability.psi) == (0.0, (), 0.0)


def test_a_month_without_words_raises_nothing() -> None:
    assert word_drift({}, {}).stability.psi == 0


@settings(max_examples=50)
@given(st.integers(1, 200), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_a_cloud_seen_in_parts_is_the_cloud_seen_at_once(n: int, parts: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(3, 2, (n, 5)).astype(np.float32)
    cloud = cloud_of(np.array_split(rows, parts))
    assert cloud is not None and cloud.n == n
    wide = rows.astype(np.float64)
    assert cloud.centroid == pytest.approx(wide.mean(axis=0), abs=1e-9)
    spread = np.sqrt(((wide - wide.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert cloud.spread == pytest.approx(spread, abs=1e-5)


def test_no_rows_have_no_cloud() -> None:
    assert cloud_of([]) is None and cloud_of([np.zeros((0, 3), np.float32)]) is None


def test_the_shift_is_in_units_of_the_spread_and_chance_is_taken_off() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(2_000, 64)).astype(np.float32)
    same = rng.normal(size=(150, 64)).astype(np.float32)
    moved = same + np.float32(0.5)  # sqrt(64) / 2 = 4 over a spread of sqrt(64) = 8
    reference = cloud_of([base])
    assert reference is not None
    for rows, expected in ((same, 0.0), (moved, 0.5)):
        cloud = cloud_of([rows])
        assert cloud is not None
        assert centroid_shift(reference, cloud) == pytest.approx(expected, abs=0.06)


def test_distances_tell_a_wider_cloud_and_a_collapsed_one() -> None:
    rng = np.random.default_rng(3)
    base, same = rng.normal(size=(1_000, 16)), rng.normal(size=(300, 16))
    near = [rows.astype(np.float32) for rows in (base, same, same * 1.5, np.tile(same[:1], (300, 1)))]
    distances = [distances_to(np.zeros(16), [rows]) for rows in near]
    changed = [distance_stability(distances[0], other).changed for other in distances[1:]]
    assert changed == [False, True, True]


def test_equal_distances_are_one_bin() -> None:
    assert not distance_stability(np.ones(200), np.ones(50)).changed
    assert distance_stability(np.ones(200), np.zeros(200)).changed
