"""Labels for products from trained heads: the answer, how sure it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.schemas import PRODUCT_PREDICTIONS
from fashion_assets.products.vectors import ProductVectors


def predict_products(
    heads: Sequence[AttributeHead], products: pd.DataFrame, vectors: ProductVectors
) -> pd.DataFrame:
    """One row per product and head (``PRODUCT_PREDICTIONS``), products in order within each head.

    A product with only a picture or only a text is predicted from that and marked in ``inputs``; one without
    a vector is marked "none" and abstained. Raises UserError if a head was trained on another encoder's
    vectors.
    """
    ids = [str(name) for name in products["id"]]
    matrix = vectors.rows(ids)
    image = np.any(matrix[:, : vectors.image_width] != 0, axis=1)
    text = np.any(matrix[:, vectors.image_width :] != 0, axis=1)
    inputs = np.select([image & text, image, text], ["image+text", "image", "text"], "none")
    tables = []
    for head in heads:
        labels, confidence, abstained = head.decide(matrix, model_id=vectors.model_id)
        columns = {"id": ids, "attribute": head.attribute, "label": labels, "confidence": confidence}
        tables.append(pd.DataFrame({**columns, "abstained": abstained, "inputs": inputs}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PRODUCT_PREDICTIONS.names)


def wide_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row per product: id, then ``<attribute>`` and ``<attribute>_confidence`` for each attribute, ""
    where abstained.
    """
    ids = pd.unique(predictions["id"])
    wide = pd.DataFrame({"id": ids})
    for attribute, rows in predictions.groupby("attribute", sort=False):
        rows = rows.set_index("id")
        answers = rows["label"].where(~rows["abstained"].astype(bool), "")
        wide[str(attribute)] = answers.reindex(ids).to_numpy()
        wide[f"{attribute}_confidence"] = rows["confidence"].reindex(ids).to_numpy()
    return wide
