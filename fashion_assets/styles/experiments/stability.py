"""Whether the same posts give the same groups again: adjusted Rand index over bootstraps and over seeds.

Belongs here: what is drawn anew, how often, on how many rows. Does not: what counts as stable (`verdict.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.experiments.clusterers import Partition, partition_again
from fashion_assets.styles.experiments.variants import Clusterer

Reduce = Callable[[npt.NDArray[np.intp], int], npt.NDArray[np.float32]]
"""(indices of rows, seed) -> those rows reduced anew (m, c)."""


@dataclass(frozen=True)
class Stability:
    """Adjusted Rand indices (Hubert & Arabie 1985) against the partition that is judged; 1: the same, 0: chance.

    `seeds` is empty where neither reduction nor clusterer draws anything. `n_rows` is how many rows were asked.
    """

    bootstraps: list[float]
    seeds: list[float]
    n_rows: int


def judge_stability(
    rows: npt.NDArray[np.float32],
    clusterer: Clusterer,
    chosen: Partition,
    *,
    seed: int,
    bootstraps: int,
    seeds: int,
    limit: int,
    reduce_again: Reduce | None,
) -> Stability:
    """How far the partition of `rows` (n, c) comes back, asked on at most `limit` of them.

    A bootstrap draws as many rows as there are with replacement, each counted once (about 63 % of them), and clusters
    these, in the space as it is. A seed clusters all of them with another seed; `reduce_again`, given where the
    reduction draws, reduces them anew first. Noise is compared as one more group. A draw without two clusters counts
    0: nothing came back.
    """
    from sklearn.metrics import adjusted_rand_score

    generator = np.random.default_rng(seed)
    asked = np.arange(len(rows))
    if len(rows) > limit:
        asked = np.sort(generator.choice(len(rows), limit, replace=False))

    def agreement(data: npt.NDArray[np.float32], indices: npt.NDArray[np.intp], other_seed: int) -> float:
        made = partition_again(data, clusterer, chosen, other_seed)
        return 0.0 if made is None else float(adjusted_rand_score(chosen.labels[indices], made.labels))

    over_bootstraps = []
    for _ in range(bootstraps):
        drawn = np.unique(generator.choice(asked, len(asked)))
        over_bootstraps.append(agreement(rows[drawn], drawn, seed))
    over_seeds = []
    if reduce_again is not None or clusterer in ("kmeans", "evoc"):
        for other in range(seed + 1, seed + 1 + seeds):
            data = rows[asked] if reduce_again is None else reduce_again(asked, other)
            over_seeds.append(agreement(data, asked, other))
    return Stability(over_bootstraps, over_seeds, len(asked))
