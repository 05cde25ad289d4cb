"""Trains the head of one attribute: kinds are chosen on validation families, judged on test families, fitted on all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.products.cards import label_column, label_columns_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.config import HeadConfig
from fashion_assets.products.heads.head import AttributeHead, check_vectors
from fashion_assets.products.heads.run import HeadRun
from fashion_assets.products.heads.trained import TrainedHead as TrainedHead
from fashion_assets.products.labels import label_text
from fashion_assets.storage.errors import UserError


def train_attribute(
    attribute: str,
    products: pd.DataFrame,
    features: ProductFeatures,
    split: npt.NDArray[np.object_],
    *,
    config: HeadConfig | None = None,
    journal: Path | None = None,
) -> TrainedHead:
    """The head of ``attribute`` (a column ``label_<attribute>`` of ``products``) and what it is worth.

    ``features`` (n,) and ``split`` (n,) "train" | "validation" | "test" belong to the rows of ``products``. Work that
    does not depend on labels is done once per ``features`` object. With ``journal``, a file that trainings may share, a
    search of options that was killed goes on where it was. The same on any number of BLAS threads; networks of
    PyTorch keep those that they have. Raises UserError if there is no such column, nothing is labelled, or lengths
    differ.
    """
    config = config or HeadConfig()
    first = config.candidates[0]
    head = AttributeHead(
        attribute,
        kind=first.kind,
        embedding_transform=first.embedding_transform,
        abstain_below=config.abstain_below,
        seed=config.seed,
    )
    codes = head.set_classes(_labels(attribute, products, features, split))
    if len(head.classes_) == 1:
        head.adopt(features.vectors.model_id, None, None)
    else:
        check_vectors(attribute, features)
    parts = np.asarray(split, dtype=object)
    with one_blas_thread():
        return HeadRun(head, codes, features, parts, config, products, journal).run()


def _labels(
    attribute: str, products: pd.DataFrame, features: ProductFeatures, split: npt.NDArray[np.object_]
) -> list[str | None]:
    column = label_column(attribute)
    if column not in products.columns:
        known = [name.removeprefix("label_") for name in label_columns_of(products)]
        raise UserError(
            f"the product cards have no label column {attribute!r}; they have {', '.join(known) or 'none'}"
        )
    if len({len(products), len(features), len(split)}) > 1:
        raise UserError(
            f"there are {len(products)} products, {len(features)} features and {len(split)} rows of the split; give "
            "one each per product"
        )
    return [label_text(label) for label in products[column]]
