"""Near-duplicates: how many copies are found, and how many different pictures are merged by mistake.

Every picture is copied as people do who post it again (cut by up to 3 pixels a side, resized, saved as JPEG
of quality 60 to 78). Printed are the copies that join their original, and the different pictures that are merged:
by the hash alone, confirmed by thumbprints, and confirmed by the vectors of an encoder (``local:visual``) at the
cosine that as many copies reach.

    python benchmarks/near_duplicates.py --pictures FOLDER_OR_ZIP [--limit 500]
"""

from __future__ import annotations

import argparse
import io
import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from fashion_assets.encoders.local_visual import LocalVisualEncoder
from fashion_assets.media.hashing import (
    MAX_DISTANCE,
    MIN_COSINE,
    group_near_duplicates,
    hamming,
    perceptual_hash,
    thumbprint,
    thumbprint_vectors,
)

Pixels = npt.NDArray[np.uint8]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
#: A picture of a thumbnail's size loses its pattern when it is cut and resized.
MIN_SIDE = 200


def pictures(source: Path, limit: int) -> Iterator[Pixels]:
    """At most ``limit`` pictures of a folder or a zip, in a fixed random order."""
    archive = zipfile.ZipFile(source) if source.is_file() else None
    names = (
        archive.namelist()
        if archive
        else [str(path.relative_to(source)) for path in sorted(source.rglob("*"))]
    )
    names = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    random.Random(7).shuffle(names)
    for name in names:
        data = archive.read(name) if archive else (source / name).read_bytes()
        try:
            with Image.open(io.BytesIO(data)) as opened:
                if max(opened.size) < MIN_SIDE:
                    continue
                pixels = np.asarray(opened.convert("RGB"))
        except OSError:  # empty or cut off, as in any crawl
            continue
        yield pixels
        limit -= 1
        if limit == 0:
            return


def posted_again(rgb: Pixels, chance: random.Random) -> Pixels:
    """The picture cut, resized and compressed again."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = (chance.randint(0, 3) for _ in range(4))
    scale = chance.uniform(0.75, 1.1)
    cut = Image.fromarray(rgb).crop((left, top, width - right, height - bottom))
    data = io.BytesIO()
    cut.resize((round(cut.width * scale), round(cut.height * scale))).save(
        data, "JPEG", quality=chance.randint(60, 78)
    )
    with Image.open(data) as opened:
        return np.asarray(opened.convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, metavar="FOLDER_OR_ZIP", help="original pictures"
    )
    parser.add_argument(
        "--limit", type=int, default=500, metavar="N", help="a random sample of N (default 500)"
    )
    arguments = parser.parse_args()
    originals = list(pictures(arguments.pictures, arguments.limit))
    chance = random.Random(1)
    copies = [posted_again(rgb, chance) for rgb in originals]
    n = len(originals)
    everything = originals + copies
    started = time.perf_counter()
    hashes = [perceptual_hash(rgb) for rgb in everything]
    vectors = thumbprint_vectors([thumbprint(rgb) for rgb in everything])
    print(f"{2 * n / (time.perf_counter() - started):.0f} pictures hashed a second")
    distances = np.array([hamming(hashes[i], hashes[n + i]) for i in range(n)])
    cosines = np.einsum("nd,nd->n", vectors[:n], vectors[n:])
    near, alike = distances <= MAX_DISTANCE, cosines >= MIN_COSINE
    lowest = float(np.quantile(cosines, 0.01))
    print(f"{n} copies: {near.mean():.1%} within {MAX_DISTANCE} bits, {(near & alike).mean():.1%} confirmed")
    print(f"{alike.mean():.1%} have a cosine of at least {MIN_COSINE}; 1 % are below {lowest:.3f}")
    encoded = LocalVisualEncoder().encode(everything)
    cosine_of_copies = np.einsum("nd,nd->n", encoded[:n], encoded[n:])
    as_strict = float(np.quantile(cosine_of_copies, 1 - alike.mean()))
    for name, confirm, least in (
        ("hash alone", None, MIN_COSINE),
        ("and thumbprint", vectors[:n], MIN_COSINE),
        (f"and local:visual, cosine {as_strict:.3f}", encoded[:n], as_strict),
    ):
        groups = group_near_duplicates(hashes[:n], confirm=confirm, min_cosine=least)
        print(f"{name:36} {n - len(set(groups.tolist()))} of {n} different pictures are merged into another")


if __name__ == "__main__":
    main()
