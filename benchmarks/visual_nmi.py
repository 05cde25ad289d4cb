"""How well pictures sort themselves by sub-category: a plain HOG + HSV descriptor against ``local:visual``.

Both go through the same cosine UMAP and k-means (k = 25); the printed figure is the normalised mutual
information (arithmetic mean) between cluster and sub-category, and the pictures described per second.

    python benchmarks/visual_nmi.py --products ../shared/data/products [--limit 4000] [--seeds 3]

``--products`` is a folder with ``products.csv`` (columns ``id``, ``subCategory``) and ``images.zip``
(``images/<id>.jpg``).
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Vectors = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

#: A sub-category with fewer pictures in the whole catalogue cannot have a cluster of its own among 25.
MIN_ITEMS = 100
CLUSTERS = 25


def load_pictures(folder: Path, limit: int | None, seed: int) -> tuple[list[Pixels], npt.NDArray[np.str_]]:
    """RGB pictures and their sub-categories, those with at least MIN_ITEMS pictures."""
    from PIL import Image

    cards = pd.read_csv(folder / "products.csv", dtype=str)
    with zipfile.ZipFile(folder / "images.zip") as archive:
        names = set(archive.namelist())
        cards = cards[[f"images/{number}.jpg" in names for number in cards["id"]]]
        counts = cards["subCategory"].value_counts()
        cards = cards[cards["subCategory"].isin(counts.index[counts >= MIN_ITEMS])]
        if limit is not None and limit < len(cards):
            cards = cards.sample(limit, random_state=seed)
        pictures = []
        for number in cards["id"]:
            with Image.open(io.BytesIO(archive.read(f"images/{number}.jpg"))) as opened:
                pictures.append(np.asarray(opened.convert("RGB")))
    return pictures, cards["subCategory"].to_numpy(dtype=str)


def plain_hog_hsv(pictures: list[Pixels]) -> Vectors:
    """The yardstick: 9-bin HOG of the picture at 64 x 64 (2 x 2 blocks) beside an 8 x 4 x 4 HSV histogram."""
    import cv2
    from skimage.feature import hog

    rows = []
    for rgb in pictures:
        grey = cv2.cvtColor(cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        shape = hog(grey, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm="L2-Hys")
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        colours = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
        rows.append(np.concatenate([shape / np.linalg.norm(shape), colours / np.linalg.norm(colours)]))
    return np.asarray(rows, dtype=np.float32)


def local_visual(pictures: list[Pixels]) -> Vectors:
    """``local:visual`` as the pipeline calls it."""
    from fashion_assets.encoders.local_visual import LocalVisualEncoder

    return LocalVisualEncoder().encode(pictures)


def sorted_by_category(vectors: Vectors, labels: npt.NDArray[np.str_], seed: int) -> float:
    """NMI of k-means clusters in UMAP space with the labels."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap says that a fixed seed means one thread
        space: Any = UMAP(n_neighbors=15, n_components=10, min_dist=0.0, metric="cosine", random_state=seed)
        points = space.fit_transform(vectors)
    clusters = KMeans(CLUSTERS, n_init=4, random_state=seed).fit_predict(points)
    return float(normalized_mutual_info_score(labels, clusters))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="a random sample of N pictures")
    parser.add_argument(
        "--seeds", type=int, default=3, help="UMAP and k-means runs that are averaged (default 3)"
    )
    parser.add_argument("--sample-seed", type=int, default=7, help="seed of the random sample (default 7)")
    arguments = parser.parse_args()
    pictures, labels = load_pictures(arguments.products, arguments.limit, arguments.sample_seed)
    print(f"{len(pictures)} pictures of {len(set(labels))} sub-categories, k = {CLUSTERS}")
    describe: dict[str, Callable[[list[Pixels]], Vectors]] = {
        "HOG + HSV": plain_hog_hsv,
        "local:visual": local_visual,
    }
    results = {}
    for name, function in describe.items():
        function(pictures[:8])  # imports and first calls are not what is measured
        started = time.perf_counter()
        vectors = function(pictures)
        speed = len(pictures) / (time.perf_counter() - started)
        scores = [sorted_by_category(vectors, labels, seed) for seed in range(arguments.seeds)]
        results[name] = float(np.mean(scores))
        each = " ".join(f"{score:.3f}" for score in scores)
        print(
            f"{name:14} d = {vectors.shape[1]:5}  {speed:6.0f} pictures/s  NMI {results[name]:.3f}  ({each})",
            flush=True,
        )
    print(f"ratio          {results['local:visual'] / results['HOG + HSV']:.3f}")


if __name__ == "__main__":
    main()
