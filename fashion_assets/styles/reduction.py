"""From unit rows to a few coordinates in which k-means finds groups: cosine UMAP, PCA, or the rows
themselves.

Belongs here: the reduction and when it is left out. Does not: clustering and the choice of k
(`partition.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

Reduction = Literal["umap", "pca", "none"]

REDUCTIONS: tuple[str, ...] = get_args(Reduction)

MIN_DISTINCT_ROWS = 10
"""Below this many different rows a neighbour graph has nothing to tell and UMAP's spectral start may fail."""

UMAP_MIN_DIST = 0.0
"""UMAP's own documentation advises 0 when the embedding is clustered and not looked at: groups stay dense."""


@dataclass(frozen=True)
class Reduced:
    """Rows (n, c) float32, centred unless kept as they are; the method that made them; a note.

    The note is a sentence if it is not the method that was asked for, else "".
    """

    rows: npt.NDArray[np.float32]
    method: Reduction
    note: str


def reduce_rows(
    unit: npt.NDArray[np.float32], method: Reduction, *, n_components: int, n_neighbors: int, seed: int
) -> Reduced:
    """`unit` (n, d) reduced to at most `n_components` columns, the same for the same rows, order and seed.

    UMAP and PCA rows are centred, because the cosine of reduced rows is only meaningful about their mean;
    "none" returns the unit rows. Few or identical rows, and widths that need no reduction, fall back to
    "none" with a note.
    """
    if method not in REDUCTIONS:
        raise UserError(f"reduction is {method!r}; expected one of {', '.join(REDUCTIONS)}.")
    if method == "none":
        return Reduced(unit, "none", "")
    distinct = distinct_rows(unit, enough=MIN_DISTINCT_ROWS)
    if distinct < MIN_DISTINCT_ROWS:
        note = f"{method} left out: {len(unit)} rows with {distinct} different ones are too few to reduce."
        return Reduced(unit, "none", note)
    if unit.shape[1] <= 2:
        return Reduced(unit, "none", f"{method} left out: the rows have {unit.shape[1]} columns already.")
    columns = min(n_components, len(unit) - 2, unit.shape[1] - (method == "umap"))
    if method == "pca":
        from sklearn.decomposition import PCA

        return Reduced(_centred(PCA(columns, svd_solver="full").fit_transform(unit)), "pca", "")
    fitted = _umap(columns, min(n_neighbors, len(unit) - 1), seed).fit_transform(unit)
    if not np.isfinite(fitted).all():
        # rows that UMAP could not connect to any other come back as NaN
        return Reduced(
            unit, "none", "umap left out: some rows have no neighbour at all under cosine distance."
        )
    return Reduced(_centred(fitted), "umap", "")


def _umap(columns: int, neighbors: int, seed: int) -> Any:
    from umap import UMAP

    # one job: with a seed UMAP runs on one anyway, and warns unless it is said
    return UMAP(
        n_components=columns,
        n_neighbors=max(2, neighbors),
        min_dist=UMAP_MIN_DIST,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    )


def distinct_rows(rows: npt.NDArray[np.float32], enough: int) -> int:
    """How many different rows there are; the count stops at `enough`."""
    seen: set[bytes] = set()
    for row in rows:
        seen.add(row.tobytes())
        if len(seen) >= enough:
            break
    return len(seen)


def _centred(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.asarray(rows - rows.mean(axis=0, dtype=np.float64), dtype=np.float32)
