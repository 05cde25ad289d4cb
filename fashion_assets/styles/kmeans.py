"""k-means for many rows: a million vectors in the time of a few passes over them, as good as Lloyd's.

Most rounds run on a growing, nested sample (Newling & Fleuret 2016, "Nested mini-batch k-means") and in the
subspace that the centroids span, where a round costs a tenth: x.c depends on nothing else. Then one pass
over all rows gives the centroids and one the labels.

Belongs here: on which rows rounds run, and when they stop. Does not: the arithmetic of a round
(`kmeans_round.py`), the start (`kmeans_start.py`), the choice of k (`selection.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.kmeans_round import Rounds, rounds_in_threads
from fashion_assets.styles.kmeans_rows import Blocks, FloatRows, PreparedRows, RowSource
from fashion_assets.styles.kmeans_start import plus_plus, relocated

START_ROWS, SAMPLE_ROWS, SUBSPACE_ROWS = 32, 128, 1024
"""Rows per centroid: for the start, for rounds in all columns, for rounds in the subspace, which cost little.

Half of the sample fits, the other half judges which centroids serve nobody. Both look at all columns: the
subspace would not hold small groups that no centroid has found yet.
"""

SUBSPACE_COLUMNS = 64
"""Columns of the subspace; spectra of embeddings fall fast, and what these miss, the last rounds find."""

SAMPLE_ITERATIONS, SUBSPACE_ITERATIONS = 10, 20
"""Most rounds on a sample, in all columns and in the subspace, where they are cheap."""

SAMPLE_TOLERANCE = 3e-4
"""A sample is left for the next once a round gains a smaller share of the inertia than this."""

RELOCATIONS, BETWEEN = 3, 4
"""Times that useless centroids are moved (the third moves next to none) and rounds after each."""

MAX_ITERATIONS = 300
"""Most rounds over all rows, as in scikit-learn; `tol` stops them long before."""


@dataclass(frozen=True)
class KMeansResult:
    """Centroids (k, d) float32, labels (n,) int32 of the nearest centroid, the inertia (sum of squared
    distances; on the sphere 2 - 2 cos), and how many times all rows were read.
    """

    centroids: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    inertia: float
    n_iter: int


def fit_kmeans(
    x: RowSource,
    k: int,
    seed: int,
    *,
    start: npt.NDArray[np.floating] | None = None,
    spherical: bool = False,
    tol: float = 5e-4,
) -> KMeansResult:
    """k-means of `x` (n, d): an array, a memory map, `ArrowRows`; read in blocks, never copied as a whole.

    `start` (k, d) replaces the k-means++ start, and its centroids keep their places (a warm start).
    `spherical` compares directions: rows and centroids count with unit length, a zero row is as far from one
    as from another. Rounds over all rows end when new means would gain less than `tol` of the inertia (0:
    Lloyd's end, when no mean moves). Memory: k * 128 rows, k * 1,024 rows of 64 columns, and 16 bytes a row.

    The same rows, order and seed give the same answer to the last digit on any number of threads; another
    processor's BLAS may round differently. A cluster that loses its rows moves to the row farthest from its own
    centroid; where there are fewer different rows than clusters, some stay empty. Raises UserError for a k
    outside 1..n, a start of another shape, NaN and infinity.
    """
    n = _checked(x, k, start)
    generator = np.random.default_rng(seed)
    order = generator.permutation(n)
    with rounds_in_threads(spherical) as rounds:
        sample = _sample(PreparedRows(x, spherical), order[: min(n, SAMPLE_ROWS * k)])
        centre = None if spherical else sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        if centre is not None:
            sample -= centre
        rows = PreparedRows(x, spherical, centre)
        if start is None:
            half = min(n, SAMPLE_ROWS // 2 * k)
            centroids = plus_plus(sample[: START_ROWS * k], k, generator)
            centroids = _settled(rounds, sample[:half], centroids, SAMPLE_ITERATIONS)
            centroids = _spread(rounds, sample, half, centroids)
            centroids = _settled(rounds, sample, centroids, SAMPLE_ITERATIONS)
        else:
            warm = PreparedRows(np.asarray(start), spherical, centre)
            centroids = warm.block(slice(0, k)).astype(np.float64)
        if n == len(sample):
            return _finished(rounds, rows, centroids, None, tol)
        basis = _basis(centroids)
        projected = _projected(rounds, rows, order[: min(n, SUBSPACE_ROWS * k)], basis)
        centroids = centroids @ basis.astype(np.float64)
        if start is None:
            centroids = _spread(rounds, projected, len(sample), centroids)
        centroids = _settled(rounds, projected, centroids, SUBSPACE_ITERATIONS)
        return _finished(rounds, rows, centroids, basis, tol)


def _checked(x: RowSource, k: int, start: npt.NDArray[np.floating] | None) -> int:
    if len(x.shape) != 2 or x.shape[1] == 0:
        raise UserError(f"x has shape {x.shape}; expected one row per item, (n, d) with d >= 1.")
    n, d = x.shape
    if not 1 <= k <= n:
        raise UserError(
            f"k is {k} for {n} rows; expected 1 <= k <= n. Ask for fewer clusters or give more rows."
        )
    if start is not None and start.shape != (k, d):
        raise UserError(f"start has shape {start.shape}; expected one centroid per cluster, {(k, d)}.")
    return n


def _sample(rows: PreparedRows, indices: npt.NDArray[np.intp]) -> FloatRows:
    """Those rows in the order of `indices`, so that any first part of them is a random sample as well."""
    ascending = np.argsort(indices)
    found = np.empty((len(indices), rows.source.shape[1]), dtype=np.float32)
    found[ascending] = rows.sample(indices[ascending])
    return found


def _settled(
    rounds: Rounds, x: FloatRows, centroids: npt.NDArray[np.float64], most: int
) -> npt.NDArray[np.float64]:
    """The centroids after rounds on rows in memory, until they gain little."""
    blocks: Blocks = x.__getitem__
    for _ in range(most):
        done = rounds.round(blocks, len(x), centroids)
        before = centroids
        centroids, moved = rounds.centroids(done, before, blocks)
        if not moved and rounds.gain(done, before, centroids) < SAMPLE_TOLERANCE * done.inertia:
            break
    return centroids


def _spread(
    rounds: Rounds, x: FloatRows, seen: int, centroids: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The centroids moved to where they serve more rows of `x` (n, d), which are in random order.

    They were settled on the first `seen` rows and are judged by the others; without others, by all.
    """
    unseen = seen if seen < len(x) else 0
    for _ in range(RELOCATIONS):
        done = rounds.round(x.__getitem__, len(x), centroids)
        centroids, n_moved = relocated(x, unseen, done, centroids, rounds)
        if not n_moved:
            break
        centroids = _settled(rounds, x[:seen], centroids, BETWEEN)
    return centroids


def _basis(centroids: npt.NDArray[np.float64]) -> FloatRows:
    """Orthonormal columns (d, p) of the subspace that holds most of the centroids' spread."""
    axes = np.linalg.svd(centroids, full_matrices=False)[2]
    return np.ascontiguousarray(axes[:SUBSPACE_COLUMNS].T, dtype=np.float32)


def _projected(
    rounds: Rounds, rows: PreparedRows, indices: npt.NDArray[np.intp], basis: FloatRows
) -> FloatRows:
    """Those rows in the subspace (m, p), in the order of `indices`."""
    arrangement = np.argsort(indices)
    ascending = indices[arrangement]
    found = np.empty((len(indices), basis.shape[1]), dtype=np.float32)
    found[arrangement] = np.concatenate(
        list(rounds.map_blocks(lambda part: rows.picked(part, ascending) @ basis, rows.n))
    )
    return found


def _finished(
    rounds: Rounds,
    rows: PreparedRows,
    centroids: npt.NDArray[np.float64],
    basis: FloatRows | None,
    tol: float,
) -> KMeansResult:
    """The result of rounds over all rows, the first in the subspace if there is one."""
    n_iter = 0
    if basis is not None:
        done = rounds.round(rows.block, rows.n, centroids, basis)
        centroids, _ = rounds.centroids(done, centroids @ basis.T.astype(np.float64), rows.block)
        n_iter += 1
    while True:
        done = rounds.round(rows.block, rows.n, centroids)
        n_iter += 1
        following, moved = rounds.centroids(done, centroids, rows.block)
        gain = rounds.gain(done, centroids, following)
        if n_iter >= MAX_ITERATIONS or (not moved and gain <= tol * done.inertia):
            break
        centroids = following
    shift = 0.0 if rows.centre is None else rows.centre.astype(np.float64)
    return KMeansResult((centroids + shift).astype(np.float32), done.labels, done.inertia, n_iter)
