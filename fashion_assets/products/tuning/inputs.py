"""What a fine-tuning learns from: the parts of the split, labels as codes, pictures and texts as sides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.media.decoding import DECODING
from fashion_assets.products.cards import label_column
from fashion_assets.products.embedding import packed_picture
from fashion_assets.products.labels import label_text
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.epochs import Progress
from fashion_assets.products.tuning.joint_heads import AttributeCodes, attribute_codes
from fashion_assets.products.tuning.sides import Side
from fashion_assets.products.tuning.towers import LoadedSide, SideItems, build_side
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.pictures import ProductImages


def parts_of_split(split: npt.NDArray[np.object_], n_products: int) -> dict[str, npt.NDArray[np.int64]]:
    """Part -> positions of its products. Raises UserError for a part without any, or a split of other products."""
    if len(split) != n_products:
        raise UserError(
            f"there are {n_products} products and a split of {len(split)}; give one part per product"
        )
    parts = {name: np.flatnonzero(np.asarray(split) == name) for name in ("train", "validation", "test")}
    for name, rows in parts.items():
        if not len(rows):
            raise UserError(
                f"the split of {n_products} products has no {name} part; fine-tuning needs train, validation and test"
            )
    return parts


def learnable_codes(
    labels: dict[str, npt.NDArray[np.object_]], train: npt.NDArray[np.int64], config: TuningConfig
) -> tuple[list[AttributeCodes], list[str]]:
    """(codes of the attributes that can be learned, a sentence about each other one). UserError if none can."""
    codes, left_out = [], []
    for name, values in labels.items():
        try:
            codes.append(attribute_codes(name, list(values), train, config.class_weight_power))
        except UserError as error:
            left_out.append(f"{name} is left out: {error}")
    if not codes:
        raise UserError(f"no attribute can be learned: {'; '.join(left_out)}")
    return codes, left_out


def label_values(products: pd.DataFrame, attribute: str) -> npt.NDArray[np.object_]:
    """(n,) label of each product, None for none. Raises UserError if there is no such column."""
    column = label_column(attribute)
    if column not in products.columns:
        raise UserError(f"the products have no label column {attribute!r}")
    return np.array([label_text(value) for value in products[column]], dtype=object)


def digest_of_data(
    products: pd.DataFrame, labels: dict[str, npt.NDArray[np.object_]], split: npt.NDArray[np.object_]
) -> str:
    """SHA-256 of what is learned from: ids, texts, pictures, labels, split."""
    said = [
        products["id"].astype(str).tolist(),
        products["text"].fillna("").tolist(),
        products["image_digest"].fillna("").tolist(),
        {name: values.tolist() for name, values in labels.items()},
        list(split),
        DECODING,
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, default=str).encode()).hexdigest()


def build_sides(
    products: pd.DataFrame,
    source: Path,
    loaded: Sequence[LoadedSide],
    config: TuningConfig,
    folder: Path,
    device: str,
    progress: Progress,
) -> tuple[list[Side], list[str]]:
    """(the sides, sentences about what they lack)."""
    sides, notes = [], []
    with open_product_images(source) as images:
        for one in loaded:
            content = side_items(products, images, one.name)
            side, refused = build_side(one, content, config, folder, device, progress)
            missing = int((~side.has).sum())
            if missing:
                kind = "picture" if one.name == "image" else "text"
                notes.append(f"{missing:,} of {len(products):,} products go without a {kind}")
            notes += [f"a picture that cannot be read: {reason}" for reason in refused.values()]
            sides.append(side)
    return sides, notes


def side_items(products: pd.DataFrame, images: ProductImages, name: str) -> SideItems:
    """The different pictures or texts of the products."""
    if name == "text":
        keys = products["text"].fillna("").str.strip().to_numpy(dtype=object)
        present = keys != ""
        items: list[Any] = list(products["text"].fillna(""))
    else:
        present = products["image_path"].notna().to_numpy() & products["image_digest"].notna().to_numpy()
        keys = products["image_digest"].fillna("").to_numpy(dtype=object)
        paths = zip(products["image_path"], present, strict=True)
        items = [packed_picture(images, path) if there else None for path, there in paths]
    first: dict[str, int] = {}
    rows = np.full(len(products), -1, dtype=np.int64)
    chosen = []
    for at in np.flatnonzero(present):
        if keys[at] not in first:
            first[keys[at]] = len(first)
            chosen.append(items[at])
        rows[at] = first[keys[at]]
    return SideItems(chosen, [str(key) for key in first], rows)
