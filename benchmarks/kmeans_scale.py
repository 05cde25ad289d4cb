"""k-means of many rows against `faiss.Kmeans` and scikit-learn's Lloyd, in one process, on made embeddings.

    nice -n 5 python benchmarks/kmeans_scale.py [--n 1000000] [--d 768] [--k 300] [--faiss-all] [--lloyd]

Prints seconds, CPU seconds and inertia of each, with ratios. Aims at the full size: at most 1.5 x the time of
faiss (its defaults: 25 rounds on 256 rows per centroid, no labels; ours labels all rows) and at most 1 % above
Lloyd's inertia. scikit-learn (--sklearn-rows, 100,000 by default, 0 for none) runs on the first rows with a k
in proportion, beside ours on the same; --lloyd instead runs Lloyd on all rows, from our start of one seed,
k-means++, with this project's rounds in threads, until scikit-learn's own stop (tol 1e-4) or --lloyd-rounds:
the same algorithm, in less time. Needs `pip install faiss-cpu` (this script only) and n x d x 4 bytes.

The rows: 1.5 k Gaussians of uneven sizes (log-normal) and widths in groups of ten, so that they overlap, with
a spectrum that falls as 1/j like that of real embeddings; a tenth of the rows have heavy tails (Student's t, 3
degrees). They lie about a mean far from zero.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.kmeans import fit_kmeans
from fashion_assets.styles.kmeans_round import rounds_in_threads
from fashion_assets.styles.kmeans_start import plus_plus

Rows = npt.NDArray[np.float32]


def made_rows(n: int, d: int, n_centres: int, seed: int) -> Rows:
    """The made rows (n, d)."""
    generator = np.random.default_rng(seed)
    spectrum = np.arange(1, d + 1, dtype=np.float32) ** -0.5
    spectrum /= np.sqrt((spectrum**2).mean())
    groups = generator.standard_normal((max(2, n_centres // 10), d), dtype=np.float32)
    centres = groups[generator.integers(len(groups), size=n_centres)]
    centres += 0.7 * generator.standard_normal((n_centres, d), dtype=np.float32)
    centres = 0.35 * spectrum * centres + 0.5
    share = generator.lognormal(size=n_centres)
    widths = generator.uniform(0.6, 1.4, n_centres).astype(np.float32)
    labels = generator.choice(n_centres, size=n, p=share / share.sum())
    x = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, 50_000):
        part = slice(start, min(start + 50_000, n))
        own = labels[part]
        heavy = np.minimum(np.sqrt(3.0 / generator.chisquare(3, len(own))), 4.0)
        scale = widths[own] * np.where(generator.random(len(own)) < 0.1, heavy, 1.0).astype(np.float32)
        x[part] = generator.standard_normal((len(own), d), dtype=np.float32)
        x[part] *= spectrum
        x[part] *= scale[:, None]
        x[part] += centres[own]
    return x


def inertia_of(x: Rows, centroids: Rows) -> float:
    """The sum of squared distances of all rows to their nearest of the centroids, about the rows' mean."""
    centre = x[: 1 << 17].mean(axis=0)
    with rounds_in_threads(spherical=False) as rounds:
        return rounds.round(
            lambda part: x[part] - centre, len(x), (centroids - centre).astype(np.float64)
        ).inertia


def lloyd(x: Rows, k: int, seed: int, most: int) -> Rows:
    """Lloyd's algorithm on all rows from k-means++ on 64 k of them, to scikit-learn's stop rule."""
    generator = np.random.default_rng(seed)
    centre = x[: 1 << 17].mean(axis=0)
    tolerance = 1e-4 * float(np.mean(np.var(x[: 1 << 17], axis=0)))
    picked = np.sort(generator.permutation(len(x))[: 64 * k])
    with rounds_in_threads(spherical=False) as rounds:
        centroids = plus_plus(x[picked] - centre, k, generator)
        losses = []
        for _ in range(most):
            done = rounds.round(lambda part: x[part] - centre, len(x), centroids)
            losses.append(done.inertia)
            before = centroids
            centroids, _ = rounds.centroids(done, before, lambda part: x[part] - centre)
            if float(((centroids - before) ** 2).sum()) <= tolerance:
                break
    last = rounds.gain(done, before, centroids) / done.inertia
    print(f"  Lloyd made {len(losses)} rounds; the last gained {last:.1e} of the inertia")
    return np.asarray(centroids + centre, dtype=np.float32)


