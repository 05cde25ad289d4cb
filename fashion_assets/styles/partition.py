"""One partition of unit rows into styles: reduce, scan k, choose, cluster. What the estimator and the model
share.

Belongs here: the order of the steps and the rule that keeps last month's partition. Does not: centroids, ids,
and assignment of new rows (`model.py`, `clusterer.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.reduction import Reduction, reduce_rows
from fashion_assets.styles.selection import choose_k, k_grid, kmeans_labels, scan_k, score_row

Space = Literal["reduced", "embedding"]

MIN_ROWS_PER_STYLE = 3
"""The scan stops at n / 3 clusters: smaller ones are pairs, and the silhouette of pairs rises with k without
end.
"""

WARM_TOLERANCE = 0.007
"""Silhouette that last month's styles may fall short of the best new partition before they are given up.

On made months without change the old styles mostly score within 0.005 of the best new partition; a style born
in the newest of four months costs 0.007-0.01, in its second month 0.03. The ids go on either way
(`identity.py`); this only spares posts needless moves.
"""


@dataclass(frozen=True)
class PartitionParams:
    """How to look for styles; `n_clusters` None means that the silhouette decides within `k_range`."""

    n_clusters: int | None = None
    k_range: tuple[int, int] = (2, 40)
    reduction: Reduction = "umap"
    n_components: int = 10
    n_neighbors: int = 15
    judged_in: Space = "reduced"
    seed: int = 7


@dataclass(frozen=True)
class Partition:
    """Labels 0..k-1 (n,), the reduced rows (n, c), the curve that was scanned, and why this k, in words."""

    labels: npt.NDArray[np.int32]
    k: int
    reduced: npt.NDArray[np.float32]
    reduction: Reduction
    note: str
    curve: pd.DataFrame
    reason: str
    micro: float | None
    macro: float | None


def find_partition(
    unit: npt.NDArray[np.float32], params: PartitionParams, known: npt.NDArray[np.int32] | None = None
) -> Partition:
    """The partition of `unit` (n, d) unit rows, n >= 1; deterministic for the same rows, order and
    parameters.

    `known` (n,) are labels from last month's styles, -1 for none: k-means started from their means stands
    against the best cold partition, and stays unless it falls short by more than `WARM_TOLERANCE`. Raises
    UserError if `n_clusters` exceeds n.
    """
    reduced = reduce_rows(
        unit,
        params.reduction,
        n_components=params.n_components,
        n_neighbors=params.n_neighbors,
        seed=params.seed,
    )
    judged = reduced.rows if params.judged_in == "reduced" else unit
    labels, curve, reason = _cold(reduced.rows, judged, params)
    if known is not None and params.n_clusters is None:
        labels, reason = _warm_or(labels, reason, reduced.rows, judged, known, params.seed)
    k = int(labels.max()) + 1
    scored = score_row(judged, labels, k, 0.0) if 2 <= k < len(unit) else None
    return Partition(
        labels=labels,
        k=k,
        reduced=reduced.rows,
        reduction=reduced.method,
        note=reduced.note,
        curve=curve,
        reason=reason,
        micro=scored["micro"] if scored else None,
        macro=scored["macro"] if scored else None,
    )


def _cold(
    rows: npt.NDArray[np.float32], judged: npt.NDArray[np.float32], params: PartitionParams
) -> tuple[npt.NDArray[np.int32], pd.DataFrame, str]:
    """Labels, curve and reason without any memory of earlier months."""
    nothing = scan_k(rows, [], params.seed)
    if params.n_clusters is not None:
        if params.n_clusters > len(rows):
            raise UserError(
                f"n_samples={len(rows)} should be >= n_clusters={params.n_clusters}; ask for fewer clusters "
                f"or give more rows."
            )
        labels = _contiguous(kmeans_labels(rows, params.n_clusters, params.seed)[0])
        return labels, nothing, f"k = {params.n_clusters} was asked for."
    if (rows == rows[0]).all():
        return np.zeros(len(rows), np.int32), nothing, f"one style: all {len(rows)} rows are identical."
    low, high = params.k_range
    grid = (
        k_grid(low, min(high, max(len(rows) // MIN_ROWS_PER_STYLE, 1)), len(rows))
        if len(rows) >= 3 * low
        else []
    )
    curve = scan_k(rows, grid, params.seed, judged_in=judged)
    if curve.empty:
        reason = (
            f"one style: {len(rows)} rows are too few for {low} or more styles of {MIN_ROWS_PER_STYLE} rows."
        )
        return np.zeros(len(rows), np.int32), nothing, reason
    choice = choose_k(curve)
    return _contiguous(kmeans_labels(rows, choice.k, params.seed)[0]), curve, choice.reason


def _warm_or(
    cold: npt.NDArray[np.int32],
    reason: str,
    rows: npt.NDArray[np.float32],
    judged: npt.NDArray[np.float32],
    known: npt.NDArray[np.int32],
    seed: int,
) -> tuple[npt.NDArray[np.int32], str]:
    """Last month's partition carried on, if it is about as good as the cold one; else the cold one."""
    sizes = np.bincount(known[known >= 0]) if (known >= 0).any() else np.zeros(0, np.int64)
    alive = np.flatnonzero(sizes >= MIN_ROWS_PER_STYLE)
    if not 2 <= len(alive) < len(rows):
        return cold, reason
    start = np.stack([rows[known == style].mean(axis=0) for style in alive])
    warm = _contiguous(kmeans_labels(rows, len(alive), seed, start=start)[0])
    if warm.max() < 1:
        return cold, reason
    warm_score = score_row(judged, warm, len(alive), 0.0)["micro"]
    cold_score = score_row(judged, cold, int(cold.max()) + 1, 0.0)["micro"] if cold.max() > 0 else -1.0
    if warm_score < cold_score - WARM_TOLERANCE:
        return (
            cold,
            f"{reason} Last month's {len(alive)} styles score {warm_score:.3f} and were given up for it.",
        )
    return warm, (
        f"k = {int(warm.max()) + 1} as last month: its styles score {warm_score:.3f}, "
        f"the best new partition (k = {int(cold.max()) + 1}) {cold_score:.3f}."
    )


def _contiguous(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The same partition with labels 0..k-1 without gaps: identical rows can leave k-means an empty
    cluster.
    """
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)
