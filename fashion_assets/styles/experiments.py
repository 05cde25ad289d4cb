"""One way of finding styles, judged: its silhouette curve, how evenly posts spread, and a verdict in words.

Belongs here: the judgement of one variant. Does not: the variants and their pictures (assets, `reports/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.reduction import Reduction, reduce_rows
from fashion_assets.styles.selection import choose_k, kmeans_labels, scan_k

LARGEST_SHARE_LIMIT = 0.5
"""A cluster with over half of the posts is the "extreme distribution" by which the reference rejected
text.
"""

ENTROPY_LIMIT = 0.6
"""Normalised entropy under this means that a few clusters hold nearly everything."""

MAX_ROWS = 20_000
"""Rows that an experiment is made on, a seeded sample beyond: it compares variants, it does not assign
posts.
"""


CURVE_POINTS = 12
"""Values of k per experiment: the verdict reads the curve's shape, and k-means on raw vectors of some hundred
columns is what takes the time.
"""


def experiment_ks(k_min: int, k_max: int) -> list[int]:
    """At most `CURVE_POINTS` different k from `k_min` to `k_max`, evenly spaced by ratio."""
    return sorted({int(k) for k in np.geomspace(k_min, k_max, CURVE_POINTS).round()})


@dataclass(frozen=True)
class ExperimentResult:
    """`curve` as of `scan_k`; `balance` (largest_share, normalised_entropy, gini) and labels at `best_k`;
    `verdict`.

    `rows` are the indices of the rows that were used: those with a direction, sampled down to `MAX_ROWS`.
    `best_k` is 1 and the curve is empty if there was nothing to scan.
    """

    curve: pd.DataFrame
    balance: dict[str, float]
    verdict: str
    passes: bool
    best_k: int
    labels: npt.NDArray[np.int32]
    rows: npt.NDArray[np.intp]


def cluster_balance(labels: npt.NDArray[np.int32]) -> dict[str, float]:
    """largest_share, normalised_entropy (1 = all clusters equal) and gini (0 = all equal) of cluster sizes.

    Entropy is Shannon's over log k (Pielou's evenness); Gini is the mean absolute difference over twice the
    mean. One cluster has entropy 0, as nothing is divided.
    """
    sizes = np.sort(np.bincount(labels[labels >= 0])).astype(np.float64)
    sizes = sizes[sizes > 0]
    if not len(sizes):
        raise UserError("there are no labels to weigh; expected at least one row with a cluster.")
    shares = sizes / sizes.sum()
    k = len(sizes)
    entropy = float(-(shares * np.log(shares)).sum() / np.log(k)) if k > 1 else 0.0
    gini = float((2 * np.arange(1, k + 1) - k - 1) @ shares / k)
    return {"largest_share": float(shares.max()), "normalised_entropy": entropy, "gini": gini}


def run_experiment(
    x: npt.NDArray[np.floating], ks: Iterable[int], reduction: Reduction, seed: int
) -> ExperimentResult:
    """k-means over `ks` on the reduced rows of `x` (n, d), judged as `StyleClusterer` does it by default.

    Values of `ks` that n cannot carry (over n - 1) are left out; rows without direction are too.
    """
    usable = np.flatnonzero(np.linalg.norm(x, axis=1) > 0)
    if len(usable) > MAX_ROWS:
        usable = np.sort(np.random.default_rng(seed).choice(usable, MAX_ROWS, replace=False))
    if not len(usable):
        nothing = {"largest_share": float("nan"), "normalised_entropy": float("nan"), "gini": float("nan")}
        verdict = f"nothing to cluster: none of the {len(x)} vectors has a direction"
        empty = np.zeros(0, np.int32)
        return ExperimentResult(scan_k(x, [], seed), nothing, verdict, False, 0, empty, usable)
    reduced = reduce_rows(unit_rows(x[usable]), reduction, n_components=10, n_neighbors=15, seed=seed)
    curve = scan_k(reduced.rows, [k for k in ks if 2 <= k <= len(usable) - 1], seed)
    if curve.empty:
        labels = np.zeros(len(usable), np.int32)
        verdict = (
            f"nothing to compare: {len(usable)} rows, or rows that are all the same, have one cluster only."
        )
        return ExperimentResult(curve, cluster_balance(labels), verdict, False, 1, labels, usable)
    choice = choose_k(curve)
    labels, _ = kmeans_labels(reduced.rows, choice.k, seed)
    balance = cluster_balance(labels)
    faults = [] if choice.interior else ["the silhouette has no interior maximum"]
    if balance["largest_share"] > LARGEST_SHARE_LIMIT:
        faults.append(f"one cluster holds {balance['largest_share']:.0%}")
    elif balance["normalised_entropy"] < ENTROPY_LIMIT:
        faults.append(
            f"few clusters hold nearly all posts (normalised entropy {balance['normalised_entropy']:.2f})"
        )
    verdict = "; ".join(faults) if faults else "passes"
    verdict += f" (k = {choice.k}: {choice.reason})"
    if reduced.note:
        verdict += f" {reduced.note}"
    return ExperimentResult(curve, balance, verdict, not faults, choice.k, labels, usable)