def timed(name: str, fit: Callable[[], Rows], x: Rows) -> tuple[float, float, float]:
    """Seconds, CPU seconds and inertia of `fit`, printed; CPU seconds say what it took where other work runs beside."""
    start, busy = time.perf_counter(), time.process_time()
    centroids = fit()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    inertia = inertia_of(x, centroids)
    print(
        f"{name:<28} {seconds:8.1f} s {busy:8.1f} CPU s   inertia per row {inertia / len(x):.4f}", flush=True
    )
    return seconds, busy, inertia


def faiss_kmeans(x: Rows, k: int, seed: int, **options: Any) -> Rows:
    """Centroids of `faiss.Kmeans`."""
    import faiss  # type: ignore[import-not-found]

    found = faiss.Kmeans(x.shape[1], k, seed=seed, **options)
    found.train(x)
    return np.asarray(found.centroids)


def sklearn_kmeans(x: Rows, k: int, seed: int) -> Rows:
    """Centroids of scikit-learn's Lloyd, one k-means++ start."""
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(k, n_init=1, random_state=seed, algorithm="lloyd").fit(x).cluster_centers_)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=1_000_000, help="rows (default %(default)s)")
    parser.add_argument("--d", type=int, default=768, help="columns (default %(default)s)")
    parser.add_argument("--k", type=int, default=300, help="clusters (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="seeds, ours and faiss in turns")
    parser.add_argument("--faiss-all", action="store_true", help="faiss on all rows as well, 25 rounds")
    parser.add_argument("--lloyd", action="store_true", help="Lloyd on all rows as well (minutes)")
    parser.add_argument("--lloyd-rounds", type=int, default=300, help="most rounds of --lloyd")
    parser.add_argument("--sklearn-rows", type=int, default=100_000, help="rows for scikit-learn, 0: none")
    arguments = parser.parse_args()
    n, d, k = arguments.n, arguments.d, arguments.k

    x = made_rows(n, d, int(1.5 * k), seed=11)
    print(f"rows {n}  columns {d}  clusters {k}", flush=True)
    ours, theirs = [], []
    for seed in range(arguments.seeds):
        ours.append(timed(f"ours, seed {seed}", lambda s=seed: fit_kmeans(x, k, s).centroids, x))  # type: ignore[misc]
        theirs.append(timed(f"faiss, seed {seed}", lambda s=seed: faiss_kmeans(x, k, s), x))  # type: ignore[misc]
    (seconds, busy, inertia), (faiss_seconds, faiss_busy, faiss_inertia) = (
        np.min(ours, axis=0),
        np.min(theirs, axis=0),
    )
    worst = float(np.max([row[2] for row in ours]))
    print(f"time ours / faiss      {seconds / faiss_seconds:.2f}   (aim <= 1.5)")
    print(f"CPU seconds, the same  {busy / faiss_busy:.2f}   (what stays of it on a busy machine)")
    print(f"inertia ours / faiss   {inertia / faiss_inertia:.4f}")
    if arguments.faiss_all:
        *_, everything = timed("faiss, all rows", lambda: faiss_kmeans(x, k, 0, max_points_per_centroid=n), x)
        print(f"inertia ours / faiss on all rows {inertia / everything:.4f}")
    if arguments.lloyd:
        *_, best = timed("Lloyd, all rows", lambda: lloyd(x, k, 0, arguments.lloyd_rounds), x)
        print(f"inertia ours (worst seed) / Lloyd {worst / best:.4f}   (aim <= 1.01)")
        print(f"inertia faiss / Lloyd             {faiss_inertia / best:.4f}")
    if arguments.sklearn_rows:
        rows, few = x[: arguments.sklearn_rows], max(2, round(k * arguments.sklearn_rows / n))
        print(f"the first {len(rows)} rows, {few} clusters")
        *_, small = timed("ours", lambda: fit_kmeans(rows, few, 0).centroids, rows)
        *_, of_faiss = timed("faiss", lambda: faiss_kmeans(rows, few, 0), rows)
        *_, reference = timed("scikit-learn Lloyd", lambda: sklearn_kmeans(rows, few, 0), rows)
        print(f"inertia ours / scikit-learn  {small / reference:.4f}   (aim <= 1.01)")
        print(f"inertia faiss / scikit-learn {of_faiss / reference:.4f}")


if __name__ == "__main__":
    main()
