"""The k scan that starts each k from the clusters of the next larger k, against ten k-means++ starts for every k.

    OMP_NUM_THREADS=1 python benchmarks/experiments.py [--n 4000] [--d 256] [--clusters 25] [--variants]

Made rows around uneven directions, as they are and by PCA. Prints CPU seconds of both scans over the same k, their
ratio, the silhouette that the warm scan gains or loses per k, and the k that each chooses. With --variants also the
CPU seconds of whole experiments, stability included, on the same rows.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.experiments.experiment import ExperimentParams, run_experiment
from fashion_assets.styles.experiments.variants import variant_of
from fashion_assets.styles.experiments.warm_scan import warm_partitions
from fashion_assets.styles.reduction import reduce_rows
from fashion_assets.styles.selection import choose_k, k_grid, scan_k, score_row

EVERY = 3
"""Each third k of the grid: the cold scan is what takes the time."""


def made_rows(n: int, d: int, clusters: int, noise: float, seed: int) -> npt.NDArray[np.float32]:
    """(n, d) unit rows around directions of uneven size; `noise` is the noise's length."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(clusters, size=n, p=generator.dirichlet(np.full(clusters, 8.0)))
    centres = unit_rows(generator.normal(size=(clusters, d)))
    return unit_rows(centres[labels] + noise * generator.normal(size=(n, d)) / np.sqrt(d))


def compare(name: str, x: npt.NDArray[np.float32], k_max: int, seed: int) -> None:
    """Print one line: both scans of `x`."""
    ks = k_grid(2, k_max, len(x))[::EVERY]
    start = time.process_time()
    scored = [score_row(x, labels, k, inertia) for k, labels, inertia in warm_partitions(x, ks, seed)]
    warm_seconds = time.process_time() - start
    warm = pd.DataFrame(scored)
    start = time.process_time()
    cold = scan_k(x, ks, seed)
    cold_seconds = time.process_time() - start
    both = warm.merge(cold, on="k", suffixes=("_warm", "_cold"))
    gain = both["micro_warm"] - both["micro_cold"]
    print(
        f"{name:10} warm {warm_seconds:6.1f} s  cold {cold_seconds:6.1f} s  {cold_seconds / warm_seconds:4.1f} x   "
        f"silhouette warm - cold: mean {gain.mean():+.4f}, from {gain.min():+.4f} to {gain.max():+.4f}   "
        f"k {choose_k(warm).k} and {choose_k(cold).k}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=4_000, help="rows (default %(default)s)")
    parser.add_argument("--d", type=int, default=256, help="columns (default %(default)s)")
    parser.add_argument("--clusters", type=int, default=25, help="made groups (default %(default)s)")
    parser.add_argument("--noise", type=float, default=2.0, help="length of the noise (default %(default)s)")
    parser.add_argument("--k-max", type=int, default=200, help="largest k (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="made sets (default %(default)s)")
    parser.add_argument("--variants", action="store_true", help="time whole experiments as well")
    arguments = parser.parse_args()
    for seed in range(1, arguments.seeds + 1):
        x = made_rows(arguments.n, arguments.d, arguments.clusters, arguments.noise, seed)
        print(
            f"{arguments.n} x {arguments.d}, {arguments.clusters} groups, noise {arguments.noise:g}, seed {seed}"
        )
        compare("vectors", x, arguments.k_max, seed)
        compare(
            "PCA",
            reduce_rows(x, "pca", n_components=10, n_neighbors=15, seed=seed).rows,
            arguments.k_max,
            seed,
        )
    if not arguments.variants:
        return
    months = np.full(len(x), "2024-01")
    params = ExperimentParams(k_max=arguments.k_max)
    for key in (
        "none-kmeans",
        "none-agglomerative",
        "none-hdbscan",
        "pca-kmeans",
        "pca-hdbscan",
        "umap-kmeans",
    ):
        start = time.process_time()
        result = run_experiment(x, months, variant_of(f"image-{key}"), params, seed)
        print(f"{key:20} {time.process_time() - start:6.1f} s  k {result.k:3}  {result.verdict.sentence}")


if __name__ == "__main__":
    main()
