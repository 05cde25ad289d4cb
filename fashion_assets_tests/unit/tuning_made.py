"""A tiny shop to fine-tune on: coloured pictures, short Chinese texts, two attributes, some gaps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.finetuning import TunedProducts, finetune_products

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 200, 30)}
KINDS = {"dress": "连衣裙", "suit": "西装", "coat": "羽绒服"}
#: Products without a picture, without a text, without a label of kind.
NO_PICTURE, NO_TEXT, NO_KIND = 5, 7, 9


@dataclass(frozen=True)
class Shop:
    """Products with their pictures in ``folder`` and a split of three parts."""

    products: pd.DataFrame
    folder: Path
    split: npt.NDArray[np.object_]


def make_shop(folder: Path, n_products: int = 30) -> Shop:
    """Pictures of one colour with noise, texts that name the kind."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(n_products):
        colour, kind = list(COLOURS)[number % 3], list(KINDS)[(number // 3) % 3]
        noise = generator.normal(0, 30, (40, 40, 3))
        pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        rows.append(
            {
                "id": str(number),
                "title": KINDS[kind],
                "text": "" if number == NO_TEXT else KINDS[kind] + "的衣" * (number % 4),
                "image_path": None if number == NO_PICTURE else f"images/{number}.png",
                "image_digest": None
                if number == NO_PICTURE
                else hashlib.sha256(pixels.tobytes()).hexdigest(),
                "label_colour": colour,
                "label_kind": None if number == NO_KIND else kind,
            }
        )
    parts = np.array(["train", "train", "train", "validation", "test"], dtype=object)
    return Shop(pd.DataFrame(rows), folder, parts[generator.permutation(np.arange(n_products) % 5)])


def tune(
    shop: Shop,
    image: str | None,
    text: str | None,
    experiments: Path,
    *,
    name: str | None = None,
    progress: Any = None,
    **settings: Any,
) -> TunedProducts:
    """A short fine-tuning on the CPU."""
    quick: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 6,
        "tower_rate": 1e-3,
        "adapter_rate": 1e-2,
        "head_rate": 1e-2,
        "hidden": (16,),
        "augment": False,
    }
    return finetune_products(
        shop.products,
        shop.folder,
        split=shop.split,
        attributes=["colour", "kind"],
        image_encoder=image,
        text_encoder=text,
        experiments=experiments,
        name=name,
        config=TuningConfig(**{**quick, **settings}),
        device="cpu",
        **({} if progress is None else {"progress": progress}),
    )
