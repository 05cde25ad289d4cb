"""The range of k, the rule that picks one, and the reductions' fall-backs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.reduction import reduce_rows
from fashion_assets.styles.selection import EVERY_K_UP_TO, choose_k, k_grid, kmeans_labels, scan_k
from fashion_assets_tests.unit.styles_made import blobs


def curve(scores: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"k": list(scores), "micro": list(scores.values()), "macro": [-v for v in scores.values()]}
    )


@given(st.integers(1, 60), st.integers(0, 300), st.integers(0, 500))
def test_grid_is_ascending_inside_its_range_and_complete_for_small_k(k_min: int, width: int, n: int) -> None:
    grid = k_grid(k_min, k_min + width, n)
    assert grid == sorted(set(grid))
    assert all(max(2, k_min) <= k <= min(k_min + width, n - 1) for k in grid)
    if grid:
        small = range(max(2, k_min), min(k_min + width, n - 1, EVERY_K_UP_TO) + 1)
        assert set(small) <= set(grid) and grid[-1] == min(k_min + width, n - 1)


def test_grid_refuses_an_empty_range() -> None:
    with pytest.raises(UserError, match=r"range of k is 9\.\.4"):
        k_grid(9, 4, 100)


def test_interior_maximum_is_taken() -> None:
    choice = choose_k(curve({4: 0.2, 5: 0.3, 6: 0.5, 7: 0.4}))
    assert (choice.k, choice.interior) == (6, True)
    assert choice.reason.startswith("interior maximum")
    assert choose_k(curve({4: 0.2, 5: 0.1, 6: 0.5, 7: 0.4}), by="macro").k == 5


def test_smallest_k_of_a_plateau_is_taken_and_the_order_of_rows_is_nothing() -> None:
    shuffled = curve({4: 0.2, 5: 0.4, 6: 0.499, 7: 0.5, 8: 0.3}).sample(frac=1, random_state=1)
    choice = choose_k(shuffled)
    assert (choice.k, choice.interior) == (6, True)
    assert "0.500 at k = 7" in choice.reason
    assert choose_k(shuffled, tolerance=0).k == 7


@pytest.mark.parametrize(
    ("scores", "k", "said"),
    [
        ({4: 0.5, 5: 0.4, 6: 0.3}, 4, "best at the start"),
        ({4: 0.1, 5: 0.2, 6: 0.3}, 6, "still rises"),
        ({4: 0.3, 5: 0.3, 6: 0.3}, 4, "best at the start"),
        ({5: 0.3}, 5, "only k = 5"),
    ],
)
def test_no_interior_maximum_is_said(scores: dict[int, float], k: int, said: str) -> None:
    choice = choose_k(curve(scores))
    assert choice.k == k and not choice.interior and said in choice.reason


def test_scan_finds_the_made_clusters_and_repeats_itself() -> None:
    x, _ = blobs(400, 6, 16, 0.8, seed=2)
    table = scan_k(x, range(3, 10), seed=7)
    assert list(table.columns) == ["k", "micro", "macro", "inertia", "largest_share"]
    assert choose_k(table).k == 6
    assert (np.diff(table["inertia"]) < 0).all()
    pd.testing.assert_frame_equal(table, scan_k(x, range(3, 10), seed=7))
    with pytest.raises(UserError, match="expected 2 <= k <= n - 1"):
        scan_k(x[:5], [2, 5], seed=7)


def test_an_empty_curve_is_refused() -> None:
    with pytest.raises(UserError, match="has no rows"):
        choose_k(scan_k(np.eye(3, dtype=np.float32), [], seed=7))


def test_pca_is_centred_and_reductions_say_when_they_are_left_out() -> None:
    x, _ = blobs(60, 3, 32, 0.5, seed=0)
    reduced = reduce_rows(x, "pca", n_components=5, n_neighbors=15, seed=7)
    assert reduced.rows.shape == (60, 5) and reduced.method == "pca" and not reduced.note
    assert np.abs(reduced.rows.mean(axis=0)).max() < 1e-6
    for few in (x[:9], np.repeat(x[:3], 20, axis=0)):
        left_out = reduce_rows(few, "umap", n_components=5, n_neighbors=15, seed=7)
        assert left_out.method == "none" and "too few" in left_out.note
        assert left_out.rows is few
    with pytest.raises(UserError, match="expected one of umap, pca, none"):
        reduce_rows(x, "tsne", n_components=5, n_neighbors=15, seed=7)  # type: ignore[arg-type]


def test_rows_that_differ_by_rounding_are_one_and_the_curve_says_so(recwarn: pytest.WarningsRecorder) -> None:
    x = np.repeat(np.eye(2, 8, dtype=np.float32), 8, axis=0)
    x[:, 5] += np.arange(16, dtype=np.float32) * 1e-9
    assert scan_k(x, [4, 5], seed=7)["k"].tolist() == [2]
    assert not recwarn.list


def test_many_rows_are_clustered_as_well_by_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    centres = 8 * np.random.default_rng(1).normal(size=(6, 5))
    truth = np.repeat(np.arange(6), 200)
    x = centres[truth] + np.random.default_rng(2).normal(size=(1200, 5))
    labels, inertia = kmeans_labels(x, 6, seed=3)
    monkeypatch.setattr("fashion_assets.styles.selection.MANY_ROWS", 1000)
    quick, quick_inertia = kmeans_labels(x, 6, seed=3)
    assert len({(int(a), int(b)) for a, b in zip(labels, quick, strict=True)}) == 6
    assert quick_inertia == pytest.approx(inertia, rel=1e-3)
