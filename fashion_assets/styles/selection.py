"""How many styles: k-means over a range of k, judged by the exact silhouette, and the rule that picks one k.

Belongs here: the scan, the rule, the words that explain the choice. Does not: reductions and estimators
(`clusterer.py`), the silhouette itself (`silhouette.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.kmeans import fit_kmeans
from fashion_assets.styles.reduction import distinct_rows
from fashion_assets.styles.silhouette import Metric, macro_average, silhouette_samples

PLATEAU_TOLERANCE = 0.005
"""Share of the curve's range (best - worst silhouette) that is one plateau; its smallest k is taken.

On 18 made sets (12 and 25 clusters, 256-d) k is off by 0.3 (mean) without a plateau, by 0.4 with 0.005, by
0.7 with 0.02: small enough to cost next to nothing, and it keeps noise from adding styles on a flat curve.
"""

KMEANS_STARTS = 10
"""k-means++ starts per k; in the few columns of the reduced space a start costs milliseconds.

Of 40 made sets (12 and 25 clusters, PCA) 1 start merged two clusters in 17, 5 starts in 11, 10 starts in 7.
"""

MANY_ROWS = 50_000
"""Above this scikit-learn's ten full fits are dear, and `fit_kmeans` is as good (benchmarks/kmeans_scale.py)."""

EVERY_K_UP_TO = 30
"""A scan tries every k up to here, then steps of about 8 %: the curve flattens and the fits get dear."""


@dataclass(frozen=True)
class KChoice:
    """The chosen k, a sentence that says why, and whether the curve had a maximum inside its range."""

    k: int
    reason: str
    interior: bool = True


def k_grid(k_min: int, k_max: int, n_rows: int) -> list[int]:
    """The k values to try, ascending: from k_min to k_max, cut to what `n_rows` rows can be scored with
    (2..n-1).
    """
    if not 1 <= k_min <= k_max:
        raise UserError(f"the range of k is {k_min}..{k_max}; expected 1 <= smallest <= largest.")
    first, last = max(2, k_min), min(k_max, n_rows - 1)
    grid: list[int] = []
    k = first
    while k <= last:
        grid.append(k)
        k = k + 1 if k < EVERY_K_UP_TO else max(k + 1, round(k * 1.08))
    if grid and grid[-1] != last:
        grid.append(last)
    return grid


def kmeans_labels(
    x: npt.NDArray[np.floating], k: int, seed: int, start: npt.NDArray[np.floating] | None = None
) -> tuple[npt.NDArray[np.int32], float]:
    """Labels 0..k-1 (n,) and the inertia of k-means on `x` (n, d); `start` (k, d) replaces the k-means++
    starts. Above `MANY_ROWS` rows by `fit_kmeans`.

    One thread: the order in which threads add up float32 sums would change the last digits from run to run.
    """
    if len(x) > MANY_ROWS:
        found = fit_kmeans(x, k, seed, start=start)
        return found.labels, found.inertia
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer different rows than clusters: the labels say so themselves.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if start is None:
            fitted = KMeans(k, n_init=KMEANS_STARTS, random_state=seed).fit(x)
        else:
            fitted = KMeans(k, init=np.asarray(start, dtype=x.dtype), n_init=1, random_state=seed).fit(x)
    return fitted.labels_.astype(np.int32), float(fitted.inertia_)


def scan_k(
    x: npt.NDArray[np.floating],
    ks: Iterable[int],
    seed: int,
    *,
    judged_in: npt.NDArray[np.floating] | None = None,
    metric: Metric = "cosine",
) -> pd.DataFrame:
    """A table with one row per k: k (int), micro, macro (exact silhouettes), inertia, largest_share.

    k-means runs on `x` (n, d). The silhouette is taken of the rows of `judged_in` (n, d') if given, else of
    `x`: see `StyleClusterer` for which space to judge in. A k above the number of different rows has no row;
    where rows differ by rounding alone, k-means finds fewer clusters than asked for and the row has that k.
    `largest_share` is the share of rows in the largest cluster.
    """
    wanted = sorted({int(k) for k in ks})
    if wanted and not 2 <= wanted[0] <= wanted[-1] <= len(x) - 1:
        raise UserError(
            f"k runs from {wanted[0]} to {wanted[-1]} for {len(x)} rows; expected 2 <= k <= n - 1."
        )
    space = x if judged_in is None else judged_in
    rows: list[dict[str, float]] = []
    # more clusters than different rows would be empty ones
    distinct = distinct_rows(x, enough=wanted[-1]) if wanted else 0
    for k in (each for each in wanted if each <= distinct):
        labels, inertia = kmeans_labels(x, k, seed)
        found, dense = np.unique(labels, return_inverse=True)
        if len(found) >= 2 and len(found) not in {row["k"] for row in rows}:
            rows.append(score_row(space, dense.astype(np.int32), len(found), inertia, metric))
    return pd.DataFrame(rows, columns=["k", "micro", "macro", "inertia", "largest_share"]).astype(
        {"k": "int64"}
    )


def score_row(
    space: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int32],
    k: int,
    inertia: float,
    metric: Metric = "cosine",
) -> dict[str, float]:
    """One row of the scan's table for a partition already at hand."""
    samples = silhouette_samples(space, labels, metric=metric)
    return {
        "k": k,
        "micro": float(samples.mean()),
        "macro": macro_average(samples, labels),
        "inertia": inertia,
        "largest_share": float(np.bincount(labels).max() / len(labels)),
    }


def choose_k(
    curve: pd.DataFrame, *, by: Literal["micro", "macro"] = "micro", tolerance: float = PLATEAU_TOLERANCE
) -> KChoice:
    """The smallest k whose silhouette is within `tolerance` (a share of the curve's range) of the best, and
    why.

    A maximum at either end of the range is no maximum: the choice is then that end's plateau and the reason
    says that the curve has no interior maximum and what that means.
    """
    if curve.empty:
        raise UserError("the silhouette curve has no rows; scan at least one k of 2 or more.")
    ordered = curve.sort_values("k")
    ks = ordered["k"].to_numpy()
    scores = ordered[by].to_numpy(dtype=np.float64)
    best = int(scores.argmax())
    plateau = int(np.flatnonzero(scores >= scores[best] - tolerance * np.ptp(scores))[0])
    k, top, span = int(ks[plateau]), float(scores[best]), f"k = {ks[0]}..{ks[-1]}"
    if len(ks) == 1:
        return KChoice(k, f"only k = {k} was scored ({by} silhouette {top:.3f}).", interior=False)
    if best == len(ks) - 1 and plateau == best:
        reason = (
            f"no interior maximum: the {by} silhouette still rises at the end of {span} (best {top:.3f} at k "
            f"= {k}); "
            f"a larger k_max may fit better."
        )
        return KChoice(k, reason, interior=False)
    if plateau == 0:
        reason = (
            f"no interior maximum: the {by} silhouette is best at the start of {span} ({scores[0]:.3f} at k "
            f"= {k}); "
            f"the data show no grouping finer than that."
        )
        return KChoice(k, reason, interior=False)
    if plateau == best:
        reason = f"interior maximum of the {by} silhouette, {top:.3f}, over {span}."
    else:
        reason = (
            f"smallest k on the plateau of the maximal {by} silhouette "
            f"({scores[plateau]:.3f}; {top:.3f} at k = {ks[best]}) over {span}."
        )
    return KChoice(k, reason)
