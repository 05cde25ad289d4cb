"""Labelled products to train on: taken in, with what they can teach and the split that they keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.intake import ProductIntake, take_in_products
from fashion_assets.products.picture_facts import Progress
from fashion_assets.products.splits import stored_or_new_split
from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class TrainingProducts:
    """``intake`` with the label columns ``attributes``, the ``split`` (``PRODUCT_SPLIT``, in the products' order), and
    sentences about all of it.
    """

    intake: ProductIntake
    attributes: tuple[str, ...]
    split: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def products(self) -> pd.DataFrame:
        return self.intake.products


def training_products(
    source: Path,
    root: Path,
    labels: tuple[str, ...] | None = None,
    *,
    encoding: str | None = None,
    seed: int = 7,
    progress: Progress = lambda words, done, total: None,
) -> TrainingProducts:
    """The products of ``source`` to train the model in ``root`` on, heads and encoders alike.

    Raises UserError if nothing can be learned from them, and as ``take_in_products`` and ``stored_or_new_split``.
    """
    intake = take_in_products(source, labels, encoding=encoding, progress=progress)
    products, notes = intake.products, intake.sentences()
    attributes = tuple(name.removeprefix("label_") for name in label_columns_of(products))
    if products.empty or not attributes:
        raise UserError(
            f"{source} has {'no usable product' if products.empty else 'no label column'}: {'; '.join(notes)}"
        )
    progress("splitting by product family", 0, 0)
    split, kept = stored_or_new_split(root, products, seed=seed)
    return TrainingProducts(intake, attributes, split, (*notes, *([kept] if kept else [])))
