"""The real products as the benchmarks of heads and classifiers want them: cards, vectors and a split by family."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.registry import load_encoder
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.heads.space import FeatureSpace
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.splits import product_split


@dataclass(frozen=True)
class RealProducts:
    """``table`` (n rows), its features, and the side of the split of each."""

    table: pd.DataFrame
    features: ProductFeatures
    split: npt.NDArray[np.object_]

    def labels(self, attribute: str) -> npt.NDArray[np.object_]:
        """(n,) values of ``attribute``, None where there is none."""
        return self.table[f"label_{attribute}"].to_numpy(dtype=object)

    def side(self, name: str, attribute: str) -> npt.NDArray[np.intp]:
        """Positions of the products of one side that have a value of ``attribute``."""
        return np.flatnonzero((self.split == name) & self.table[f"label_{attribute}"].notna().to_numpy())

    def pictures(self) -> npt.NDArray[np.float32]:
        """(n, r) picture vectors in the space of the heads, fitted on the training side."""
        space = FeatureSpace().fit(self.features.take(np.flatnonzero(self.split == "train")))
        return space.transform(self.features).dense["image"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--products``, ``--image-encoder``, ``--cache`` and ``--limit``."""
    parser.add_argument(
        "--products", type=Path, required=True, help="folder with products.csv and images.zip"
    )
    parser.add_argument("--image-encoder", default="local:visual", help="onnx:FILE, local:visual, …")
    parser.add_argument("--cache", type=Path, required=True, help="folder in which vectors are kept")
    parser.add_argument("--limit", type=int, help="products drawn at most")


def load(arguments: argparse.Namespace, attributes: list[str]) -> RealProducts:
    """The products that the arguments name, with the label columns ``attributes``."""
    table = take_in_products(arguments.products, attributes).products
    if arguments.limit is not None and arguments.limit < len(table):
        table = table.sample(arguments.limit, random_state=7).sort_index().reset_index(drop=True)
    embedded = embed_products(
        table,
        arguments.products,
        image_encoders=[load_encoder(arguments.image_encoder)],
        cache=EmbeddingCache(arguments.cache),
    )
    return RealProducts(table, product_features(table, embedded.vectors), product_split(table))
