"""Pictures a second and peak memory of the two engines, for one number of pictures and for four times as many.

    python benchmarks/ray_memory.py                                   # made pictures, 240 x 320
    python benchmarks/ray_memory.py --pictures images.zip             # those of an archive, then crops of them

Aim: with four times the pictures the workers take no more memory, and the object store stays within its limit. The
process that asks gets all vectors back, so it grows by them (their size is printed) with either engine.

Every run is a process of its own with an empty cache, on files on disk that no other shares its content with. Its
memory is sampled from /proc every 50 ms: the driver, the workers (all `ray::` processes together, private memory) and
the object store (the pages of its shared memory that were ever used). `start` is the time until the encoder is there,
on Ray with the cluster; `again` until a second one is there, and `call` what a call for a single picture then takes: on
Ray every call starts its workers and loads its encoders anew.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fashion_assets.encoders.ray_session import OBJECT_STORE_BYTES

ROWS = ("driver", "workers", "object store")


def made_pictures(n: int) -> Iterator[bytes]:
    """`n` different JPEGs: coloured noise, coarse and fine."""
    from PIL import Image

    generator = np.random.default_rng(7)
    for _ in range(n):
        coarse = Image.fromarray(generator.integers(0, 256, (8, 6, 3), dtype=np.uint8)).resize((240, 320))
        fine = generator.integers(-12, 13, (320, 240, 1))
        yield _jpeg(Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)))


def archive_pictures(path: Path, n: int) -> Iterator[bytes]:
    """The first `n` pictures of an archive as they are; then each again, less a border that grows by the round."""
    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg"))]
        for number in range(n):
            border, index = divmod(number, len(names))
            content = archive.read(names[index])
            if border:
                picture = Image.open(io.BytesIO(content)).convert("RGB")
                width, height = picture.size
                content = _jpeg(picture.crop((border, border, width - border, height - border)))
            yield content


def _jpeg(picture: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)  # type: ignore[attr-defined]
    return buffer.getvalue()


def encode(engine: str, spec: str, folder: Path, n: int, cache: Path) -> dict[str, float]:
    """Encode the first `n` pictures of the folder into an empty cache, in this process."""
    from fashion_assets.encoders import load_encoder
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.encoders.ray_encoder import RayEncoder

    paths = [folder / f"{number}.jpg" for number in range(n)]
    begin = time.perf_counter()
    encoder = RayEncoder(spec) if engine == "ray" else load_encoder(spec)
    ready = time.perf_counter()
    result = EmbeddingCache(cache).encode_missing(encoder, [path.stem for path in paths], paths)
    done = time.perf_counter()
    assert result.new == n, result.refused
    begin_again = time.perf_counter()
    again = RayEncoder(spec) if engine == "ray" else load_encoder(spec)
    there = time.perf_counter()
    again.encode(paths[:1])
    called = time.perf_counter()
    np.save(cache / "vectors.npy", result.vectors[:1000])
    return {
        "start": ready - begin,
        "seconds": done - ready,
        "again": there - begin_again,
        "call": called - there,
        "vectors_mb": result.vectors.nbytes / 1e6,
    }


def measured(engine: str, spec: str, folder: Path, n: int, cache: Path) -> dict[str, float]:
    """`encode` in a process of its own, with the peaks of its memory in MB."""
    cache.mkdir()
    command = [sys.executable, __file__, "--child", engine, "--encoder", spec, "--folder", str(folder)]
    child = subprocess.Popen(
        [*command, "--count", str(n), "--cache", str(cache)], stdout=subprocess.PIPE, text=True
    )
    peaks = dict.fromkeys(ROWS, 0.0)
    while child.poll() is None:
        for name, value in _memory(child.pid).items():
            peaks[name] = max(peaks[name], value)
        time.sleep(0.05)
    if child.returncode != 0 or child.stdout is None:
        raise SystemExit(f"the {engine} run of {n} pictures failed")
    return {**json.loads(child.stdout.read().splitlines()[-1]), **peaks}


def _memory(root: int) -> dict[str, float]:
    """MB of the process and of what it started, now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended meanwhile
    now = dict.fromkeys(ROWS, 0.0)
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above != root:
            continue
        try:
            title = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode(errors="replace")
            status = (Path("/proc") / str(pid) / "status").read_text().splitlines()
        except OSError:
            continue
        kb = {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith("Rss")}
        if pid == root:
            now["driver"] = (kb.get("RssAnon", 0) + kb.get("RssFile", 0)) / 1000
        elif title.startswith("ray::"):
            now["workers"] += kb.get("RssAnon", 0) / 1000
        elif title.split("\0")[0].endswith("/raylet"):
            now["object store"] += _plasma_mb(pid)
    return now


def _plasma_mb(raylet: int) -> float:
    """What the object store has ever touched of its shared memory."""
    try:
        for handle in (Path("/proc") / str(raylet) / "fd").iterdir():
            if "plasma" in str(handle.readlink()):
                return handle.stat().st_blocks * 512 / 1e6
    except OSError:
        pass  # ended meanwhile
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="a zip of JPEGs; without it pictures are made")
    parser.add_argument("--count", type=int, default=20_000, help="pictures (default %(default)s)")
    parser.add_argument("--encoder", default="local:visual", help="encoder spec (default %(default)s)")
    parser.add_argument("--child", choices=("inline", "ray"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(encode(given.child, given.encoder, given.folder, given.count, given.cache)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        contents = (
            archive_pictures(given.pictures, given.count) if given.pictures else made_pictures(given.count)
        )
        sizes = [(folder / f"{number}.jpg").write_bytes(content) for number, content in enumerate(contents)]
        print(f"{given.count:,} pictures, {sum(sizes) / 1e6:,.0f} MB; {given.encoder}")
        print(
            "engine  pictures  start s  again s  call s  pictures/s  driver MB (vectors)  workers MB  object store MB"
        )
        found: dict[tuple[str, int], dict[str, float]] = {}
        for engine in ("inline", "ray"):
            for n in (given.count // 4, given.count):
                told = measured(engine, given.encoder, folder, n, Path(name) / f"{engine}-{n}")
                found[engine, n] = told
                print(
                    f"{engine:6} {n:9,} {told['start']:8.1f} {told['again']:8.1f} {told['call']:7.1f} "
                    f"{n / told['seconds']:11.0f} {told['driver']:10.0f} "
                    f"({told['vectors_mb']:.0f}) {told['workers']:17.0f} {told['object store']:16.0f}",
                    flush=True,
                )
        few, many = found["ray", given.count // 4], found["ray", given.count]
        print(f"workers at four times the pictures: x {many['workers'] / few['workers']:.2f}")
        print(
            f"object store: {many['object store']:.0f} MB of {OBJECT_STORE_BYTES / 1e6:.0f} MB that it may have"
        )
        vectors = [
            np.load(Path(name) / f"{engine}-{given.count}" / "vectors.npy") for engine in ("inline", "ray")
        ]
        print(
            f"largest difference of a number of a vector between the engines: {np.abs(vectors[0] - vectors[1]).max():g}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
