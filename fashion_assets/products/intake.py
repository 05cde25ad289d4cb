"""From a folder or zip to kept and refused products, and what to tell the person who brought them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fashion_assets.products.cards import Purpose, clean_products, read_product_cards
from fashion_assets.products.counted import counted
from fashion_assets.products.picture_facts import Progress
from fashion_assets.products.pictures import open_product_images

# How many places a sentence names before it only counts.
NAMED_PLACES = 3


@dataclass(frozen=True)
class ProductIntake:
    """``products`` and ``quarantined`` of ``arrived`` cards; ``pictures`` found, and those that no card names."""

    products: pd.DataFrame
    quarantined: pd.DataFrame
    arrived: int
    pictures: int
    unnamed_pictures: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What arrived, what was refused and why, what is missing: one sentence each, only those that apply."""
        lines = [
            f"{counted(self.arrived, 'card')} arrived: {len(self.products):,} kept, {len(self.quarantined):,} refused"
        ]
        for _, rows in self.quarantined.groupby("column", sort=True):
            first = rows.iloc[0]
            more = f" (and {counted(len(rows) - 1, 'more card')} for {first['column'] or 'the row'})"
            lines.append(
                f"{first['source_file']}:{first['source_row']}:{first['column']}: {first['reason']}"
                + (more if len(rows) > 1 else "")
            )
        noted = self.products[self.products["note"].notna()]
        for _, rows in noted.groupby(noted.apply(_what_is_missing, axis=1)) if len(noted) else ():
            more = f" (and {counted(len(rows) - 1, 'more product')})" if len(rows) > 1 else ""
            lines.append(f"product {rows['id'].iloc[0]}: {rows['note'].iloc[0]}{more}")
        if self.unnamed_pictures:
            named = ", ".join(self.unnamed_pictures[:NAMED_PLACES])
            also = ", …" if len(self.unnamed_pictures) > NAMED_PLACES else ""
            lines.append(
                f"{counted(len(self.unnamed_pictures), 'picture')} of {self.pictures:,} not used ({named}{also}): no "
                "card has that id, or its card has another picture; a picture is named after its card's id"
            )
        return lines


def take_in_products(
    source: Path,
    label_columns: Sequence[str] | None = None,
    *,
    purpose: Purpose = "training",
    encoding: str | None = None,
    progress: Progress | None = None,
) -> ProductIntake:
    """The products of a folder or zip, read and cleaned; ``len(products) + len(quarantined) == arrived``.

    Raises as ``read_product_cards`` and ``open_product_images``.
    """
    cards = read_product_cards(source, label_columns, encoding)
    with open_product_images(source) as images:
        kept, refused = clean_products(cards, images, purpose=purpose, progress=progress)
        unnamed = images.unnamed(str(name).strip() for name in cards["id"].dropna())
        return ProductIntake(kept, refused, len(cards), len(images), tuple(unnamed))


def _what_is_missing(product: pd.Series[str]) -> str:
    """So that thousand missing pictures are one sentence."""
    if product["text"] == "":
        return "text"
    return "picture" if product["note"].startswith("no picture") else "usable picture"
