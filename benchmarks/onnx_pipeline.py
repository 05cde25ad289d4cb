"""An ONNX picture network through the pipeline against the network alone, on the same cores.

Pipeline: files on disk -> decoding -> fit and scale -> network -> vectors in a cold embedding cache. Bare: one
``session.run`` after the other on a float32 batch that is ready in memory, of the same size, in a session with the
defaults of ONNX Runtime. Both run in turns; the printed ratio of the rates is the median of the turns. Decoding needs
the same cores as the network, so on a quiet machine the ratio cannot pass "bound", the network's share of the CPU time
of a picture, by more than what the pipeline's session saves by not spinning. Where others use the cores too, look at
the CPU time of both sides, which they hardly disturb.

    python benchmarks/onnx_pipeline.py --network mobilenet_v2.onnx [--pictures DIR|ZIP] [--limit 512] [--batch 32]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fashion_assets.encoders.batches import reader_count
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.content import content_hashes
from fashion_assets.encoders.onnx_networks import FEATURES, load_onnx

NETWORK = Path(__file__).resolve().parents[2] / "shared/data/weights/mobilenet_v2_imagenet.onnx"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def picture_files(source: Path | None, limit: int, folder: Path) -> list[Path]:
    """``limit`` picture files in a fixed random order: of a folder, a zip, or drawn by the sample generator."""
    if source is None:
        return drawn_files(limit, folder)
    if source.is_dir():
        names = [str(path) for path in source.rglob("*")]
        return [Path(name) for name in chosen(names, limit)]
    with zipfile.ZipFile(source) as archive:
        return [Path(archive.extract(name, folder)) for name in chosen(archive.namelist(), limit)]


def chosen(names: list[str], limit: int) -> list[str]:
    """At most ``limit`` pictures among the names, the same in every run."""
    pictures = sorted(name for name in names if Path(name).suffix.lower() in SUFFIXES)
    return random.Random(3).sample(pictures, min(limit, len(pictures)))


def drawn_files(limit: int, folder: Path) -> list[Path]:
    """Outfits of the sample generator, JPEG."""
    from fashion_assets.sample.pictures import PicturePlan, write_picture
    from fashion_assets.sample.styles import STYLES

    (folder / "post").mkdir(parents=True)
    for number in range(limit):
        style = STYLES[number % len(STYLES)].name
        write_picture(PicturePlan("post", f"{number}.jpg", style, "outfit", (7, number)), folder)
    return sorted(folder.rglob("*.jpg"))


@dataclass(frozen=True)
class Cost:
    """What one picture took: ``wall`` and ``cpu`` (all threads of the process) in seconds."""

    wall: float
    cpu: float


def cost_of(work: Callable[[], object], pictures: int) -> Cost:
    """What one call took, a picture."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost((time.perf_counter() - wall) / pictures, (time.process_time() - cpu) / pictures)


def least_cpu(work: Callable[[], object], pictures: int) -> float:
    """CPU milliseconds a picture, the least of five calls."""
    return min(cost_of(work, pictures).cpu for _ in range(5)) * 1e3


def compare(network: Path, files: list[Path], batch: int, turns: int, folder: Path) -> None:
    """Print rates, ratio, and where the CPU time of a picture goes."""
    import onnxruntime

    encoder = load_onnx(str(network), models_dir=None, device="cpu", batch_size=batch)
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    outputs = [entry.name for entry in session.get_outputs()]
    output, name = FEATURES if FEATURES in outputs else outputs[0], session.get_inputs()[0].name
    tower = encoder.image_tower
    assert tower is not None
    size = sum(file.stat().st_size for file in files) / len(files) / 1e3
    print(
        f"{encoder.model_id}: {len(files)} files of {size:.0f} kB, batch {batch}, "
        f"{len(os.sched_getaffinity(0))} cores, {reader_count()} readers"
    )
    hashes = content_hashes(file.name for file in files)
    first = files[:batch]
    fitted = [tower.read(file) for file in first]
    ready = tower.prepare(fitted)
    n_batches = -(-len(files) // batch)

    def bare() -> None:
        for _ in range(n_batches):
            session.run([output], {name: ready})

    def pipeline() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            EmbeddingCache(Path(cache)).encode_missing(encoder, hashes, files)

    bare()
    runs = [(cost_of(bare, len(ready) * n_batches), cost_of(pipeline, len(files))) for _ in range(turns)]
    ratios = sorted(alone.wall / through.wall for alone, through in runs)
    for number, label in enumerate(("bare", "pipeline")):
        costs = [run[number] for run in runs]
        wall, cpu = (statistics.median(getattr(cost, key) for cost in costs) for key in ("wall", "cpu"))
        print(f"{label:9} {1 / wall:6.1f}/s  CPU {cpu * 1e3:5.2f} ms a picture")
    print(
        f"ratio     {statistics.median(ratios):6.2f}    (turns {', '.join(f'{one:.2f}' for one in ratios)})"
    )
    reading = least_cpu(lambda: [tower.read(file) for file in first], len(first))
    scaling = least_cpu(lambda: tower.prepare(fitted), len(first))
    forward = least_cpu(lambda: tower.forward(ready), len(first))
    spinning = least_cpu(lambda: session.run([output], {name: ready}), len(first))
    print(
        f"CPU       decode and fit {reading:.2f} ms, scale {scaling:.2f} ms, network {forward:.2f} ms "
        f"({spinning:.2f} ms with ONNX Runtime's defaults); bound {forward / (reading + scaling + forward):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", type=Path, default=NETWORK, metavar="ONNX")
    parser.add_argument("--pictures", type=Path, metavar="DIR|ZIP", help="default: drawn ones")
    parser.add_argument("--limit", type=int, default=512, metavar="N", help="pictures (default 512)")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures a batch (default 32)")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="turns (default 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = picture_files(arguments.pictures, arguments.limit, folder / "pictures")
        compare(arguments.network, files, arguments.batch, arguments.turns, folder)


if __name__ == "__main__":
    main()
