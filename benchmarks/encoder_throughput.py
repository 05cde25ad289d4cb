"""Items a second of an encoder, against the bare forward pass of the same network on data already on the device.

    python benchmarks/encoder_throughput.py --kind pictures                       # ViT-B-16, for a GPU
    python benchmarks/encoder_throughput.py --kind texts --size qwen              # Qwen3-Embedding-0.6B's shape
    python benchmarks/encoder_throughput.py --kind words --size large             # BERT-large, single words
    python benchmarks/encoder_throughput.py --kind pictures --size tiny --count 256 --device cpu

Aim: at least 80 % of the bare pass on a GPU. Ours starts from picture files, posts of the sample generator or words,
and ends with float32 unit rows in their order: reading, decoding, tokenising, transfer there and back, pooling. The
bare pass runs batches of the same sizes, tokenised and padded or fitted and scaled, that lie on the device before the
clock starts, and pools no more than the network does. Weights are random; both sides compute in --precision on a
GPU and in float32 on a CPU. Best of --repeat, in turns; by the clock on a GPU, in CPU seconds on a CPU, where reading
and the network share the cores: a CPU's ratio says what reading costs beside that network, not whether the aim is met.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from throughput_networks import (
    PICTURE_SIZES,
    TEXT_SIZES,
    made_pictures,
    made_texts,
    made_words,
    save_picture_network,
    save_text_network,
)

from fashion_assets.encoders import load_encoder
from fashion_assets.networks.torch_runtime import TorchRuntime, pick_runtime
from fashion_assets.tfashion.word_vectors import WordVectors

AIM = 0.80
#: Different picture files: enough that no cache but the disk's holds them decoded.
PICTURE_FILES = 256


def bare_texts(folder: Path, texts: list[str], runtime: TorchRuntime, batch_size: int) -> Callable[[], None]:
    """The network over batches by length that lie on the device."""
    import torch
    from transformers import AutoModel, AutoTokenizer, logging

    logging.set_verbosity_error()  # or it lists the pooler, which is left out on purpose
    inside = folder.parent / "network"
    options: dict[str, Any] = {} if "qwen" in folder.name else {"add_pooling_layer": False}
    network: Any = AutoModel.from_pretrained(inside, dtype=runtime.dtype, **options)
    network = network.eval().to(runtime.device)
    tokenizer = AutoTokenizer.from_pretrained(inside)
    ranked = sorted(texts, key=len, reverse=True)
    batches = [
        tokenizer(ranked[start : start + batch_size], padding=True, truncation=True, return_tensors="pt").to(
            runtime.device
        )
        for start in range(0, len(ranked), batch_size)
    ]

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                network(**batch)

    return run


def bare_pictures(folder: Path, count: int, runtime: TorchRuntime, batch_size: int) -> Callable[[], None]:
    """The picture tower over one ready batch on the device, as often as ``count`` needs."""
    import open_clip
    import torch

    network: Any = open_clip.create_model(f"local-dir:{folder}")
    network = network.eval().to(runtime.device, runtime.dtype)
    pixels = torch.randn(batch_size, 3, 224, 224).to(runtime.device, runtime.dtype)

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, count, batch_size):
                network.encode_image(pixels[: count - start])

    return run


def seconds(call: Callable[[], Any], wait: Callable[[], None], clock: Callable[[], float]) -> float:
    wait()
    start = clock()
    call()
    wait()
    return clock() - start


def device_name(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def sides(
    given: argparse.Namespace, folder: Path, runtime: TorchRuntime, batch_size: int
) -> tuple[Callable[[], Any], Callable[[], None]]:
    """(ours, bare): what is timed against each other."""
    items: list[Any]
    if given.kind == "pictures":
        network = save_picture_network(folder, given.size)
        items = made_pictures(given.count, PICTURE_FILES, given.seed, folder)
        bare = bare_pictures(network, given.count, runtime, batch_size)
    else:
        network = save_text_network(folder, given.size)
        items = (made_words if given.kind == "words" else made_texts)(given.count, given.seed)
        bare = bare_texts(network, items, runtime, batch_size)
    encoder = load_encoder(
        f"{'open_clip' if given.kind == 'pictures' else 'st'}:{network}",
        device=runtime.device,
        batch_size=batch_size,
        precision=given.precision,
        compile=given.compile,
    )
    ours = WordVectors(encoder).encode if given.kind == "words" else encoder.encode
    return lambda: ours(items), bare


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("pictures", "texts", "words"), default="pictures")
    parser.add_argument("--size", choices=TEXT_SIZES, default="base", help="of the network (%(default)s)")
    parser.add_argument("--count", type=int, default=16_384, help="items (default %(default)s)")
    parser.add_argument("--batch-size", type=int, help="items a batch; left out, the device's default")
    parser.add_argument("--device", default="cuda", help="cpu to run without a GPU (default %(default)s)")
    parser.add_argument("--precision", default="bfloat16", help="on a GPU (default %(default)s)")
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile for ours, not for the bare pass"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each; the best counts")
    parser.add_argument("--seed", type=int, default=7, help="seed of the made items (default %(default)s)")
    given = parser.parse_args()
    if given.kind == "pictures" and given.size not in PICTURE_SIZES:
        parser.error(f"--kind pictures has the sizes {', '.join(PICTURE_SIZES)}")
    return given


def main() -> int:
    import torch

    given = arguments()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("skipped: there is no CUDA device here; --device cpu shows that both sides run")
        return 0
    runtime = pick_runtime(given.device, given.batch_size, given.precision, given.compile)
    batch_size = runtime.batch_size()
    on_gpu = runtime.device.startswith("cuda")
    wait: Callable[[], None] = torch.cuda.synchronize if on_gpu else lambda: None
    # On a CPU what the processor did, or the other jobs of the machine would be measured as well.
    clock = time.perf_counter if on_gpu else time.process_time
    with tempfile.TemporaryDirectory() as name:
        ours, bare = sides(given, Path(name), runtime, batch_size)
        # The first pass loads kernels, picks them by shape and, with --compile, makes them.
        bare()
        ours()
        pairs = [(seconds(bare, wait, clock), seconds(ours, wait, clock)) for _ in range(given.repeat)]
    best_bare, best_ours = np.min(pairs, axis=0)
    compiled = ", compiled" if given.compile else ""
    print(f"device {device_name(runtime.device)}, {runtime.precision}{compiled}, {batch_size} items a batch")
    print(f"network {given.size}, {given.count:,} {given.kind}")
    print(f"bare forward pass  {given.count / best_bare:10,.0f} {given.kind}/s")
    print(f"encoder            {given.count / best_ours:10,.0f} {given.kind}/s")
    print(f"ratio              {best_bare / best_ours:10.2f}   (aim on a GPU >= {AIM:.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
