"""One variant, judged: reduce, cluster over the range of k, choose, weigh, ask again, and say it in words."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.styles.experiments.balance import MonthShares, cluster_balance, month_shares
from fashion_assets.styles.experiments.clusterers import (
    ClustererMissingError,
    Partition,
    bound_note,
    find_partitions,
)
from fashion_assets.styles.experiments.stability import Stability, judge_stability
from fashion_assets.styles.experiments.variants import TAKES_K, Variant
from fashion_assets.styles.experiments.verdict import Figures, Limits, Verdict, judge
from fashion_assets.styles.partition import MIN_ROWS_PER_STYLE
from fashion_assets.styles.reduction import reduce_rows
from fashion_assets.styles.selection import KChoice, choose_k, k_grid
from fashion_assets.styles.silhouette import macro_average, silhouette_samples

N_COMPONENTS = 10
"""Columns after a reduction, and the neighbours of UMAP below: those of the style model."""

N_NEIGHBOURS = 15

MAP_POINTS = 1_200
"""Points of a scatter: what a small chart can show."""

CURVE_COLUMNS = ["k", "micro", "macro", "with_noise", "noise", "largest_share"]


@dataclass(frozen=True)
class ExperimentParams:
    """What is tried and asked; `max_rows` is for whoever draws the sample."""

    k_min: int = 2
    k_max: int = 200
    max_rows: int = 20_000
    bootstraps: int = 3
    seeds: int = 2
    stability_rows: int = 1_500
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class ExperimentResult:
    """One variant on n rows; figures are NaN and lists empty where there was nothing to judge.

    - `curve`: one row per partition: k, micro, macro (exact silhouettes of the clustered rows in the space that was
      clustered), with_noise (micro with rows in no cluster counted as 0), noise and largest_share
    - `silhouette` is the chosen row of it; `silhouette_unreduced` the micro silhouette among the vectors themselves
    - `labels` (n,) of the chosen partition by falling size, -1 for noise; `positions` (p, 2) of the rows `shown`
    """

    verdict: Verdict
    k: int
    reason: str
    curve: pd.DataFrame
    silhouette: dict[str, float]
    silhouette_unreduced: float
    balance: dict[str, float]
    noise: float
    months: MonthShares
    stability: Stability
    labels: npt.NDArray[np.int32]
    positions: npt.NDArray[np.float32]
    shown: npt.NDArray[np.intp]
    notes: list[str]


def nothing_to_judge(why: str, n_rows: int = 0) -> ExperimentResult:
    """The result of a variant that could not be tried, with the reason."""
    unknown = {"largest_share": float("nan"), "normalised_entropy": float("nan"), "gini": float("nan")}
    labels = np.full(n_rows, -1, np.int32)
    return ExperimentResult(
        verdict=Verdict("none", [why]),
        k=0,
        reason=why,
        curve=pd.DataFrame([], columns=CURVE_COLUMNS).astype({"k": "int64"}),
        silhouette=dict.fromkeys(CURVE_COLUMNS[1:4], float("nan")),
        silhouette_unreduced=float("nan"),
        balance=unknown,
        noise=float("nan"),
        months=month_shares(labels[:0], np.zeros(0, np.str_)),
        stability=Stability([], [], 0),
        labels=labels,
        positions=np.zeros((0, 2), np.float32),
        shown=np.zeros(0, np.intp),
        notes=[],
    )


def run_experiment(
    vectors: npt.NDArray[np.floating],
    months: npt.NDArray[np.str_],
    variant: Variant,
    params: ExperimentParams,
    seed: int,
) -> ExperimentResult:
    """`vectors` (n, d) of posts of `months` (n,), clustered as `variant` says and judged, without rows of no direction.

    The same for the same rows, order, parameters and seed, on any number of BLAS threads. k stops at a third of the
    rows: smaller clusters are pairs, and the silhouette of pairs rises without end. A clusterer that is not installed
    gives a result that says so.
    """
    with one_blas_thread():
        return _result(vectors, months, variant, params, seed)


def _result(
    vectors: npt.NDArray[np.floating],
    months: npt.NDArray[np.str_],
    variant: Variant,
    params: ExperimentParams,
    seed: int,
) -> ExperimentResult:
    usable = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0)
    if not len(usable):
        if not len(vectors):
            return nothing_to_judge("nothing to cluster: no post has a vector of what is compared")
        return nothing_to_judge(f"nothing to cluster: none of the {len(vectors)} vectors has a direction")
    unit, months = unit_rows(vectors[usable]), months[usable]
    reduced = reduce_rows(
        unit, variant.reduction, n_components=N_COMPONENTS, n_neighbors=N_NEIGHBOURS, seed=seed
    )
    k_max = min(params.k_max, len(unit) // MIN_ROWS_PER_STYLE)
    ks = k_grid(params.k_min, k_max, len(unit)) if k_max >= params.k_min else []
    different = (unit != unit[0]).any()
    try:
        made = list(find_partitions(reduced.rows, variant.clusterer, ks, seed)) if different and ks else []
    except ClustererMissingError as fault:
        return nothing_to_judge(str(fault), len(unit))
    if not made:
        return nothing_to_judge(
            f"nothing to compare: no two clusters were found in {len(unit)} row{'' if len(unit) == 1 else 's'}"
            + ("" if different or len(unit) == 1 else ", which are all the same"),
            len(unit),
        )
    curve, scored = _judged(reduced.rows, made)
    takes_k = variant.clusterer in TAKES_K
    choice = choose_k(curve) if takes_k else _best_of(curve)
    chosen = scored[choice.k]
    labels = by_size(chosen.labels)
    balance, shares = cluster_balance(labels), month_shares(labels, months)

    def reduce_again(rows: npt.NDArray[np.intp], other: int) -> npt.NDArray[np.float32]:
        return reduce_rows(
            unit[rows], variant.reduction, n_components=N_COMPONENTS, n_neighbors=N_NEIGHBOURS, seed=other
        ).rows

    stability = judge_stability(
        reduced.rows,
        variant.clusterer,
        chosen,
        seed=seed,
        bootstraps=params.bootstraps,
        seeds=params.seeds,
        limit=params.stability_rows,
        reduce_again=reduce_again if reduced.method == "umap" else None,
    )
    row = curve[curve["k"] == choice.k].iloc[0]
    figures = Figures(
        interior=choice.interior,
        silhouette=float(row["with_noise"]),
        largest_share=balance["largest_share"],
        entropy=balance["normalised_entropy"],
        noise=float(row["noise"]),
        month_share=shares.largest,
        month=shares.month,
        ari_bootstraps=_mean(stability.bootstraps),
        ari_seeds=_mean(stability.seeds),
    )
    shown = _shown(len(unit), seed)
    return ExperimentResult(
        verdict=judge(figures, params.limits),
        k=choice.k,
        reason=choice.reason,
        curve=curve,
        silhouette={name: float(row[name]) for name in CURVE_COLUMNS[1:4]},
        silhouette_unreduced=_unreduced(unit, labels),
        balance=balance,
        noise=float(row["noise"]),
        months=shares,
        stability=stability,
        labels=labels,
        positions=_positions(reduced.rows[shown], seed),
        shown=shown,
        notes=[note for note in (reduced.note, bound_note(variant.clusterer, len(unit))) if note],
    )


def _judged(
    rows: npt.NDArray[np.float32], made: list[Partition]
) -> tuple[pd.DataFrame, dict[int, Partition]]:
    """The curve, one row per number of clusters, and the partition behind each: the best of those with the same k."""
    figures: dict[int, dict[str, float]] = {}
    partitions: dict[int, Partition] = {}
    for partition in made:
        clustered = partition.labels >= 0
        labels = partition.labels[clustered]
        if len(labels) <= partition.k:
            continue
        samples = silhouette_samples(rows[clustered], labels)
        with_noise = float(samples.sum() / len(rows))
        if partition.k in figures and figures[partition.k]["with_noise"] >= with_noise:
            continue
        partitions[partition.k] = partition
        figures[partition.k] = {
            "k": partition.k,
            "micro": float(samples.mean()),
            "macro": macro_average(samples, labels),
            "with_noise": with_noise,
            "noise": float(1 - clustered.mean()),
            "largest_share": float(np.bincount(labels).max() / len(labels)),
        }
    curve = pd.DataFrame([figures[k] for k in sorted(figures)], columns=CURVE_COLUMNS)
    return curve.astype({"k": "int64"}), partitions


def _best_of(curve: pd.DataFrame) -> KChoice:
    """The choice for a method that finds its own number of clusters: an end of the curve is as good as its middle."""
    best = curve.iloc[int(curve["with_noise"].to_numpy().argmax())]
    reason = (
        f"best of {len(curve)} partitions that the method found (k = {', '.join(map(str, curve['k']))}), posts in no "
        f"cluster counted as 0 (silhouette {best['with_noise']:.3f})."
    )
    return KChoice(int(best["k"]), reason)


def by_size(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The same partition with 0 for the largest cluster, 1 for the next; noise stays -1."""
    sizes = np.bincount(labels[labels >= 0])
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes), dtype=np.int32)
    return np.where(labels >= 0, rank[np.maximum(labels, 0)], -1).astype(np.int32)


def _unreduced(unit: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> float:
    clustered = labels >= 0
    return float(silhouette_samples(unit[clustered], labels[clustered]).mean())


def _shown(n: int, seed: int) -> npt.NDArray[np.intp]:
    if n <= MAP_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MAP_POINTS, replace=False))


def _positions(rows: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    """The two leading principal components (p, 2): another UMAP for a picture would cost as much as the variant."""
    from sklearn.decomposition import PCA

    columns = min(2, *rows.shape)
    placed = np.zeros((len(rows), 2), np.float32)
    placed[:, :columns] = PCA(columns, random_state=seed).fit_transform(rows)
    return placed


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
