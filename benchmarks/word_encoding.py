"""Words a second of `WordVectors` with a sentence network, against the bare forward pass of the same network.

    python benchmarks/word_encoding.py                              # BERT-large (24 x 1024), for a GPU
    python benchmarks/word_encoding.py --size tiny --count 3000     # 2 x 128, under a minute on a CPU
    python benchmarks/word_encoding.py --size base --count 320      # 12 x 768

Aim: at least 80 % of the bare pass. Ours starts from words and ends with float32 unit rows in their order: batches
by length, tokenising ahead, transfer there and back. The bare pass runs the same batches, tokenised, padded and on
the device before the clock starts, and pools nothing. Weights are random, the architecture is BERT's; the
encoder is `st-bf16`, so both compute in bfloat16 on a GPU and in float32 on a CPU. Best of --repeat, in turns; by
the clock on a GPU, in CPU seconds on a CPU. A tiny network enlarges what ours adds: the aim is for BERT-large on a
GPU, and no CPU figure says whether it is reached.
"""

from __future__ import annotations

import argparse
import platform
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fashion_assets.encoders import load_encoder
from fashion_assets.networks.torch_runtime import pick_batch_size, pick_device
from fashion_assets.tfashion.word_vectors import WordVectors

AIM = 0.80
#: Layers, width, attention heads.
SIZES = {"large": (24, 1024, 16), "base": (12, 768, 12), "tiny": (2, 128, 2)}
CHARACTERS = [chr(0x4E00 + at) for at in range(6000)]
#: Lengths of the distinct words of posts, roughly: shares of words of 2, 3, 4, 5, 6 and 10 characters.
LENGTHS, SHARES = (2, 3, 4, 5, 6, 10), (50, 20, 18, 6, 4, 2)


def save_network(folder: Path, size: str) -> Path:
    """A sentence transformer with random weights and a vocabulary of single characters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    layers, width, heads = SIZES[size]
    bert, whole = folder / "bert", folder / f"random-bert-{size}"
    bert.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (bert / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(str(bert / "vocab.txt"), model_max_length=512).save_pretrained(str(bert))
    torch.manual_seed(0)
    config = BertConfig(
        # As many rows as BERT's Chinese vocabulary has.
        vocab_size=21_128,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    BertModel(config).save_pretrained(str(bert))
    modules = [Transformer(str(bert)), Pooling(width, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(whole))
    return whole


def made_words(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(draw.choices(CHARACTERS, k=draw.choices(LENGTHS, SHARES)[0]))] = None
    return list(words)


def bare_pass(
    folder: Path, words: list[str], device: str, batch_size: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """(run, wait): the network over batches by length that lie on the device; wait until the device is done."""
    import torch
    from transformers import AutoTokenizer, BertModel, logging

    logging.set_verbosity_error()  # or it lists the pooler, which is left out on purpose
    on_gpu = device.startswith("cuda")
    network = BertModel.from_pretrained(
        folder.parent / "bert", dtype=torch.bfloat16 if on_gpu else torch.float32, add_pooling_layer=False
    )
    network = network.eval().to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder.parent / "bert")
    ranked = sorted(words, key=len, reverse=True)
    batches = [
        tokenizer(ranked[start : start + batch_size], padding=True, return_tensors="pt").to(device)
        for start in range(0, len(ranked), batch_size)
    ]

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                network(**batch)

    return run, torch.cuda.synchronize if on_gpu else lambda: None


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="large", help="of the network (default %(default)s)")
    parser.add_argument("--count", type=int, default=20_000, help="words (default %(default)s)")
    parser.add_argument("--batch-size", type=int, help="words a batch; left out, the device's default")
    parser.add_argument("--device", help="cpu, cuda …; left out, the best there is")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each; the best counts")
    parser.add_argument("--seed", type=int, default=7, help="seed of the made words (default %(default)s)")
    given = parser.parse_args()
    device = pick_device(given.device)
    batch_size = pick_batch_size(given.batch_size, device)
    words = made_words(given.count, given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = save_network(Path(name), given.size)
        vectors = WordVectors(load_encoder(f"st-bf16:{folder}", device=device, batch_size=batch_size))
        run, wait = bare_pass(folder, words, device, batch_size)
        # The first pass loads kernels and, on a GPU, picks them by shape.
        run()
        vectors.encode(words[:: max(1, len(words) // 2000)])
        # On a CPU what the processor did, or the other jobs of the machine would be measured as well.
        clock = time.perf_counter if device.startswith("cuda") else time.process_time
        pairs = [
            (seconds(run, wait, clock), seconds(lambda: vectors.encode(words), wait, clock))
            for _ in range(given.repeat)
        ]
    bare, ours = np.min(pairs, axis=0)
    layers, width, _ = SIZES[given.size]
    kind = "bfloat16" if device.startswith("cuda") else "float32"
    print(f"device {device_name(device)}, {kind}, {batch_size} words a batch")
    print(f"network {given.size} ({layers} x {width}), {len(words):,} distinct words")
    print(f"bare forward pass  {len(words) / bare:10,.0f} words/s")
    print(f"WordVectors        {len(words) / ours:10,.0f} words/s")
    print(f"ratio              {bare / ours:10.2f}   (aim >= {AIM:.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
