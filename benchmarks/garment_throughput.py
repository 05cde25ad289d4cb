"""Pictures a second from file to garment crop, and on to its ``local:visual`` vector, by the pipeline's own calls.

Pictures of a zip (without one: the sample generator's) are written as JPEG files as they are, with a long side of
213 pixels (160 x 213 for a 3:4 picture), and of 1,440 as phones post them. Each set goes through ``garment_images``
(decode, GrabCut, crop as WebP) into an empty folder and then, crop by crop, through ``local:visual``. Besides the
wall clock, which other work on the machine slows down, the processor seconds are printed: a core gives
1 / (CPU seconds a picture).

    OMP_NUM_THREADS=1 python benchmarks/garment_throughput.py [--pictures ZIP] [--limit 200] [--threads 2]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from PIL import Image

from fashion_assets.encoders.local_visual import LocalVisualEncoder
from fashion_assets.media.garments import garment_images
from fashion_assets.media.segmentation import load_segmenter

SIDES = (None, 213, 1440)
QUALITY = 90
ROUNDS = 3
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def from_zip(source: Path) -> Iterator[Image.Image]:
    """Pictures of the archive in a fixed random order."""
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith(SUFFIXES))
        random.Random(5).shuffle(names)
        for name in names:
            try:
                with Image.open(io.BytesIO(archive.read(name))) as opened:
                    yield opened.convert("RGB")
            except OSError:  # empty or cut off, as in any crawl
                continue


def drawn() -> Iterator[Image.Image]:
    """Outfits of the sample generator."""
    from fashion_assets.sample.make import make_sample

    with tempfile.TemporaryDirectory() as folder:
        make_sample(Path(folder))
        for path in sorted(Path(folder).rglob("*.jpg")):
            try:
                with Image.open(path) as opened:
                    yield opened.convert("RGB")
            except OSError:  # the sample holds broken files on purpose
                continue


def write_set(pictures: list[Image.Image], root: Path, side: int | None) -> pd.DataFrame:
    """The pictures as JPEG files under ``root``, and their rows as ``garment_images`` takes them."""
    rows = []
    for number, picture in enumerate(pictures):
        scale = 1.0 if side is None else side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        data = io.BytesIO()
        picture.resize(size, Image.Resampling.BICUBIC).save(data, "JPEG", quality=QUALITY)
        (root / f"{number}.jpg").write_bytes(data.getvalue())
        digest = hashlib.sha256(data.getvalue()).hexdigest()
        rows.append({"image_id": f"p/{number}", "post_id": "p", "path": f"{number}.jpg", "digest": digest})
    return pd.DataFrame(rows).assign(frame=float("nan")).drop_duplicates("digest")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def measure(pictures: pd.DataFrame, root: Path, threads: int) -> list[tuple[str, float, float]]:
    """(stage, wall, processor) seconds a picture, the least of ``ROUNDS`` by processor time."""
    segmenter, encoder = load_segmenter("grabcut"), LocalVisualEncoder(workers=threads)
    stages: dict[str, list[tuple[float, float]]] = {
        "decode + GrabCut + crop": [],
        "local:visual of the crops": [],
    }
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            crops, found = Path(folder), []
            seconds = timed(
                lambda crops=crops, found=found: found.append(
                    garment_images(pictures, root, crops, segmenter, "2024-01", 0.0, workers=threads)
                )
            )
            stages["decode + GrabCut + crop"].append(seconds)
            paths = [crops / path for path in found[0]["crop_path"].dropna()]
            wall, processor = timed(lambda paths=paths: encoder.encode(paths))
            # Rows without garment have no crop; both stages are counted by picture.
            stages["local:visual of the crops"].append((wall, processor))
    least = {name: min(runs, key=lambda run: run[1]) for name, runs in stages.items()}
    rows = [
        (name, wall / len(pictures), processor / len(pictures)) for name, (wall, processor) in least.items()
    ]
    return [*rows, ("both", sum(row[1] for row in rows), sum(row[2] for row in rows))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="ZIP", help="left out: the sample generator's pictures"
    )
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="pictures (default 200)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default 2)")
    arguments = parser.parse_args()
    source = from_zip(arguments.pictures) if arguments.pictures else drawn()
    pictures = [picture for _, picture in zip(range(arguments.limit), source, strict=False)]
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            table = write_set(pictures, Path(folder), side)
            with Image.open(Path(folder) / table["path"].iloc[0]) as first:
                scale = "as they are" if side is None else f"long side {side}"
                print(f"{len(table)} JPEGs, {scale}, the first of {first.width} x {first.height}")
            for stage, wall, processor in measure(table, Path(folder), arguments.threads):
                print(
                    f"  {stage:26} {1 / wall:6.1f} pictures/s on the clock with {arguments.threads} threads, "
                    f"{processor * 1e3:5.1f} ms of CPU a picture = {1 / processor:6.1f}/s a core",
                    flush=True,
                )


if __name__ == "__main__":
    main()
