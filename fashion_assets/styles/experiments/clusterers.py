"""The four clusterers behind one call: partitions of the same rows at several settings, noise left as noise.

Belongs here: what each method is given and where it is bounded. Does not: how its partitions are judged.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.experiments.variants import TAKES_K, Clusterer
from fashion_assets.styles.experiments.warm_scan import warm_partitions

NOISE = -1
"""The label of a post that a density method leaves out."""

EXACT_WARD_ROWS = 5_000
"""Ward over all pairs up to here (100 MB of distances); beyond, only neighbours may merge."""

WARD_NEIGHBOURS = 15
"""Neighbours a row in the graph along which Ward merges, as in UMAP's own graph."""

PAIRWISE_ROWS = 5_000
"""HDBSCAN in more columns than a tree can split takes all distances: 200 MB for so many rows."""

TREE_COLUMNS = 20
"""Up to here a k-d tree finds neighbours faster than all distances do."""

HDBSCAN_SHARES = (0.002, 0.005, 0.01, 0.02, 0.04)
"""Smallest clusters tried, as a share of the rows, so that a sample of the rows is given the same question."""

MIN_SAMPLES = 5
"""Smallest cluster ever, and the neighbours that make a row dense (the papers' and libraries' usual value)."""


class ClustererMissingError(UserError):
    """The package of a clusterer is not installed; the sentence says how to get it."""


class Partition(NamedTuple):
    """`labels` (n,): 0..k-1 without gaps, `NOISE` for what belongs nowhere; `setting` is what it was made with."""

    labels: npt.NDArray[np.int32]
    setting: float

    @property
    def k(self) -> int:
        return int(self.labels.max(initial=NOISE)) + 1


def row_limit(clusterer: Clusterer, reduced: bool) -> int | None:
    """How many rows the clusterer can take in that space; None: as many as there are."""
    return PAIRWISE_ROWS if clusterer == "hdbscan" and not reduced else None


def bound_note(clusterer: Clusterer, n_rows: int) -> str:
    """A sentence on what was done otherwise than by the book because of `n_rows`; "" if nothing was."""
    if clusterer == "agglomerative" and n_rows > EXACT_WARD_ROWS:
        return (
            f"Ward merged along the graph of each row's {WARD_NEIGHBOURS} nearest neighbours: all pairs of {n_rows:,} "
            f"rows would take {n_rows**2 * 4 / 2**30:.1f} GiB."
        )
    return ""


def find_partitions(
    rows: npt.NDArray[np.float32], clusterer: Clusterer, ks: Sequence[int], seed: int
) -> Iterator[Partition]:
    """The partitions of `rows` (n, d) with at least two clusters; the same for the same rows, order and seed.

    k-means and Ward make one per k of `ks`. HDBSCAN makes one per smallest cluster size and EVoC one per layer of its
    own; both find their number of clusters themselves and mark rows as noise, which stays noise. Raises
    ClustererMissingError where `evoc` is not installed.
    """
    found = {"kmeans": _kmeans, "agglomerative": _ward, "hdbscan": _hdbscan, "evoc": _evoc}[clusterer]
    for partition in found(rows, ks, seed):
        if partition.k >= 2:
            yield partition


def partition_again(
    rows: npt.NDArray[np.float32], clusterer: Clusterer, chosen: Partition, seed: int
) -> Partition | None:
    """`rows` partitioned as `chosen` was, with another seed or of other rows; None if there are no two clusters."""
    if clusterer in TAKES_K:
        # From twice as many clusters: the way down from there is what keeps a scan off poor local optima.
        ks = [k for k in (2 * chosen.k, chosen.k) if 2 <= k < len(rows)]
        return min(
            find_partitions(rows, clusterer, ks, seed), key=lambda made: abs(made.k - chosen.k), default=None
        )
    if clusterer == "hdbscan":
        return next((made for made in _hdbscan(rows, [], seed, (chosen.setting,)) if made.k >= 2), None)
    return min(
        find_partitions(rows, clusterer, [], seed), key=lambda made: abs(made.k - chosen.k), default=None
    )


