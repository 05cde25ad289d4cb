"""The valley test: two groups are seen on posts left out of the cut, one group of any shape is not."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.valley import Valley, two_groups, valley_between
from fashion_assets_tests.unit.styles_made import around


def cloud(kind: str, n: int, dim: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    noise = {
        "normal": generator.normal(size=(n, dim)),
        "heavy": generator.normal(size=(n, dim)) / np.sqrt(generator.chisquare(3, size=(n, 1)) / 3),
        "level": generator.uniform(-1.7, 1.7, size=(n, dim)),
    }[kind]
    centre = unit_rows(generator.normal(size=(1, dim)))
    return unit_rows(centre + 1.2 * noise / np.sqrt(dim))


def pair(n: int, share: float, angle: float, seed: int, dim: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Rows around two directions `angle` degrees apart, and which are of the second."""
    generator = np.random.default_rng(seed)
    first, other = np.linalg.qr(generator.normal(size=(dim, 2)))[0].T
    second = np.cos(np.deg2rad(angle)) * first + np.sin(np.deg2rad(angle)) * other
    side = generator.random(n) < share
    return around(np.where(side[:, None], second, first), 1.2, generator), side


@pytest.mark.parametrize("kind", ["normal", "heavy", "level"])
@pytest.mark.parametrize(("n", "dim"), [(40, 96), (200, 32)])
def test_one_group_has_no_valley(kind: str, n: int, dim: int) -> None:
    found = [two_groups(cloud(kind, n, dim, seed), 7) for seed in range(25)]
    p_values = [cut[0].p_value for cut in found if cut is not None]
    assert len(p_values) == 25 and min(p_values) > 1e-3
    assert np.mean([p < 0.1 for p in p_values]) <= 0.1


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_two_groups_have_one_and_are_told_apart(share: float) -> None:
    rows, side = pair(160, share, 60, seed=3)
    cut = two_groups(rows, 7)
    assert cut is not None
    valley, found = cut
    assert valley.p_value < 2e-3 and max(valley.depth) < 0.5
    assert max((found == side).mean(), (found != side).mean()) > 0.95
    assert "posts left out of the cut" in valley.words() and valley.left + valley.right == 160


def test_given_groups_are_judged_by_the_same_valley() -> None:
    rows, side = pair(160, 0.5, 60, seed=4)
    apart = valley_between(rows, side)
    assert apart is not None and max(apart.depth) < 0.5
    one = cloud("normal", 160, 48, seed=4)
    axis = one - one.mean(axis=0)
    halves = axis @ np.linalg.svd(axis, full_matrices=False)[2][0] > 0
    together = valley_between(one, halves)
    assert together is not None and min(together.depth) > 0.8
    assert valley_between(rows, np.zeros(160, bool)) is None


def test_few_or_identical_rows_are_not_cut() -> None:
    assert two_groups(np.eye(8, dtype=np.float32)[:6], 7) is None
    assert two_groups(np.ones((40, 8), np.float32), 7) is None


def test_depth_is_the_ratio_of_densities_and_the_worse_side_decides() -> None:
    level = Valley(left=90, right=90, left_middle=20, right_middle=20, left_mean=40, right_mean=40)
    assert level.depth == pytest.approx((1.0, 1.0), abs=0.02) and level.p_value > 0.4
    one_sided = Valley(left=90, right=90, left_middle=0, right_middle=20, left_mean=40, right_mean=40)
    assert one_sided.p_value == pytest.approx(level.p_value)
