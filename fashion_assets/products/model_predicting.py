"""A finished product model on a folder or zip of products: labels in one file, what was refused in another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.joint_decisions import load_joint
from fashion_assets.products.model_folder import TEXTS, ModelFolder, head_folder
from fashion_assets.products.predict import DECIDED, predict_products, wide_predictions
from fashion_assets.products.projecting import Projection, project_products
from fashion_assets.products.projection import ProjectionConfig
from fashion_assets.products.reduction import reduced
from fashion_assets.storage.errors import UserError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TakenIn:
    """Products with their features in the model's own vectors, what was refused, and sentences about both."""

    products: pd.DataFrame
    refused: pd.DataFrame
    features: ProductFeatures
    notes: tuple[str, ...]


def take_in(
    source: Path,
    model: ModelFolder,
    *,
    cache: Path | None = None,
    models_dir: Path | None = None,
    progress: Progress = lambda words, done, total: None,
    encoding: str | None = None,
    **encoder_options: Any,
) -> TakenIn:
    """The products of ``source`` as the model sees them; label columns of the cards are not looked at.

    ``cache``: where vectors are kept (default: in the model's folder), so that a second call, or one after a kill,
    encodes nothing again.
    """
    intake = take_in_products(
        source,
        [],
        purpose="prediction",
        encoding=encoding,
        progress=progress,
    )
    progress("loading encoders", 0, 0)
    encoders = model.encoders(models_dir=models_dir, **encoder_options)
    vectors = embed_products(
        intake.products,
        source,
        text_encoder=encoders.text,
        image_encoders=encoders.images,
        word_encoder=encoders.words,
        cache=EmbeddingCache(cache or model.cache),
        progress=progress,
    ).vectors
    vectors = reduced(model.root, vectors)
    model.require_vectors(vectors.model_id)
    features = product_features(intake.products, vectors)
    return TakenIn(intake.products, intake.quarantined, features, tuple(intake.sentences()))


def load_heads(model: ModelFolder) -> list[AttributeHead]:
    """The model's heads in order. Raises UserError for one that was trained on other vectors than the folder's."""
    heads = [AttributeHead.load(head_folder(model.root, name)) for name in model.attributes]
    for head in heads:
        model.require_vectors(head.model_id)
    return heads


def predict_model(model: ModelFolder, taken: TakenIn, *, alone: bool = False) -> pd.DataFrame:
    """One row per product of ``taken``: ``wide_predictions`` of all heads, and in ``decided`` whether they were heard
    "together" (the model's joint decoder) or each "alone": with ``alone``, or where the model has no decoder.
    """
    if taken.products.empty:
        names = [f"{name}{end}" for name in model.attributes for end in ("", "_confidence", "_abstained")]
        return pd.DataFrame(columns=["id", *names, "inputs", DECIDED])
    heads, decoder = load_heads(model), None if alone else load_joint(model.root)
    found = wide_predictions(predict_products(heads, taken.features, decoder))
    return found.assign(**{DECIDED: "alone" if decoder is None else "together"})


def project_model(
    model: ModelFolder,
    taken: TakenIn,
    categories: list[str],
    *,
    label: str | None = None,
    config: ProjectionConfig | None = None,
    on_step: Callable[[str], None] = lambda words: None,
) -> tuple[Projection, str]:
    """(the projection of the products of ``taken`` onto ``categories``, the attribute whose labels stand between).

    ``label`` is by default the attribute with most classes: the finer the labels, the more they tell apart. Raises
    UserError for one that the model has not, or for no product at all.
    """
    import pyarrow.parquet as pq

    heads = {head.attribute: head for head in load_heads(model)}
    if label is not None and label not in heads:
        raise UserError(
            f"the model in {model.root} has no head of {label!r}; it has {', '.join(heads)}; name one with --label"
        )
    chosen = label or max(heads, key=lambda name: len(heads[name].classes_))
    if taken.products.empty:
        raise UserError(f"there is no usable product to project: {'; '.join(taken.notes)}")
    known = pq.read_table(model.root / TEXTS).to_pandas()
    found = project_products(
        heads[chosen],
        known["text"].fillna("").tolist(),
        known[f"label_{chosen}"].tolist(),
        taken.features,
        categories,
        config=config,
        seed=model.manifest.seed,
        on_step=on_step,
    )
    return found, chosen
