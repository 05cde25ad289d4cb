"""Made products with pictures, titles and two attributes, for the tests of heads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.vectors import join_vectors

KINDS = ("dress", "shirt", "shoes")
SEASONS = ("Summer", "Winter")
BRANDS = ("Alba", "Bora", "Cima", "Duna", "Elva", "Fosa", "Gala", "Hora")
WORDS = ("cotton", "linen", "striped", "plain", "soft", "long", "slim", "wide", "classic", "round")


def made_products(n: int = 360, *, seed: int = 0, noise: float = 0.7) -> tuple[pd.DataFrame, ProductFeatures]:
    """(products, features): ``label_kind`` shows in title and picture, ``label_season`` in the picture only.

    Each product is a family of its own; pictures are of ``noise`` around the centre of their kind and season.
    """
    rng = np.random.default_rng(seed)
    kind, season = rng.integers(0, len(KINDS), n), rng.integers(0, len(SEASONS), n)
    centres = np.random.default_rng(99).normal(size=(len(KINDS), len(SEASONS), 12))
    pictures = centres[kind, season] + rng.normal(0, noise, (n, 12))
    titles = [
        f"{BRANDS[rng.integers(len(BRANDS))]} {WORDS[rng.integers(len(WORDS))]} {KINDS[code]} {number_word(row)}"
        for row, code in enumerate(kind)
    ]
    products = pd.DataFrame(
        {
            "id": [f"p{row}" for row in range(n)],
            "title": titles,
            "text": titles,
            "image_digest": [None] * n,
            "label_kind": [KINDS[code] for code in kind],
            "label_season": [SEASONS[code] for code in season],
        }
    )
    vectors = join_vectors(products["id"], {"image": pictures}, model_ids={"image": "made@1"})
    return products, product_features(products, vectors)


def number_word(number: int) -> str:
    """A word of four letters that no other number has: digits would be taken out of names as sizes are."""
    letters = "abcdefghijklmnopqrst"
    return "".join(letters[(number // 20**place) % 20] for place in range(3)) + "z"


def made_split(n: int) -> np.ndarray:
    """Three fifths "train", a fifth "validation", a fifth "test", in turns."""
    return np.array(["train", "train", "train", "validation", "test"], dtype=object)[np.arange(n) % 5]
