"""Decoding at reduced scale: how much quicker than a full decode, and what it changes in the embeddings.

Real product pictures are enlarged to 1080 x 1440 JPEGs (without a zip: the sample generator's pictures). Each
is decoded in turn by Pillow in full, the same and shrunk by Pillow, and by ``decode_image``, for consumers of
256 (hashes, encoders) and 512 pixels (garments). The cosine is that of ``local:visual`` for the full picture
and for what each way gives. Grain is what a camera adds; it makes the files larger, and their entropy decoding
is paid at every scale.

    OMP_NUM_THREADS=1 python benchmarks/decoding.py [--pictures ZIP] [--limit 40] [--grain 0]
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from fashion_assets.encoders.local_visual import LocalVisualEncoder
from fashion_assets.media.decoding import decode_image
from fashion_assets.media.hashing import hamming, perceptual_hash

Pixels = npt.NDArray[np.uint8]
PICTURES = Path(__file__).resolve().parents[2] / "shared/data/products/images.zip"
SIZE = (1080, 1440)
QUALITY = 85
ROUNDS = 3


def originals(source: Path) -> Iterator[Image.Image]:
    """Pictures in a fixed random order: of the zip, or drawn where there is none."""
    if not source.is_file():
        yield from drawn()
        return
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg")))
        random.Random(3).shuffle(names)
        for name in names:
            with Image.open(io.BytesIO(archive.read(name))) as opened:
                yield opened.convert("RGB")


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


def write_jpegs(source: Path, folder: Path, limit: int, grain: float) -> list[Path]:
    """At most ``limit`` files of 1080 x 1440; ``grain`` is the standard deviation of its grey levels."""
    rng = np.random.default_rng(0)
    paths: list[Path] = []
    for picture in originals(source):
        large = np.asarray(picture.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float32)
        noisy = large + rng.normal(0, grain, (SIZE[1], SIZE[0], 1)).astype(np.float32)
        paths.append(folder / f"{len(paths)}.jpg")
        Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8)).save(paths[-1], quality=QUALITY)
        if len(paths) == limit:
            break
    return paths


def in_full(path: Path) -> Pixels:
    """Pillow's full decode."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def in_full_then_shrunk(path: Path, side: int) -> Pixels:
    """Pillow's full decode and its resampling to ``side`` pixels: what a consumer does without reduced scale."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
        picture.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=None)
        return np.asarray(picture)


def reduced_to_a_quarter(path: Path) -> Pixels:
    """360 x 270 pixels as libjpeg gives them, which would do for 256."""
    with Image.open(path) as opened:
        opened.draft(None, (SIZE[0] // 4, SIZE[1] // 4))
        return np.asarray(opened.convert("RGB"))


WAYS: dict[str, Callable[[Path], Pixels]] = {
    "full": in_full,
    "full, to 256": lambda path: in_full_then_shrunk(path, 256),
    "full, to 512": lambda path: in_full_then_shrunk(path, 512),
    "reduced, to 256": lambda path: decode_image(path, max_side=256).rgb,
    "reduced, to 512": lambda path: decode_image(path, max_side=512).rgb,
    "reduced to 1/4": reduced_to_a_quarter,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, default=PICTURES, metavar="ZIP")
    parser.add_argument("--limit", type=int, default=40, metavar="N", help="pictures (default 40)")
    parser.add_argument("--grain", type=float, default=0.0, metavar="LEVELS", help="camera grain (default 0)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    encoder = LocalVisualEncoder(workers=1)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_jpegs(arguments.pictures, Path(folder), arguments.limit, arguments.grain)
        size = sum(path.stat().st_size for path in paths) / len(paths) / 1e3
        print(f"{len(paths)} JPEGs of {SIZE[0]} x {SIZE[1]}, {size:.0f} kB in the mean")
        seconds = {name: np.full(len(paths), np.inf) for name in WAYS}
        for _ in range(ROUNDS):
            for i, path in enumerate(paths):
                for name, decode in WAYS.items():
                    started = time.process_time()
                    decode(path)
                    seconds[name][i] = min(seconds[name][i], time.process_time() - started)
        full = [in_full(path) for path in paths]
        expected, hashes = encoder.encode(full), [perceptual_hash(rgb) for rgb in full]
        for name, decode in WAYS.items():
            pixels = [decode(path) for path in paths]
            cosines = np.einsum("nd,nd->n", expected, encoder.encode(pixels))
            bits = [hamming(a, perceptual_hash(rgb)) for a, rgb in zip(hashes, pixels, strict=True)]
            each = seconds[name].mean()
            print(
                f"{name:16} {each * 1e3:6.2f} ms  {seconds['full'].mean() / each:5.2f} x full  "
                f"cosine min {cosines.min():.4f} mean {cosines.mean():.4f}  hash bits at most {max(bits)}"
            )
        for side in (256, 512):
            ratio = seconds[f"full, to {side}"].mean() / seconds[f"reduced, to {side}"].mean()
            print(f"pixels of {side} from the file: {ratio:.1f} x Pillow's full decode")


if __name__ == "__main__":
    main()