def _kmeans(rows: npt.NDArray[np.float32], ks: Sequence[int], seed: int) -> Iterator[Partition]:
    for k, labels, _ in warm_partitions(rows, ks, seed):
        yield Partition(labels, k)


def _ward(rows: npt.NDArray[np.float32], ks: Sequence[int], seed: int) -> Iterator[Partition]:
    """One tree, cut at each k (Ward 1963)."""
    from sklearn.cluster import ward_tree
    from sklearn.neighbors import kneighbors_graph

    if len(rows) < 3:
        return
    graph = None
    if len(rows) > EXACT_WARD_ROWS:
        graph = kneighbors_graph(rows, WARD_NEIGHBOURS, include_self=False)
        graph = graph + graph.T
    with warnings.catch_warnings():
        # Islands of the graph are joined by their nearest rows, which is what is wanted.
        warnings.filterwarnings("ignore", message="the number of connected components")
        children = ward_tree(rows, connectivity=graph)[0]
    for k in sorted({int(k) for k in ks if 2 <= k < len(rows)}):
        yield Partition(cut_tree(children, len(rows), k), k)


def cut_tree(children: npt.NDArray[np.integer], n: int, k: int) -> npt.NDArray[np.int32]:
    """Labels 0..k-1 (n,) after the first n - k merges of a tree over n rows; `children` (n - 1, 2) as scikit-learn's.

    Merge i makes node n + i of two nodes that were there before.
    """
    merges = n - k
    parent = np.arange(n + merges)
    parent[children[:merges].reshape(-1)] = np.repeat(np.arange(n, n + merges), 2)
    while True:
        grand = parent[parent]
        if (grand == parent).all():
            break
        parent = grand
    return np.unique(parent[:n], return_inverse=True)[1].astype(np.int32)


def _hdbscan(
    rows: npt.NDArray[np.float32], ks: Sequence[int], seed: int, shares: Sequence[float] = HDBSCAN_SHARES
) -> Iterator[Partition]:
    """Campello, Moulavi & Sander 2013, one partition per smallest cluster size; draws nothing."""
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import pairwise_distances

    sizes = {max(MIN_SAMPLES, round(share * len(rows))): share for share in sorted(shares, reverse=True)}
    data: npt.NDArray[Any] = rows
    options: dict[str, Any] = {"algorithm": "kd_tree"}
    if rows.shape[1] > TREE_COLUMNS:
        data, options = pairwise_distances(rows.astype(np.float64)), {"metric": "precomputed"}
    for size, share in sorted(sizes.items()):
        if 2 * size > len(rows):
            continue
        fitted = HDBSCAN(min_cluster_size=size, min_samples=MIN_SAMPLES, copy=True, **options).fit(data)
        yield Partition(fitted.labels_.astype(np.int32), share)


def _evoc(rows: npt.NDArray[np.float32], ks: Sequence[int], seed: int) -> Iterator[Partition]:
    """Embedding vector oriented clustering (Tutte Institute), one partition per layer."""
    try:
        from evoc import EVoC
    except ImportError as fault:
        raise ClustererMissingError(
            "not possible here: EVoC is not installed; install it (pip install 'fashion-assets[evoc]'; its first use "
            "compiles for about two minutes), then make the variants that end in -evoc again"
        ) from fault

    fitted = EVoC(random_state=seed, base_min_cluster_size=MIN_SAMPLES).fit(np.ascontiguousarray(rows))
    for labels in fitted.cluster_layers_:
        found, dense = np.unique(labels, return_inverse=True)
        shift = 1 if len(found) and found[0] < 0 else 0
        made = (dense - shift).astype(np.int32)
        yield Partition(made, float(made.max(initial=NOISE) + 1))
