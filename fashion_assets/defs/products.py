"""Group ``products``: cards in, vectors, one head per attribute, predictions, projection on another taxonomy."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.compute import compute
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import ATTRIBUTES
from fashion_assets.defs.resources import Encoders
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.vectors import ProductVectors


def files_version(folder: Path) -> str:
    """A digest of names, sizes and times of the files below ``folder``: the data version of what is made of them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dg.multi_asset(
    outs={
        "products": dg.AssetOut(
            description="Cleaned product cards, one row each, with their labels.", kinds={"parquet"}
        ),
        "quarantined_products": dg.AssetOut(
            description="Every card that was refused, with file, row, column and reason.", kinds={"parquet"}
        ),
    },
    group_name="products",
)
def clean_cards(settings: dg.ResourceParam[Settings]) -> Iterator[dg.Output[pd.DataFrame]]:
    """Read and clean the product cards and pictures in ``incoming/products``."""
    from fashion_assets.products.cards import clean_products, label_columns_of, read_product_cards
    from fashion_assets.products.pictures import open_product_images
    from fashion_assets.reports.charts import bar_chart_png

    if not settings.product_files.is_dir():
        raise UserError(
            f"there are no product cards: put CSV or Parquet cards and images/ into {settings.product_files}"
        )
    cards = read_product_cards(settings.product_files)
    with open_product_images(settings.product_files) as images:
        kept, refused = clean_products(cards, images)
        unnamed = len(images.unnamed(cards["id"].dropna().astype(str)))
    filled = {name: int(kept[name].notna().sum()) for name in label_columns_of(kept)}
    version = dg.DataVersion(files_version(settings.product_files))
    yield dg.Output(
        kept,
        output_name="products",
        data_version=version,
        metadata={
            "cards": len(cards),
            "kept": len(kept),
            "pictures_without_card": unnamed,
            "preview": preview(kept, ["id", "title", *filled]),
            **picture(
                bar_chart_png(list(filled), list(filled.values()), title="labelled products by attribute")
            ),
        },
    )
    yield dg.Output(
        refused,
        output_name="quarantined_products",
        data_version=version,
        metadata={"refused": len(refused), "preview": preview(refused, rows=10)},
    )


@dg.asset(
    group_name="products",
    kinds={"parquet"},
    deps=["word_vectors"],
    **compute(Settings(), "text_encoder", "image_encoder"),
)
def product_embeddings(
    settings: dg.ResourceParam[Settings], encoders: dg.ResourceParam[Encoders], products: pd.DataFrame
) -> dg.MaterializeResult:
    """Picture and text vector of each product side by side, each block of length 1."""
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.products.embedding import embed_products

    embedded = embed_products(
        products,
        settings.product_files,
        text_encoder=encoders.text,
        image_encoder=encoders.image,
        cache=EmbeddingCache(settings.embedding_cache),
    )
    vectors = embedded.vectors
    return dg.MaterializeResult(
        value=vectors.to_table(),
        metadata={
            "model_id": vectors.model_id,
            "dimension": vectors.matrix.shape[1],
            "new": embedded.new,
            "reused": embedded.reused,
            "without_picture": int((~vectors.has_image).sum()),
            "unreadable_pictures": embedded.unreadable,
        },
    )


@dg.asset(partitions_def=ATTRIBUTES, group_name="products", kinds={"scikitlearn"})
def attribute_classifiers(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
) -> dg.MaterializeResult:
    """One head per attribute, judged on product families that it has not seen; the random split stands beside it."""
    from fashion_assets.products.training import train_attribute
    from fashion_assets.products.vectors import ProductVectors
    from fashion_assets.reports.charts import bar_chart_png

    attribute = context.partition_key
    trained = train_attribute(
        attribute, products, ProductVectors.from_table(product_embeddings), seed=settings.random_seed
    )
    trained.head.save(head_path(settings, attribute))
    classes = trained.metrics.per_class.head(20)
    return dg.MaterializeResult(
        value=trained.splits,
        metadata={
            "accuracy": trained.metrics.accuracy.value,
            "macro_f1": trained.metrics.macro_f1.value,
            "macro_f1_interval": f"{trained.metrics.macro_f1.low:.3f} to {trained.metrics.macro_f1.high:.3f}",
            "test_products": trained.metrics.n_items,
            "classes": len(trained.head.classes_),
            "splits": preview(trained.splits),
            "path": dg.MetadataValue.path(head_path(settings, attribute)),
            **picture(
                bar_chart_png(
                    classes["label"].tolist(), classes["f1"].tolist(), title="F1 by class, unseen families"
                )
            ),
        },
    )


