"""k-means over many k, each started from the clusters of the next larger k.

A start by merging costs no k-means++ and loses nothing: `benchmarks/experiments.py` measures both against ten
k-means++ starts per k (`selection.scan_k`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.reduction import distinct_rows
from fashion_assets.styles.selection import kmeans_labels


def warm_partitions(
    x: npt.NDArray[np.floating], ks: Iterable[int], seed: int
) -> Iterator[tuple[int, npt.NDArray[np.int32], float]]:
    """k, labels 0..k-1 (n,) and inertia of k-means on `x` (n, d), from the largest of `ks` down.

    The largest k starts by k-means++; each smaller one by merging the clusters before it, always the two whose union
    costs least inertia (Ward 1963). k above the number of different rows is left out; rows that differ by rounding
    alone can give fewer clusters than k, and k is then their number.
    """
    from sklearn.cluster import kmeans_plusplus

    wanted = sorted({int(k) for k in ks}, reverse=True)
    if not wanted:
        return
    distinct = distinct_rows(np.asarray(x, np.float32), enough=wanted[0])
    larger: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for k in (each for each in wanted if each <= distinct):
        if larger is not None and len(larger[0]) >= k:
            start: npt.NDArray[np.floating] = merged_centroids(*larger, k)
        else:
            start = kmeans_plusplus(x, k, random_state=seed)[0]
        labels, inertia = kmeans_labels(x, k, seed, start=start)
        found, codes = np.unique(labels, return_inverse=True)
        dense: npt.NDArray[np.int32] = codes.astype(np.int32)
        yield len(found), dense, inertia
        larger = cluster_means(x, dense)


def cluster_means(
    x: npt.NDArray[np.floating], labels: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means (k, d) and sizes (k,) of the clusters 0..k-1, none of them empty."""
    order = np.argsort(labels, kind="stable")
    firsts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.bincount(labels).astype(np.float64)
    sums: npt.NDArray[np.float64] = np.add.reduceat(x[order].astype(np.float64), firsts, axis=0)
    return sums / sizes[:, None], sizes


def merged_centroids(
    centroids: npt.NDArray[np.floating], sizes: npt.NDArray[np.floating], k: int
) -> npt.NDArray[np.float64]:
    """(k, d): of the centroids (m >= k, d) those two merged, again and again, that cost least (Ward 1963).

    The cost of a merge is n_i n_j / (n_i + n_j) times the squared distance: the inertia that it adds.
    """
    means, weights = np.asarray(centroids, np.float64).copy(), np.asarray(sizes, np.float64).copy()
    squares = np.einsum("ij,ij->i", means, means)
    cost = np.maximum(squares[:, None] + squares[None, :] - 2 * means @ means.T, 0.0)
    cost *= weights[:, None] * weights[None, :] / (weights[:, None] + weights[None, :])
    np.fill_diagonal(cost, np.inf)
    alive = np.ones(len(means), dtype=bool)
    for _ in range(len(means) - k):
        one, other = np.unravel_index(int(cost.argmin()), cost.shape)
        total = weights[one] + weights[other]
        means[one] = (means[one] * weights[one] + means[other] * weights[other]) / total
        weights[one], alive[other] = total, False
        row = ((means - means[one]) ** 2).sum(axis=1) * weights * total / (weights + total)
        row[~alive] = np.inf
        row[one] = np.inf
        cost[one], cost[:, one] = row, row
        cost[other], cost[:, other] = np.inf, np.inf
    return means[alive]
