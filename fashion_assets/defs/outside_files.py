"""Files outside of the lake that an asset partition is, or makes besides its table: where a look at it looks.

Belongs here: from asset, partition and metadata to paths. Does not: what follows if one is gone (``planning``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fashion_assets.defs.product_encoders import product_words_path
from fashion_assets.defs.resources import (
    product_model_path,
    style_model_path,
    tfashion_path,
    word_vectors_path,
)
from fashion_assets.products.model_folder import MANIFEST, RECORD, head_folder
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key
from fashion_assets.tfashion.model import WEIGHTS

#: Pages and pictures that an asset writes for people, under ``reports/``.
PAGES: Mapping[str, tuple[str, ...]] = {
    "monthly_style_report": ("{month}/style_report.html", "{month}/montage.png"),
    "style_atlas": ("style_atlas.html", "style_map.png"),
    "style_experiments_report": ("style_experiments.html",),
    "product_eda": ("product_eda.html",),
    "product_report": ("product_heads.html",),
}


def file_with_checksum(settings: Settings, asset: str, partition: str | None) -> Path | None:
    """The model or the warehouse that an asset partition is: its metadata has the checksum."""
    if asset == "word_vectors":
        return word_vectors_path(settings)
    if asset == "tfashion_model":
        return tfashion_path(settings) / WEIGHTS
    if asset == "style_model":
        return style_model_path(settings, month_of_key(str(partition)))
    return settings.warehouse if asset == "warehouse" else None


def files_looked_for(
    settings: Settings, asset: str, partition: str | None, metadata: Mapping[str, Any]
) -> Iterator[Path]:
    """What has to be there and is compared with no checksum: pages, and the product model, which has its own.

    ``metadata`` of the newest materialisation tells what it made: a head is skipped where no card has its label.
    """
    for name in PAGES.get(asset, ()):
        yield settings.reports / name.format(month=str(partition)[:7])
    if asset == "product_embeddings" and metadata.get("words_of_the_cards", "not used") != "not used":
        yield product_words_path(settings)
    elif asset == "attribute_classifiers" and "kind" in metadata:
        yield head_folder(product_model_path(settings), str(partition)) / RECORD
    elif (
        asset == "product_predictions" and metadata.get("attributes", "none has a head") != "none has a head"
    ):
        yield product_model_path(settings) / MANIFEST
