"""Trains the head of one attribute and judges it on unseen product families."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.cards import LABEL_PREFIX
from fashion_assets.products.evaluation import AttributeMetrics, compare_splits, evaluate_attribute
from fashion_assets.products.families import family_split, product_families
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.vectors import ProductVectors
from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class TrainedHead:
    """A head fitted on all labelled products, its metrics on held-out families, and both splits side by side."""

    head: AttributeHead
    metrics: AttributeMetrics
    splits: pd.DataFrame


def train_attribute(
    attribute: str, products: pd.DataFrame, vectors: ProductVectors, *, seed: int = 7
) -> TrainedHead:
    """Judge on families that were not trained on, then fit on every labelled product.

    ``splits`` holds the same classifier on a random row split (flattering: near-identical products stand on
    both sides) beside the family split. Raises UserError if there is no such label column or nothing is
    labelled.
    """
    column = f"{LABEL_PREFIX}{attribute}"
    if column not in products.columns:
        known = [
            name.removeprefix(LABEL_PREFIX) for name in products.columns if name.startswith(LABEL_PREFIX)
        ]
        raise UserError(
            f"the product cards have no label column {attribute!r}; they have {', '.join(known) or 'none'}"
        )
    labelled = products[products[column].notna()].reset_index(drop=True)
    if labelled.empty:
        raise UserError(f"no product card has a value in the label column {attribute!r}")
    labels = labelled[column].astype(str).to_numpy(dtype=object)
    rows = vectors.rows(labelled["id"].astype(str).tolist())
    families = product_families(labelled["title"].tolist(), labelled["image_digest"].tolist())

    def new_head() -> AttributeHead:
        return AttributeHead(attribute, model_id=vectors.model_id, image_width=vectors.image_width)

    def fit_predict(train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]) -> npt.NDArray[np.object_]:
        return new_head().fit(rows[train], labels[train]).predict(rows[test])

    side = family_split(families, labels, seed=seed)
    train, test = np.flatnonzero(side == "train"), np.flatnonzero(side == "test")
    metrics = evaluate_attribute(labels[test], fit_predict(train, test), attribute=attribute, seed=seed)
    splits = compare_splits(labels, families, fit_predict, attribute=attribute, seed=seed)
    return TrainedHead(new_head().fit(rows, labels), metrics, splits)
