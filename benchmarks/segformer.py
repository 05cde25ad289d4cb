"""What ``segformer:`` costs, and how much of the bare network's speed it reaches.

    python benchmarks/segformer.py [--device cuda] [--count 2] [--threads 2]

A SegFormer of the size of ``segformer_b2_clothes`` (27 M parameters, 512 x 512 input) with random weights, since
speed does not depend on them, on pictures of 384 x 512, what ``garment_images`` decodes to, called from threads. Bare:
forward passes of the same network on batches that lie on the device already. On a CPU both are CPU seconds a picture,
which other work on the machine disturbs little; on a GPU pictures a second. Best of three.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

from fashion_assets.media.segformer import GPU_BATCH
from fashion_assets.media.segmentation import load_segmenter

#: 18, as many as the clothes checkpoint has.
LABELS = ["Background", "Dress", "Face", *["Skirt"] * 15]


def save_b2(folder: Path) -> None:
    config = SegformerConfig(
        depths=[3, 4, 6, 3],
        hidden_sizes=[64, 128, 320, 512],
        decoder_hidden_size=768,
        id2label=dict(enumerate(LABELS)),
    )
    SegformerForSemanticSegmentation(config).save_pretrained(str(folder))
    SegformerImageProcessor(size={"height": 512, "width": 512}).save_pretrained(str(folder))


def seconds(clock: Callable[[], float], work: Callable[[], object]) -> float:
    """Best of three."""
    best = float("inf")
    for _ in range(3):
        start = clock()
        work()
        best = min(best, clock() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", type=int, default=2, help="pictures; on a GPU some hundreds")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    on_cpu = arguments.device == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    pictures = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)).resize((384, 512)))
        for _ in range(arguments.count)
    ]
    size = 1 if on_cpu else GPU_BATCH
    n_batches = max(1, arguments.count // size)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.threads) as pool:
        save_b2(Path(folder))
        segmenter = load_segmenter(f"segformer:{folder}", device=arguments.device)
        network = SegformerForSemanticSegmentation.from_pretrained(folder).eval().to(arguments.device)
        batch = torch.rand(size, 3, 512, 512, device=arguments.device)

        def bare() -> None:
            with torch.inference_mode():
                for _ in range(n_batches):
                    network(pixel_values=batch)
            if not on_cpu:
                torch.cuda.synchronize()

        list(pool.map(segmenter.segment, pictures[: arguments.threads]))
        bare()
        ours = seconds(clock, lambda: list(pool.map(segmenter.segment, pictures))) / arguments.count
        alone = seconds(clock, bare) / (n_batches * size)
    figures = (
        f"{ours:.2f} and {alone:.2f} CPU s a picture"
        if on_cpu
        else f"{1 / ours:.0f} and {1 / alone:.0f} pictures/s"
    )
    print(f"segment and the bare forward pass on {arguments.device}: {figures}; ratio {alone / ours:.2f}")


if __name__ == "__main__":
    main()
