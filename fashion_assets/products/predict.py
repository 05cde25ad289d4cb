"""Labels for products from trained heads: the answer, how sure it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead, JointDecoder
from fashion_assets.products.heads.together import decide_together
from fashion_assets.products.schemas import PRODUCT_PREDICTIONS

#: Column of a predictions file: "together" where the joint decoder chose the labels, else "alone".
DECIDED = "decided"


def inputs_of(
    features: ProductFeatures, sides: Collection[str] = ("image", "text")
) -> npt.NDArray[np.object_]:
    """(n,) "image+text", "image", "text" or "none": what of ``sides`` there is to judge each product by."""
    image = features.vectors.has("image") & ("image" in sides)
    text = features.has_words & ("text" in sides)
    return np.select([image & text, image, text], ["image+text", "image", "text"], "none").astype(object)


def predict_products(
    heads: Sequence[AttributeHead], features: ProductFeatures, decoder: JointDecoder | None = None
) -> pd.DataFrame:
    """One row per product and head (``PRODUCT_PREDICTIONS``), products in order within each head; with a ``decoder``
    the heads decide together.

    A product with only a picture or only a text is predicted from that and marked in ``inputs``; one with neither, or
    with nothing but the side that no product of the training had, is marked "none" and abstained. Raises UserError if a
    head was trained on another encoder's vectors.
    """
    sides = frozenset().union(*(head.sides for head in heads))
    ids, inputs = list(features.vectors.ids), inputs_of(features, sides)
    tables = []
    together = decide_together(heads, decoder, features) if decoder is not None else {}
    for head in heads:
        labels, confidence, abstained = together.get(head.attribute) or head.decide(features)
        columns = {"id": ids, "attribute": head.attribute, "label": labels, "confidence": confidence}
        tables.append(pd.DataFrame({**columns, "abstained": abstained, "inputs": inputs}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PRODUCT_PREDICTIONS.names)


def wide_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row per product: id, then ``<attribute>``, ``<attribute>_confidence`` and ``<attribute>_abstained`` for each
    attribute, and ``inputs``.

    The label is the best guess also where the head abstained: leaving it out is the reader's choice.
    """
    ids = pd.unique(predictions["id"])
    wide: dict[str, object] = {"id": ids}
    first = predictions.drop_duplicates("id").set_index("id")
    for attribute, rows in predictions.groupby("attribute", sort=False):
        rows = rows.set_index("id").reindex(ids)
        wide[str(attribute)] = rows["label"].to_numpy()
        wide[f"{attribute}_confidence"] = rows["confidence"].to_numpy()
        wide[f"{attribute}_abstained"] = rows["abstained"].to_numpy()
    wide["inputs"] = first["inputs"].reindex(ids).to_numpy()
    return pd.DataFrame(wide)


def judged_predictions(
    alone: Mapping[str, pd.DataFrame], together: Mapping[str, pd.DataFrame] | None
) -> pd.DataFrame:
    """``wide_predictions`` without ``inputs`` of the test products, as ``fit_joint`` found them, and ``decided``.

    What heads say that had not seen these products; the finished heads have learned from them. Blank where a product
    has no label of an attribute.
    """
    tables = alone if together is None else together
    rows = [
        table.rename(columns={"predicted": "label"}).assign(attribute=name, inputs="")
        for name, table in tables.items()
    ]
    # An attribute without a test product has no column; its empty table would decide the types of the others.
    judged = [table for table in rows if len(table)] or rows[:1]
    wide = wide_predictions(pd.concat(judged, ignore_index=True)).drop(columns="inputs")
    return wide.assign(**{DECIDED: "alone" if together is None else "together"})
