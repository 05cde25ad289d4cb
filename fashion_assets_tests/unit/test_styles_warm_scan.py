"""k-means from k to k': merges as Ward's, no worse than ten starts per k, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from fashion_assets.styles.experiments.warm_scan import cluster_means, merged_centroids, warm_partitions
from fashion_assets.styles.selection import scan_k, score_row
from fashion_assets_tests.unit.styles_made import blobs


def test_merging_single_points_is_wards_method() -> None:
    x = np.random.default_rng(3).normal(size=(30, 4))
    for k in (1, 4, 12, 30):
        labels = fcluster(linkage(x, "ward"), k, "maxclust").astype(np.int32) - 1
        expected, _ = cluster_means(x, labels)
        found = merged_centroids(x, np.ones(30), k)
        assert np.allclose(sorted(found.tolist()), sorted(expected.tolist()))


def test_sizes_weigh_the_merged_centroid() -> None:
    merged = merged_centroids(np.array([[0.0], [1.0], [9.0]]), np.array([3.0, 1.0, 1.0]), 2)
    assert merged.tolist() == [[0.25], [9.0]]


def test_a_warm_scan_is_no_worse_than_a_cold_one() -> None:
    x, _ = blobs(400, 12, 32, 1.2, seed=8)
    ks = list(range(2, 25))
    cold = scan_k(x, ks, 7).set_index("k")
    warm = {k: (score_row(x, labels, k, inertia), labels) for k, labels, inertia in warm_partitions(x, ks, 7)}
    assert sorted(warm) == ks
    differences = np.array([warm[k][0]["micro"] - cold.loc[k, "micro"] for k in ks])
    assert differences.mean() > -0.005 and differences.min() > -0.05
    again = {k: labels for k, labels, _ in warm_partitions(x, ks, 7)}
    assert all((again[k] == warm[k][1]).all() for k in ks)


def test_fewer_different_rows_than_clusters(recwarn: pytest.WarningsRecorder) -> None:
    x = np.repeat(np.eye(3, 8, dtype=np.float32), 6, axis=0)
    found = {k: labels for k, labels, _ in warm_partitions(x, [2, 3, 4, 5], 7)}
    assert sorted(found) == [2, 3] and np.unique(found[3]).tolist() == [0, 1, 2]
    x[:, 5] += np.arange(18, dtype=np.float32) * 1e-9
    assert {k for k, _, _ in warm_partitions(x, [5, 6], 7)} == {3}
    assert not recwarn.list
