"""Exact silhouette from cluster sums: O(n·k·d) time and bounded memory instead of n x n distances.

For unit rows the cosine distance is 1 - x·y, so its mean over a cluster c is 1 - x·S_c / n_c with S_c the sum
of the cluster's unit rows; no pair is ever formed and nothing is sampled. The same holds for squared
Euclidean distance with the sums of squares added. It does not hold for plain Euclidean distance (a mean of
roots is not a root of means), so that metric is refused rather than approximated.

Belongs here: the silhouette. Does not: the choice of k (`selection.py`), the clustering (`clusterer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError

Metric = Literal["cosine", "sqeuclidean"]
Average = Literal["micro", "macro"]

BLOCK_BYTES = 32 * 2**20
"""Float64 working memory of one block of rows; 32 MiB keeps the block near the cache and n out of the
bill.
"""

SAME_POINT = 1e-12
"""Mean distances under this are rounding of zero (float64 sums of unit rows err by about 1e-15 per term)."""


def silhouette_samples(
    x: npt.ArrayLike, labels: npt.ArrayLike, *, metric: Metric = "cosine"
) -> npt.NDArray[np.float64]:
    """The silhouette (b - a) / max(a, b) of each row, shape (n,), float64, each in [-1, 1].

    a is the mean distance to the other rows of the own cluster, b the smallest mean distance to another
    cluster (Rousseeuw 1987, eq. 1-2). Alone in its cluster: 0, as in scikit-learn. `x` is (n, d), any float
    type, rows need not be unit length for "cosine"; a zero row has cosine distance 1 to every other row.
    `labels` is (n,), any sortable values; a label for noise (-1) counts as a cluster like any other, so leave
    such rows out first.

    metric "cosine" equals `sklearn.metrics.silhouette_samples(x, labels, metric="cosine")`; "sqeuclidean" is
    the silhouette of squared Euclidean distances, which is not the Euclidean silhouette.

    Raises UserError (a ValueError) for NaN or infinity, for lengths that differ, and unless 2 <= k <= n - 1.
    """
    data, codes, k = _checked(x, labels, metric)
    counts = np.bincount(codes, minlength=k).astype(np.float64)
    centre = _column_mean(data) if metric == "sqeuclidean" else None
    sums, squares = _cluster_sums(data, codes, k, metric, centre)
    means = sums / counts[:, None]
    scores = np.zeros(len(data))
    for rows, block in _blocks(data, metric, k, centre):
        own = codes[rows]
        index = np.arange(len(own))
        dots = block @ means.T
        norms = np.einsum("ij,ij->i", block, block)
        if metric == "cosine":
            distances = 1.0 - dots
            scale = 1.0
            own_sum = counts[own] - 1.0 - (dots[index, own] * counts[own] - norms)
        else:
            distances = norms[:, None] + (squares / counts)[None, :] - 2.0 * dots
            scale = max(float(squares.sum()) / len(data), np.finfo(np.float64).tiny)
            own_sum = distances[index, own] * counts[own]
        inner = own_sum / np.maximum(counts[own] - 1.0, 1.0)
        distances[index, own] = np.inf
        outer = distances.min(axis=1)
        inner = np.where(inner < SAME_POINT * scale, 0.0, inner)
        outer = np.where(outer < SAME_POINT * scale, 0.0, outer)
        larger = np.maximum(inner, outer)
        scored = (counts[own] > 1) & (larger > 0)
        scores[rows] = np.where(scored, (outer - inner) / np.where(scored, larger, 1.0), 0.0)
    return scores


def silhouette_score(
    x: npt.ArrayLike, labels: npt.ArrayLike, average: Average = "micro", *, metric: Metric = "cosine"
) -> float:
    """The mean silhouette: "micro" over rows (scikit-learn's), "macro" over the clusters' own means.

    One big cluster decides the micro score; in the macro score it counts once. Errors as
    `silhouette_samples`.
    """
    if average not in ("micro", "macro"):
        raise UserError(
            f'average is {average!r}; expected "micro" (mean over rows) or "macro" (mean over clusters).'
        )
    samples = silhouette_samples(x, labels, metric=metric)
    return float(samples.mean()) if average == "micro" else macro_average(samples, labels)


def macro_average(samples: npt.NDArray[np.float64], labels: npt.ArrayLike) -> float:
    """The mean over clusters of the mean silhouette of each, from `silhouette_samples` already at hand."""
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    return float((np.bincount(codes, weights=samples) / np.bincount(codes)).mean())


def _checked(
    x: npt.ArrayLike, labels: npt.ArrayLike, metric: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp], int]:
    if metric not in ("cosine", "sqeuclidean"):
        raise UserError(
            f'metric is {metric!r}; expected "cosine" or "sqeuclidean", which cluster sums give exactly.'
        )
    data, names = np.asarray(x), np.asarray(labels)
    if data.ndim != 2 or data.shape[1] == 0:
        stack = " numpy.stack(x) makes one of a column of vectors." if data.dtype.kind == "O" else ""
        raise UserError(f"x has shape {data.shape}; expected one row per item, (n, d) with d >= 1.{stack}")
    if data.dtype.kind == "O":
        data = _as_numbers(data)
    if data.dtype.kind not in "fiub":
        raise UserError(f"x holds {data.dtype}; expected real numbers.")
    if names.shape != (len(data),):
        raise UserError(
            f"labels have shape {names.shape} but x has {len(data)} rows; expected one label per row."
        )
    missing = pd.isna(names)
    if missing.any():
        raise UserError(
            f"labels hold {'NaN' if names.dtype.kind == 'f' else 'nothing'}, first in row "
            f"{int(missing.argmax())}; leave those rows out first."
        )
    try:
        values, codes = np.unique(names, return_inverse=True)
    except TypeError as error:
        raise UserError(f"labels are of kinds that have no common order: {error}.") from error
    if not 2 <= len(values) <= len(data) - 1:
        raise UserError(
            f"Number of labels is {len(values)} for {len(data)} rows; the silhouette is defined for 2 to "
            f"n_samples - 1 "
            f"clusters, so merge or split before you score."
        )
    return data, codes.reshape(-1), len(values)


def _as_numbers(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows of Python or nullable numbers as float64; unchanged if they are something else."""
    try:
        return data.astype(np.float64)
    except (TypeError, ValueError):
        return data


def _blocks(
    data: npt.NDArray[Any], metric: str, k: int, centre: npt.NDArray[np.float64] | None
) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Slices of rows and those rows in float64: unit length (cosine) or centred (sqeuclidean)."""
    step = max(1, BLOCK_BYTES // (8 * max(data.shape[1], k)))
    for start in range(0, len(data), step):
        rows = slice(start, min(start + step, len(data)))
        block = data[rows].astype(np.float64)
        if metric == "cosine":
            norms = np.sqrt(np.einsum("ij,ij->i", block, block))
            # an infinite norm comes from an infinite entry, which is reported with its place
            block /= np.where((norms > 0) & np.isfinite(norms), norms, 1.0)[:, None]
        elif centre is not None:
            block -= centre  # distances do not change, but the squares that cancel become small
        yield rows, block


def _cluster_sums(
    data: npt.NDArray[Any],
    codes: npt.NDArray[np.intp],
    k: int,
    metric: str,
    centre: npt.NDArray[np.float64] | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums of the rows (k, d) and of their squared lengths (k,) per cluster; refuses what is not finite."""
    sums = np.zeros((k, data.shape[1]))
    squares = np.zeros(k)
    for rows, block in _blocks(data, metric, k, centre):
        if not np.isfinite(block).all():
            row, column = np.argwhere(~np.isfinite(data[rows].astype(np.float64)))[0]
            raise UserError(
                f"x holds NaN or infinity, first in row {rows.start + int(row)}, column {int(column)}; "
                f"expected finite numbers. Drop or encode those rows again."
            )
        order = np.argsort(codes[rows], kind="stable")
        ordered = codes[rows][order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums[ordered[starts]] += np.add.reduceat(block[order], starts, axis=0)
        squares += np.bincount(codes[rows], weights=np.einsum("ij,ij->i", block, block), minlength=k)
    return sums, squares


def _column_mean(data: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = np.asarray(data.mean(axis=0, dtype=np.float64))
    # a NaN or infinity is reported with its place by `_cluster_sums`; here it must only not raise
    return np.where(np.isfinite(mean), mean, 0.0)
