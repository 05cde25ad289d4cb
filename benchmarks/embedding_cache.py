"""Claim: what is cached costs next to nothing, against encoding it again with the cheapest text encoder.

    python benchmarks/embedding_cache.py [--texts 20000]

Prints texts a second with an empty and with a full cache, side by side, and their ratio.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.cbow_training import lexicon_cbow
from fashion_assets.keywords.lexicon import load_lexicon


def made_texts(n_texts: int) -> list[str]:
    """Texts of 40 lexicon terms each, all different."""
    generator = np.random.default_rng(7)
    terms = np.asarray(load_lexicon().terms())
    return [f"{number} " + " ".join(generator.choice(terms, 40)) for number in range(n_texts)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--texts", type=int, default=20_000, metavar="N", help="made texts, all different (default 20000)"
    )
    texts = made_texts(parser.parse_args().texts)
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    encoder = lexicon_cbow()
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for state in ("empty", "full"):
            started = time.perf_counter()
            result = EmbeddingCache(Path(folder)).encode_missing(encoder, hashes, texts)
            seconds.append(time.perf_counter() - started)
            print(
                f"{state:5} cache: {len(texts) / seconds[-1]:10,.0f} texts/s  new {result.new}  "
                f"reused {result.reused}"
            )
    print(f"ratio: {seconds[0] / seconds[1]:.1f}x with {encoder.model_id}")


if __name__ == "__main__":
    main()
