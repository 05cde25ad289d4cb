"""One round of Lloyd's k-means over blocks of rows: nearest centroids, sums per cluster, new centroids.

Belongs here: the arithmetic of a round and its threads. Does not: where rounds start (`kmeans_start.py`), on
which rows they run and when they stop (`kmeans.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.kmeans_rows import Blocks, FloatRows, blocks_of, squared_lengths

T = TypeVar("T")

FAR = 1e-6
"""An empty cluster moves to a row only if that lies farther from its centroid than this share of the
centroid's squared length: less is float32 rounding, as where there are fewer different rows than clusters."""


@dataclass(frozen=True)
class Round:
    """Labels (n,), squared distances (n,) to the nearest centroid, sums (k, d) and counts (k,) of clusters."""

    labels: npt.NDArray[np.int32]
    distances: FloatRows
    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def inertia(self) -> float:
        """The sum of squared distances."""
        return float(self.distances.sum(dtype=np.float64))


@dataclass(frozen=True)
class Rounds:
    """Runs rounds; `map_blocks` applies a function to blocks in threads and gives the answers in order."""

    map_blocks: Callable[[Callable[[slice], T], int], Iterator[T]]
    spherical: bool

    def round(
        self, rows: Blocks, n: int, centroids: npt.NDArray[np.float64], basis: FloatRows | None = None
    ) -> Round:
        """Each of the n rows to its nearest centroid, the lower index where two are as near.

        With `basis` (d, p) the centroids are (k, p) and rows are compared in that subspace; the sums are of
        the whole rows either way.
        """
        from scipy.sparse import csr_array

        k = len(centroids)
        weights = np.ascontiguousarray(-2.0 * centroids.T, dtype=np.float32)
        offsets = np.einsum("ij,ij->i", centroids, centroids).astype(np.float32)
        labels, distances = np.empty(n, np.int32), np.empty(n, np.float32)

        def one(part: slice) -> npt.NDArray[np.float32]:
            block = rows(part)
            compared = block if basis is None else block @ basis
            scores = compared @ weights
            scores += offsets
            nearest = scores.argmin(axis=1)
            index = np.arange(len(nearest) + 1)
            labels[part] = nearest
            distances[part] = np.maximum(scores[index[:-1], nearest] + squared_lengths(compared), 0.0)
            members = csr_array((np.ones(len(nearest), np.float32), nearest, index), (len(nearest), k))
            return np.asarray(members.T @ block)

        sums: npt.NDArray[np.float64] | None = None
        for part_sums in self.map_blocks(one, n):
            sums = part_sums.astype(np.float64) if sums is None else np.add(sums, part_sums, out=sums)
        assert sums is not None, "k-means is asked for at least one row"
        return Round(labels, distances, sums, np.bincount(labels, minlength=k))

    def centroids(
        self, done: Round, before: npt.NDArray[np.float64], rows: Blocks
    ) -> tuple[npt.NDArray[np.float64], bool]:
        """The new centroids (k, d), and whether an empty cluster was moved to one of the farthest rows.

        A cluster that stays empty, or whose rows cancel on the sphere, keeps its centroid of `before`.
        """
        found = done.sums / np.maximum(done.counts, 1)[:, None]
        if self.spherical:
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            found = np.where(lengths > 0, found / np.where(lengths > 0, lengths, 1.0), before)
        empty = np.flatnonzero(done.counts == 0)
        found[empty] = before[empty]
        if not len(empty):
            return found, False
        farthest = np.argsort(-done.distances, kind="stable")[: len(empty)]
        scale = np.einsum("ij,ij->i", before, before)[done.labels[farthest]]
        farthest = farthest[done.distances[farthest] > FAR * scale]
        for cluster, row in zip(empty, farthest, strict=False):
            found[cluster] = rows(slice(int(row), int(row) + 1))[0]
        return found, bool(len(farthest))

    def gain(self, done: Round, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> float:
        """By how much the inertia falls from `before` to `after` with the labels left as they are.

        sum of n_c |c|^2 - 2 c.S_c before, less the same after; exact, and needs no pass over the rows.
        """

        def part(centroids: npt.NDArray[np.float64]) -> float:
            squares = np.einsum("ij,ij->i", centroids, centroids)
            return float(done.counts @ squares - 2.0 * np.einsum("ij,ij->", centroids, done.sums))

        return part(before) - part(after)


@contextmanager
def rounds_in_threads(spherical: bool) -> Iterator[Rounds]:
    """`Rounds` on as many threads as BLAS may use, one block each; BLAS itself works on one meanwhile.

    A product then has the same digits whatever the number of threads, and argmin and sums run side by side
    too.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    controller = ThreadpoolController()
    allowed = [library["num_threads"] for library in controller.info() if library["user_api"] == "blas"]
    threads = max(allowed, default=1)
    with controller.limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:

        def map_blocks(function: Callable[[slice], T], n: int) -> Iterator[T]:
            waiting = []
            for part in blocks_of(n):
                waiting.append(pool.submit(function, part))
                if len(waiting) > 2 * threads:  # answers are (k, d): not many of them at a time
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

        yield Rounds(map_blocks, spherical)
