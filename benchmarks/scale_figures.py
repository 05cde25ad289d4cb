"""The figures of docs/scale.md that no other script prints: what a crop, a vector and a hash cost.

    OMP_NUM_THREADS=1 python benchmarks/scale_figures.py

No aim. Crops are those of the sample generator's pictures (GrabCut, WebP, at most 256 pixels). CPU seconds of one
thread, the least of three rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from garment_throughput import drawn, write_set

from fashion_assets.encoders.cache import SHARD_ROWS, EmbeddingCache
from fashion_assets.encoders.compaction import SHARDS_IN_ONE
from fashion_assets.encoders.pictures import picture_pixels
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.shards import list_shards, shard_hashes
from fashion_assets.media.garments import garment_images
from fashion_assets.media.segmentation import load_segmenter

ROUNDS = 3
DIM = 768
#: A run with little new, and a month of 100 M pictures in 84 months.
WANTED = (10_000, 1_200_000)


class NoEncoder:
    """Names the vectors of a cache; encodes nothing."""

    model_id = "figures@1"
    modality: Modality = "text"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        raise NotImplementedError("this benchmark only looks up")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of the call, the least of ``ROUNDS``."""
    least = float("inf")
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        least = min(least, time.process_time() - before)
    return least


def digests(n: int, what: str) -> list[str]:
    return [hashlib.sha256(f"{what} {number}".encode()).hexdigest() for number in range(n)]


def crops(n: int) -> None:
    """Bytes of a crop, and CPU seconds from its file to pixels."""
    with tempfile.TemporaryDirectory() as name:
        root, folder = Path(name) / "pictures", Path(name) / "crops"
        root.mkdir()
        pictures = write_set([picture for _, picture in zip(range(n), drawn(), strict=False)], root, None)
        found = garment_images(pictures, root, folder, load_segmenter("grabcut"), "2024-01", 0.0, workers=1)
        paths = [folder / path for path in found["crop_path"].dropna()]
        cv2.setNumThreads(1)
        seconds = cpu_seconds(lambda: [picture_pixels(path) for path in paths]) / len(paths)
        stored = np.mean([path.stat().st_size for path in paths])
        raw = np.mean([picture_pixels(path).nbytes for path in paths])
    print(
        f"{len(paths)} crops: {stored / 1e3:.1f} KB each as WebP, {raw / 1e3:.0f} KB as pixels; "
        f"{seconds * 1e3:.2f} ms of CPU each to decode = {1 / seconds:,.0f} a core"
    )


def shard(root: Path) -> None:
    """Bytes of a row of a shard."""
    vectors = np.random.default_rng(0).normal(size=(SHARD_ROWS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    path = EmbeddingCache(root).store("shard@1", digests(SHARD_ROWS, "row"), vectors)
    groups = pq.read_metadata(path)
    hashes = sum(
        groups.row_group(group).column(0).total_compressed_size for group in range(groups.num_row_groups)
    )
    size = path.stat().st_size
    print(
        f"a shard of {SHARD_ROWS:,} rows x {DIM}: {size / 1e6:.1f} MB, {size / SHARD_ROWS:,.0f} B a row, "
        f"of it {hashes / SHARD_ROWS:.1f} B of hash"
    )


def look_up(root: Path, n: int) -> None:
    """Memory of the hashes that a process holds, and CPU seconds to probe them."""
    cache, encoder, kept, rows = (
        EmbeddingCache(root),
        NoEncoder(2),
        digests(n, "kept"),
        SHARD_ROWS * SHARDS_IN_ONE,
    )
    for start in range(0, n, rows):
        part = kept[start : start + rows]
        cache.store(encoder.model_id, part, np.ones((len(part), 2), dtype=np.float32))
    memory = sum(shard_hashes(path).nbytes for path in list_shards(cache.folder(encoder.model_id)))
    print(
        f"{n:,} hashes in {len(list_shards(cache.folder(encoder.model_id)))} shards: {memory / n:.0f} B of memory each"
    )
    for count in WANTED:
        wanted = digests(count, "wanted")
        cache.lookup(encoder, wanted)
        seconds = cpu_seconds(lambda wanted=wanted: cache.lookup(encoder, wanted))
        print(f"  looking for {count:,} others among them: {seconds:.2f} CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, default=400, help="pictures to cut out (default %(default)s)")
    parser.add_argument("--hashes", type=int, default=1_000_000, help="rows to look up (default %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        shard(Path(name))
        look_up(Path(name), given.hashes)
    crops(given.crops)


if __name__ == "__main__":
    main()