def head_path(settings: Settings, attribute: str) -> Path:
    """Where the trained head of ``attribute`` lies."""
    return settings.models / "attribute_classifiers" / attribute


@dg.asset(deps=[attribute_classifiers], group_name="products", kinds={"parquet"})
def product_predictions(
    settings: dg.ResourceParam[Settings], products: pd.DataFrame, product_embeddings: pa.Table
) -> dg.MaterializeResult:
    """Each attribute of each product with confidence; below the threshold the head abstains."""
    from fashion_assets.products.heads import AttributeHead
    from fashion_assets.products.predict import predict_products
    from fashion_assets.products.vectors import ProductVectors

    heads = [AttributeHead.load(head_path(settings, name)) for name in settings.attributes]
    predictions = predict_products(heads, products, ProductVectors.from_table(product_embeddings))
    return dg.MaterializeResult(
        value=predictions,
        metadata={
            "products": len(products),
            "attributes": ", ".join(settings.attributes),
            "share_abstained": float(predictions["abstained"].mean()) if len(predictions) else 0.0,
            "preview": preview(predictions, rows=10),
        },
    )


@dg.asset(
    deps=[attribute_classifiers],
    group_name="products",
    kinds={"parquet"},
    **compute(Settings(), "text_encoder", "image_encoder"),
)
def category_projection(
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
) -> dg.MaterializeResult:
    """The own category nearest to each category of another shop (smallest Kullback-Leibler divergence).

    The other shop's cards, with their ``category`` column, lie in ``incoming/taxonomy``.
    """
    from fashion_assets.products.cards import clean_products, read_product_cards
    from fashion_assets.products.heads import AttributeHead
    from fashion_assets.products.pictures import open_product_images
    from fashion_assets.products.projection import project_categories
    from fashion_assets.products.vectors import ProductVectors as Vectors

    if not settings.taxonomy_files.is_dir():
        raise UserError(
            f"there is no other taxonomy: put cards with id, title and category into {settings.taxonomy_files}"
        )
    head = AttributeHead.load(head_path(settings, settings.attributes[0]))
    own = Vectors.from_table(product_embeddings)
    with open_product_images(settings.taxonomy_files) as images:
        foreign, _ = clean_products(read_product_cards(settings.taxonomy_files, ["category"]), images)
    vectors = _embed_foreign(settings, encoders, foreign)
    known = products[products["label_category"].notna()]
    named = foreign[foreign["label_category"].notna()]
    table = project_categories(
        head.predict_proba(own.rows(known["id"].astype(str).tolist()), model_id=own.model_id),
        known["label_category"].tolist(),
        head.predict_proba(vectors.rows(named["id"].astype(str).tolist()), model_id=vectors.model_id),
        named["label_category"].tolist(),
        [str(name) for name in np.asarray(head.classes_)],
    )
    return dg.MaterializeResult(
        value=table,
        data_version=dg.DataVersion(files_version(settings.taxonomy_files)),
        metadata={"categories": len(table), "preview": preview(table, rows=20)},
    )


def _embed_foreign(settings: Settings, encoders: Encoders, foreign: pd.DataFrame) -> "ProductVectors":
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.products.embedding import embed_products

    return embed_products(
        foreign,
        settings.taxonomy_files,
        text_encoder=encoders.text,
        image_encoder=encoders.image,
        cache=EmbeddingCache(settings.embedding_cache),
    ).vectors
