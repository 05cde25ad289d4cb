"""Exact silhouette from cluster sums against scikit-learn's cosine `silhouette_samples`, in one process.

    OMP_NUM_THREADS=2 python benchmarks/silhouette.py [--n 20000] [--d 512] [--k 100]

Prints both times (best of --repeat for ours, one run for scikit-learn), their ratio (aim: at least 8) and the
largest difference (aim: under 1e-4). scikit-learn needs n x n distances in chunks: about a gigabyte here.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import silhouette_samples as sklearn_silhouette_samples

from fashion_assets.styles.silhouette import macro_average, silhouette_samples


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=20_000, help="rows (default %(default)s)")
    parser.add_argument("--d", type=int, default=512, help="columns (default %(default)s)")
    parser.add_argument("--k", type=int, default=100, help="clusters (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours; the best counts")
    parser.add_argument("--seed", type=int, default=7, help="seed of the made rows (default %(default)s)")
    parser.add_argument(
        "--skip-sklearn", action="store_true", help="for sizes that n x n distances do not fit"
    )
    arguments = parser.parse_args()

    generator = np.random.default_rng(arguments.seed)
    centres = generator.normal(size=(arguments.k, arguments.d)).astype(np.float32)
    labels = generator.integers(0, arguments.k, size=arguments.n)
    x = generator.standard_normal(size=(arguments.n, arguments.d), dtype=np.float32)
    x *= 1.5
    x += centres[labels]

    ours_seconds = []
    for _ in range(arguments.repeat):
        start = time.perf_counter()
        ours = silhouette_samples(x, labels)
        ours_seconds.append(time.perf_counter() - start)
    print(f"rows {arguments.n}  columns {arguments.d}  clusters {arguments.k}")
    print(f"cluster sums   {min(ours_seconds):8.3f} s")
    print(f"micro {ours.mean():.6f}  macro {macro_average(ours, labels):.6f}")
    if arguments.skip_sklearn:
        return
    start = time.perf_counter()
    theirs = sklearn_silhouette_samples(x, labels, metric="cosine")
    theirs_seconds = time.perf_counter() - start
    print(f"scikit-learn   {theirs_seconds:8.3f} s")
    print(f"ratio          {theirs_seconds / min(ours_seconds):8.1f} x   (aim >= 8)")
    print(f"largest difference {np.abs(ours - theirs).max():.2e}   (aim < 1e-4)")


if __name__ == "__main__":
    main()
