"""Styles of posts that UMAP was not fitted on: nearest centroid in the embedding space against `UMAP.transform`.

    OMP_NUM_THREADS=1 nice -n 5 python benchmarks/umap_rest.py [--n 6000] [--fit 1500] [--seeds 3]

The model is fitted as `style_model` does: UMAP and k-means on a month-stratified sample, then spherical
centroids. Prints for the rest of the posts: the share with the same style either way, the adjusted Rand index
(ARI) of the two answers with each other and of each with the made truth, and microseconds per post. The posts:
unit rows of 12 groups of uneven sizes in six months, group shares drifting; `--noise` is the noise's length
against the group's.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import adjusted_rand_score
from umap import UMAP

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.centroids import nearest_two, settle
from fashion_assets.styles.partition import PartitionParams, find_partition
from fashion_assets.styles.reduction import UMAP_MIN_DIST
from fashion_assets.styles.window import stratified_rows

N_GROUPS, N_MONTHS, COLUMNS = 12, 6, 256


def compare(n: int, n_fit: int, noise: float, seed: int) -> list[float]:
    """k, share of equal styles, the three ARI, and microseconds per post of both ways."""
    generator = np.random.default_rng(seed)
    centres = unit_rows(generator.standard_normal((N_GROUPS, COLUMNS)))
    shares = generator.dirichlet(np.full(N_GROUPS, 4.0), size=2)
    month = generator.integers(N_MONTHS, size=n)
    drift = month / (N_MONTHS - 1)
    truth = np.array([generator.choice(N_GROUPS, p=(1 - t) * shares[0] + t * shares[1]) for t in drift])
    spread = noise / np.sqrt(COLUMNS)
    unit = unit_rows(centres[truth] + spread * generator.standard_normal((n, COLUMNS)))

    months = np.array([f"2024-{value + 1:02d}" for value in month])
    fit_rows = stratified_rows(months, np.arange(n), n_fit, seed)
    rest = np.setdiff1d(np.arange(n), fit_rows)
    params = PartitionParams(seed=seed)
    partition = find_partition(unit[fit_rows], params)
    _, centroids = settle(unit[fit_rows], partition.labels)

    start = time.process_time()
    by_centroid = nearest_two(unit[rest], centroids).first
    centroid_seconds = time.process_time() - start

    reducer = UMAP(
        n_components=params.n_components,
        n_neighbors=params.n_neighbors,
        min_dist=UMAP_MIN_DIST,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    ).fit(unit[fit_rows])
    centre = reducer.embedding_.mean(axis=0)
    if not np.allclose(reducer.embedding_ - centre, partition.reduced, atol=1e-3):
        raise SystemExit("the two fits of UMAP differ, so their answers cannot be compared")
    start = time.process_time()
    moved = reducer.transform(unit[rest]) - centre
    means = np.stack(
        [partition.reduced[partition.labels == label].mean(axis=0) for label in range(partition.k)]
    )
    by_umap = ((moved[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    umap_seconds = time.process_time() - start

    # the same group has the same number either way, unless settling dropped one
    if len(centroids) != partition.k:
        raise SystemExit("a style lost all its posts while it settled; take another seed")
    return [
        partition.k,
        float((by_centroid == by_umap).mean()),
        adjusted_rand_score(by_centroid, by_umap),
        adjusted_rand_score(truth[rest], by_centroid),
        adjusted_rand_score(truth[rest], by_umap),
        1e6 * centroid_seconds / len(rest),
        1e6 * umap_seconds / len(rest),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=6_000, help="posts (default %(default)s)")
    parser.add_argument("--fit", type=int, default=1_500, help="posts of the sample (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="made sets (default %(default)s)")
    parser.add_argument(
        "--noise", type=float, nargs="+", default=[1.5, 2.5, 3.0], help="lengths of the noise"
    )
    arguments = parser.parse_args()
    print(f"{arguments.n} posts, fitted on {arguments.fit}; the rest:")
    print(
        "noise  seed   k   same style   ARI both   ARI centroid, truth   ARI UMAP, truth   us centroid   us UMAP"
    )
    for noise in arguments.noise:
        rows = [compare(arguments.n, arguments.fit, noise, seed) for seed in range(1, arguments.seeds + 1)]
        for seed, row in enumerate([*rows, list(np.mean(rows, axis=0))], start=1):
            name = str(seed) if seed <= arguments.seeds else "mean"
            print(
                f"{noise:5.1f}  {name:>4} {row[0]:4.0f} {row[1]:10.3f} {row[2]:10.3f} {row[3]:15.3f} "
                f"{row[4]:18.3f} {row[5]:14.1f} {row[6]:11.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
