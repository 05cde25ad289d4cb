"""k-means for many rows: its partition, its samples, its sources of rows, and that threads change nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.kmeans import SAMPLE_ROWS, KMeansResult, fit_kmeans
from fashion_assets.styles.kmeans_round import Rounds, rounds_in_threads
from fashion_assets.styles.kmeans_rows import BLOCK_ROWS, ArrowRows, PreparedRows
from fashion_assets.styles.kmeans_start import plus_plus, relocated

Rows = npt.NDArray[np.float32]


def made(
    n: int, d: int, k: int, *, spread: float = 3.0, noise: float = 1.0, seed: int = 5
) -> tuple[Rows, npt.NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    centres = (spread * generator.standard_normal((k, d))).astype(np.float32)
    labels = generator.integers(k, size=n)
    x: Rows = noise * generator.standard_normal((n, d), dtype=np.float32)
    return x + centres[labels], labels


def brute(x: Rows, centroids: Rows) -> npt.NDArray[np.float64]:
    difference = x[:, None, :].astype(np.float64) - centroids[None].astype(np.float64)
    return np.asarray((difference**2).sum(axis=2))


@pytest.fixture(scope="module")
def many() -> tuple[Rows, KMeansResult]:
    """More rows than the sample holds, more than one block, overlapping groups."""
    x, _ = made(12_000, 24, 12, spread=0.6)
    assert len(x) > max(12 * SAMPLE_ROWS, 2 * BLOCK_ROWS)
    return x, fit_kmeans(x, 12, seed=1)


def test_each_row_has_the_label_of_its_nearest_centroid(many: tuple[Rows, KMeansResult]) -> None:
    x, found = many
    distances = brute(x, found.centroids)
    assert found.labels.dtype == np.int32 and found.centroids.dtype == np.float32
    own = distances[np.arange(len(x)), found.labels]
    np.testing.assert_allclose(own, distances.min(axis=1), rtol=1e-4)
    assert found.inertia == pytest.approx(own.sum(), rel=1e-5)


def test_inertia_is_within_one_percent_of_scikit_learn(many: tuple[Rows, KMeansResult]) -> None:
    from sklearn.cluster import KMeans

    x, found = many
    assert found.inertia <= 1.01 * KMeans(12, n_init=3, random_state=0).fit(x).inertia_


def test_separate_groups_are_found_where_one_start_of_lloyd_merges_some() -> None:
    from sklearn.metrics import adjusted_rand_score

    x, truth = made(6000, 16, 40)
    assert all(adjusted_rand_score(truth, fit_kmeans(x, 40, seed).labels) == 1.0 for seed in range(4))


def test_without_tolerance_it_ends_where_lloyd_ends() -> None:
    x, _ = made(2000, 8, 6, spread=0.5)
    found = fit_kmeans(x, 6, 0, tol=0.0)
    means = np.stack([x[found.labels == label].mean(axis=0) for label in range(6)])
    np.testing.assert_allclose(found.centroids, means, atol=1e-4)


@pytest.mark.parametrize("spherical", [False, True])
def test_the_number_of_threads_changes_no_digit(spherical: bool) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x, _ = made(10_000, 130, 9, spread=0.3)
    answers = []
    for threads in (1, 2, 2):
        with threadpool_limits(limits=threads):
            answers.append(fit_kmeans(x, 9, 3, spherical=spherical))
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0].labels, other.labels)
        np.testing.assert_array_equal(answers[0].centroids, other.centroids)
        assert answers[0].inertia == other.inertia


def test_another_seed_starts_elsewhere() -> None:
    x = np.random.default_rng(0).standard_normal((3000, 8), dtype=np.float32)
    assert (fit_kmeans(x, 5, 0).centroids != fit_kmeans(x, 5, 1).centroids).any()


def test_memory_maps_arrow_columns_and_other_floats_give_the_same(
    tmp_path: Path, many: tuple[Rows, KMeansResult]
) -> None:
    x, expected = many
    stored = np.memmap(tmp_path / "rows", np.float32, "w+", shape=x.shape)
    stored[:] = x
    cuts = [0, 5, 5, 4097, 9000, len(x)]  # chunks of odd lengths, one of them empty
    column = pa.chunked_array(
        [
            pa.FixedSizeListArray.from_arrays(pa.array(x[low:high].reshape(-1)), x.shape[1])
            for low, high in pairwise(cuts)
        ]
    )
    for source in (stored, ArrowRows(column), x.astype(np.float64)):
        found = fit_kmeans(source, 12, seed=1)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.centroids, expected.centroids)


def test_rows_are_asked_for_in_blocks_and_left_as_they_were() -> None:
    x, _ = made(BLOCK_ROWS * 2 + 7, 6, 4)
    kept = x.copy()
    asked: list[int] = []

    class Counting:
        shape = x.shape

        def __getitem__(self, rows: slice) -> Rows:
            asked.append(rows.stop - rows.start)
            return x[rows]

    fit_kmeans(Counting(), 4, 0)
    assert max(asked) == BLOCK_ROWS
    np.testing.assert_array_equal(x, kept)


def test_a_warm_start_keeps_the_places_of_its_centroids() -> None:
    x, truth = made(5000, 12, 7)
    means = np.stack([x[truth == label].mean(axis=0) for label in range(7)])
    found = fit_kmeans(x, 7, 0, start=means[::-1])
    np.testing.assert_array_equal(found.labels, 6 - truth)


def test_rows_far_from_zero_lose_no_digits() -> None:
    x, _ = made(4000, 10, 5)
    near, far = fit_kmeans(x, 5, 0), fit_kmeans(x.astype(np.float64) + 4096.0, 5, 0)
    np.testing.assert_array_equal(near.labels, far.labels)
    assert far.inertia == pytest.approx(near.inertia, rel=1e-2)


def test_on_the_sphere_only_directions_count() -> None:
    x, _ = made(9000, 20, 8, spread=0.8)
    scaled = x * np.random.default_rng(1).uniform(0.1, 9.0, (len(x), 1)).astype(np.float32)
    scaled[17] = 0.0
    found = fit_kmeans(scaled, 8, 2, spherical=True)
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1.0, rtol=1e-5)
    unit = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-9)
    cosines = unit @ found.centroids.T
    own = cosines[np.arange(len(x)), found.labels]
    np.testing.assert_allclose(own, cosines.max(axis=1), atol=1e-5)
    lengths = (np.abs(unit).sum(axis=1) > 0).astype(np.float64)
    assert found.inertia == pytest.approx(float((lengths + 1.0 - 2.0 * own).sum()), rel=1e-4)


def test_fewer_different_rows_than_clusters_leave_clusters_without_rows() -> None:
    x = np.repeat(np.eye(3, dtype=np.float32), 50, axis=0)
    found = fit_kmeans(x, 6, 0)
    assert len(np.unique(found.labels)) == 3
    assert found.inertia == pytest.approx(0.0, abs=1e-4)
    assert found.n_iter == 1
    assert np.isfinite(found.centroids).all()


def test_k_may_be_one_or_every_row() -> None:
    x, _ = made(60, 3, 4)
    np.testing.assert_allclose(fit_kmeans(x, 1, 0).centroids[0], x.mean(axis=0), atol=1e-5)
    assert len(np.unique(fit_kmeans(x, 60, 0).labels)) == 60


def test_an_empty_cluster_moves_to_the_farthest_row() -> None:
    x = np.array([[0.0], [1.0], [2.0], [40.0]], dtype=np.float32)
    with rounds_in_threads(spherical=False) as rounds:
        before = np.array([[1.0], [900.0]])
        done = rounds.round(x.__getitem__, 4, before)
        after, moved = rounds.centroids(done, before, x.__getitem__)
    assert moved and done.counts.tolist() == [4, 0]
    np.testing.assert_allclose(after, [[10.75], [40.0]])


def test_gain_is_what_new_means_save_with_the_labels_left() -> None:
    x, _ = made(500, 5, 3)
    with rounds_in_threads(spherical=False) as rounds:
        before = x[:3].astype(np.float64)
        done = rounds.round(x.__getitem__, len(x), before)
        after, _ = rounds.centroids(done, before, x.__getitem__)
        gain = rounds.gain(done, before, after)
    left = ((x - after[done.labels]) ** 2).sum()
    assert gain == pytest.approx(done.inertia - left, rel=1e-4)


def test_rounds_in_a_subspace_sum_whole_rows() -> None:
    x, _ = made(300, 6, 3)
    basis = np.eye(6, 2, dtype=np.float32)
    with rounds_in_threads(spherical=False) as rounds:
        done = rounds.round(x.__getitem__, len(x), x[:4, :2].astype(np.float64), basis)
    np.testing.assert_array_equal(done.labels, brute(x[:, :2], x[:4, :2]).argmin(axis=1))
    np.testing.assert_allclose(done.sums[1], x[done.labels == 1].sum(axis=0), rtol=1e-4)


def relocation(x: Rows, centroids: Rows, unseen: int) -> tuple[npt.NDArray[np.float64], int]:
    wide = centroids.astype(np.float64)
    with rounds_in_threads(spherical=False) as rounds:
        assert isinstance(rounds, Rounds)
        return relocated(x, unseen, rounds.round(x.__getitem__, len(x), wide), wide, rounds)


def test_a_centroid_on_one_outlier_moves_into_the_group_that_needs_two() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((400, 2)).astype(np.float32) + np.repeat(
        [[-30], [30], [0], [9]], 100, axis=0
    )
    x[0] = 500.0
    generator.shuffle(x[1:])
    centroids = np.array([[500, 500], [-30, -30], [30, 30], [4.5, 4.5]], dtype=np.float32)
    moved, count = relocation(x, centroids, unseen=200)
    assert count == 1
    np.testing.assert_allclose(np.sort(moved[[0, 3], 0]), [0, 9], atol=0.7)
    np.testing.assert_array_equal(moved[[1, 2]], centroids[[1, 2]])


def test_centroids_that_all_serve_stay() -> None:
    x, truth = made(900, 4, 6, spread=8.0)
    means = np.stack([x[truth == label].mean(axis=0) for label in range(6)])
    moved, count = relocation(x, means, unseen=450)
    assert count == 0
    np.testing.assert_array_equal(moved, means)


def test_greedy_start_takes_a_row_of_every_group() -> None:
    x, truth = made(2000, 6, 9, spread=20.0, noise=0.1)
    centroids = plus_plus(x, 9, np.random.default_rng(2))
    assert set(truth[brute(x, centroids.astype(np.float32)).argmin(axis=0)]) == set(range(9))


def test_samples_are_those_rows() -> None:
    x, _ = made(BLOCK_ROWS + 50, 3, 2)
    indices = np.array([0, 4, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 49])
    np.testing.assert_array_equal(PreparedRows(x, False).sample(indices), x[indices])


@pytest.mark.parametrize(
    ("k", "start", "sentence"),
    [
        (0, None, "k is 0 for 50 rows; expected 1 <= k <= n"),
        (51, None, "k is 51 for 50 rows"),
        (3, np.zeros((2, 4)), r"start has shape \(2, 4\); expected one centroid per cluster, \(3, 4\)"),
    ],
)
def test_arguments_out_of_range_are_refused(k: int, start: Rows | None, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        fit_kmeans(np.ones((50, 4), np.float32), k, 0, start=start)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_numbers_that_are_not_finite_are_refused_wherever_they_are(bad: float) -> None:
    x = np.random.default_rng(0).standard_normal((3000, 4), dtype=np.float32)
    x[2999, 3] = bad
    with pytest.raises(UserError, match="NaN, infinity or numbers too large to square"):
        fit_kmeans(x, 2, 0)


def test_shapes_and_columns_that_hold_no_rows_are_refused() -> None:
    with pytest.raises(UserError, match=r"x has shape \(5,\)"):
        fit_kmeans(np.ones(5, np.float32), 2, 0)
    with pytest.raises(UserError, match="a column of float; expected fixed-size lists"):
        ArrowRows(pa.chunked_array([pa.array([1.0], pa.float32())]))
    with pytest.raises(UserError, match="1 of 2 vectors are missing"):
        ArrowRows(pa.chunked_array([pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))]))
