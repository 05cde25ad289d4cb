"""The heads of a model and the joint decoder: fitting it on what training held out, and deciding with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.cards import label_column
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.head import AttributeHead
from fashion_assets.products.heads.joint import JointDecoder

if TYPE_CHECKING:
    from fashion_assets.products.heads.trained import TrainedHead

FloatArray = npt.NDArray[np.float64]
Decision = tuple[npt.NDArray[np.object_], FloatArray, npt.NDArray[np.bool_]]


def fit_together(
    trained: Mapping[str, TrainedHead], products: pd.DataFrame, split: npt.NDArray[np.object_]
) -> tuple[JointDecoder, dict[str, pd.DataFrame]] | None:
    """(the decoder of these heads, attribute -> ``TrainedHead.test`` with the labels and confidences it decides for).

    Which labels go together is learnt from training products, how loud they may speak from validation products. Test
    products that lack the label of some attribute are decided by their head alone. None for fewer than two heads that
    have anything to choose between, or without validation products labelled in all of them.
    """
    chosen = {name: one for name, one in trained.items() if len(one.head.classes_) > 1}
    if len(chosen) < 2:
        return None
    held, rows = _common(
        {name: (one.validation_rows, one.validation_probabilities) for name, one in chosen.items()}
    )
    if not len(rows):
        return None
    heads = {name: one.head for name, one in chosen.items()}
    labels = {name: products[label_column(name)].to_numpy(dtype=object) for name in chosen}
    train = np.flatnonzero(split == "train")
    decoder = JointDecoder().fit(
        {name: labels[name][train] for name in chosen},
        {name: [str(label) for label in head.classes_] for name, head in heads.items()},
        {name: heads[name].moved(chances) for name, chances in held.items()},
        {name: labels[name][rows] for name in chosen},
    )
    tested = {name: one.test.copy() for name, one in trained.items()}
    held, rows = _common({name: (one.test_rows, one.test_probabilities) for name, one in chosen.items()})
    if len(rows):
        found = decoder.decode({name: heads[name].moved(chances) for name, chances in held.items()})
        for name, decided in found.items():
            best = decided.argmax(axis=1)
            at = np.flatnonzero(np.isin(chosen[name].test_rows, rows))
            table = tested[name]
            table.loc[at, "predicted"] = heads[name].classes_[best]
            table.loc[at, "confidence"] = held[name][np.arange(len(best)), best]
    return decoder, tested


def decide_together(
    heads: Sequence[AttributeHead], decoder: JointDecoder, features: ProductFeatures
) -> dict[str, Decision]:
    """Attribute -> (labels, confidence, abstained) as ``AttributeHead.decide``, each (n,), attributes heard jointly.

    Raises UserError if the decoder is of other heads.
    """
    chances = {head.attribute: head.predict_proba(features) for head in heads}
    joint = decoder.decode(
        {head.attribute: head.moved(chances[head.attribute]) for head in heads if len(head.classes_) > 1}
    )
    return {
        head.attribute: head.decide_by(
            features, chances[head.attribute], joint.get(head.attribute, chances[head.attribute])
        )
        for head in heads
    }


def _common(
    given: Mapping[str, tuple[npt.NDArray[np.int64], FloatArray]],
) -> tuple[dict[str, FloatArray], npt.NDArray[np.int64]]:
    """(attribute -> probabilities of the products that all attributes have, their ascending positions)."""
    rows = np.array(
        sorted(set.intersection(*(set(one.tolist()) for one, _ in given.values()))), dtype=np.int64
    )
    found = {}
    for name, (own, chances) in given.items():
        order = np.argsort(own)
        found[name] = chances[order[np.searchsorted(own, rows, sorter=order)]] if len(rows) else chances[:0]
    return found, rows
