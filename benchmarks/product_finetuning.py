"""Products a second and peak memory of fine-tuning, with and without cached activations, side by side.

    python benchmarks/product_finetuning.py                                     # tiny networks, any machine
    python benchmarks/product_finetuning.py --size base --count 2048 --device cuda --batch-size 128

A picture tower (timm) and a text tower (sentence-transformers) of random weights learn in their last --blocks blocks,
jointly with two heads. The variants take turns for --rounds epochs each: the whole towers run ("plain"), the blocks
before those that learn are played back from disk ("cached"), LoRA adapters instead of blocks ("adapters"). Tensors and
activations are made before the clock starts; what making the activations costs is printed too. By the clock on a GPU,
in CPU seconds on a CPU. Memory: the GPU's own peak by variant, or the largest resident size of the whole process.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from throughput_networks import save_text_network

from fashion_assets.networks.torch_runtime import pick_device
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.finetuning import finetune_products

#: timm architectures by --size.
PICTURE_NETWORKS = {"tiny": "test_vit", "small": "vit_tiny_patch16_224", "base": "vit_base_patch16_224"}
TEXT_NETWORKS = {"tiny": "tiny", "small": "tiny", "base": "base"}
WORDS = (
    "连衣裙",
    "西装",
    "羽绒服",
    "半身裙",
    "衬衫",
    "牛仔裤",
    "运动鞋",
    "围巾",
    "帽子",
    "大衣",
    "针织",
    "碎花",
    "复古",
)


def made_products(folder: Path, count: int, side: int) -> pd.DataFrame:
    """``count`` products with noisy pictures of ``side`` pixels and texts of 4 to 24 words."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.jpg", quality=85)
        text = " ".join(generator.choice(WORDS, generator.integers(4, 24)))
        rows.append(
            {
                "id": str(number),
                "title": text[:20],
                "text": text,
                "image_path": f"images/{number}.jpg",
                "image_digest": hashlib.sha256(pixels.tobytes()).hexdigest(),
                "label_category": f"class {number % 12}",
                "label_season": f"season {number % 4}",
            }
        )
    return pd.DataFrame(rows)


def save_picture_weights(folder: Path, architecture: str) -> str:
    """The spec of a timm network with random weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    file = folder / f"{architecture}.safetensors"
    save_file(timm.create_model(architecture, pretrained=False).state_dict(), file)
    return f"timm:{architecture}/{file}"


class EpochClock:
    """Notes when each epoch's first and last batch was done, and what came before."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.marks: dict[str, list[float]] = {}

    def __call__(self, words: str, done: int, total: int) -> None:
        self.marks.setdefault(words, []).append(self.now())

    def batches_per_second(self) -> float:
        """Best epoch, without its first batch."""
        spans = [
            (len(marks) - 1) / (marks[-1] - marks[0])
            for words, marks in self.marks.items()
            if words.startswith("epoch") and len(marks) > 1
        ]
        return max(spans)

    def seconds_of(self, start: str) -> float:
        """Seconds between the first and the last call whose words begin with ``start``."""
        return sum(marks[-1] - marks[0] for words, marks in self.marks.items() if words.startswith(start))


def main() -> None:
    arguments = parsed()
    device = pick_device(arguments.device)
    on_gpu = device.startswith("cuda")
    now = time.perf_counter if on_gpu else time.process_time
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        products = made_products(folder / "shop", arguments.count, 160 if arguments.size == "tiny" else 256)
        split = np.array(["train"] * 8 + ["validation", "test"], dtype=object)[np.arange(len(products)) % 10]
        image = save_picture_weights(folder, PICTURE_NETWORKS[arguments.size])
        (folder / "texts").mkdir()
        text = f"st:{save_text_network(folder / 'texts', TEXT_NETWORKS[arguments.size])}"
        blocks = {"n_blocks": arguments.blocks}
        variants: dict[str, dict[str, Any]] = {
            "plain": blocks,
            "cached": {**blocks, "cache_activations": True},
            "adapters": {**blocks, "adapter_rank": 8},
        }
        print(
            f"{arguments.size} networks on {device}, {len(products)} products, batches of {arguments.batch_size}, last "
            f"{arguments.blocks} blocks of each tower learn"
        )
        rates: dict[str, list[float]] = {name: [] for name in variants}
        memory: dict[str, float] = {}
        making = 0.0
        for round_number in range(arguments.rounds):
            for name, settings in variants.items():
                clock = EpochClock(now)
                reset_peak(on_gpu)
                finetune_products(
                    products,
                    folder / "shop",
                    split=split,
                    attributes=["category", "season"],
                    image_encoder=image,
                    text_encoder=text,
                    experiments=folder / "experiments",
                    config=TuningConfig(
                        epochs=2,
                        head_epochs=0,
                        batch_size=arguments.batch_size,
                        augment=False,
                        seed=round_number,
                        **settings,
                    ),
                    device=device,
                    progress=clock,
                )
                rates[name].append(clock.batches_per_second() * arguments.batch_size)
                memory[name] = max(memory.get(name, 0.0), gpu_peak(on_gpu))
                making = max(making, clock.seconds_of("running the frozen"))
        for name, found in rates.items():
            gigabytes = f"   peak {memory[name]:.2f} GB" if on_gpu else ""
            ratio = max(found) / max(rates["plain"])
            print(f"{name:9} {max(found):9.1f} products/s   {ratio:5.2f} x plain{gigabytes}")
        print(f"making the activations once: {making:.1f} s for {len(products)} products")
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        print(f"largest resident size of the process: {resident:.2f} GB")


def reset_peak(on_gpu: bool) -> None:
    if on_gpu:
        import torch

        torch.cuda.reset_peak_memory_stats()


def gpu_peak(on_gpu: bool) -> float:
    """GB that tensors took at most since the last reset; 0 without a GPU."""
    if not on_gpu:
        return 0.0
    import torch

    return torch.cuda.max_memory_allocated() / 1e9


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=list(PICTURE_NETWORKS), default="tiny")
    parser.add_argument("--device", default=None, help="cpu, cuda, cuda:1; default: the best there is")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
