"""Group ``products``, first half: cards in, what they are like, their split and their vectors.

Heads, predictions and projection are in ``product_models``.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset, multi_asset
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.metadata import escaped, picture, preview
from fashion_assets.defs.product_encoders import (
    learn_product_words,
    picture_encoders,
    text_encoder,
    word_encoder,
)
from fashion_assets.defs.resources import Encoders, LakeReader, product_model_path
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic


def files_version(folder: Path) -> str:
    """A digest of names, sizes and times of the files below ``folder``: the data version of what is made of them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@multi_asset(
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
def clean_cards(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.Output[Any]]:
    """Read and clean the product cards and pictures in ``incoming/products``."""
    from fashion_assets.products.cards import label_columns_of
    from fashion_assets.products.intake import take_in_products
    from fashion_assets.products.schemas import products_schema
    from fashion_assets.reports.charts import bar_chart_png

    if not settings.product_files.is_dir():
        raise UserError(
            f"there are no product cards: put CSV or Parquet cards and images/ into {settings.product_files}"
        )
    intake = take_in_products(settings.product_files)
    for sentence in intake.sentences():
        context.log.info(sentence)
    kept, refused = intake.products, intake.quarantined
    filled = {name: int(kept[name].notna().sum()) for name in label_columns_of(kept)}
    version = dg.DataVersion(files_version(settings.product_files))
    # A column in which no card has anything would be stored without a type.
    table = pa.Table.from_pandas(kept, schema=products_schema(label_columns_of(kept)), preserve_index=False)
    yield dg.Output(
        table,
        output_name="products",
        data_version=version,
        metadata={
            "cards": intake.arrived,
            "kept": len(kept),
            "pictures_without_card": len(intake.unnamed_pictures),
            "said": dg.MetadataValue.md(
                "\n".join(f"- {escaped(sentence)}" for sentence in intake.sentences())
            ),
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


@asset(group_name="products", kinds={"html"}, deps=["products", "quarantined_products"])
def product_eda(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """A page on the products before anything is learned: classes, fields and their use, texts, pictures, families."""
    from fashion_assets.products.pictures import open_product_images
    from fashion_assets.products.statistics import product_statistics
    from fashion_assets.reports.product_eda import render_product_eda

    products, refused = lake.frame("products"), lake.frame("quarantined_products")
    named = [str(name).strip() for name in [*products["id"], *refused["id"].dropna()]]
    with open_product_images(settings.product_files) as images:
        unnamed = images.unnamed(named)
    path, found = settings.reports / "product_eda.html", product_statistics(products)
    page = render_product_eda(found, refused, datetime.now(PLATFORM_ZONE), unnamed_pictures=unnamed)
    write_text_atomic(path, page)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.path(path),
            "dagster/row_count": found.n,
            "families": len(found.family_sizes),
            "without_picture": found.without_picture,
            "pictures_without_card": len(unnamed),
            "attributes": preview(found.attributes.round(3), rows=20),
            "fields": preview(found.fields.round(3), rows=20),
        }
    )


@asset(group_name="products", kinds={"parquet"})
def product_split(settings: dg.ResourceParam[Settings], products: pd.DataFrame) -> dg.MaterializeResult:
    """Family and part (train, validation, test) of each product; whole families, stratified over all labels.

    The split of the model folder is kept as in ``products train``: what tuned encoders learned from stays there.
    """
    from fashion_assets.products.families import families_of
    from fashion_assets.products.splits import kept_split, split_arrow, split_table

    try:
        table = split_table(products, seed=settings.random_seed)
    except UserError as fault:
        # Too few families to judge anything: they are kept to learn from, and the heads say so.
        note = str(fault)
        ids = products["id"].astype(str)
        table = pd.DataFrame({"id": ids, "family": families_of(products), "split": "train"})
    else:
        table, note = kept_split(product_model_path(settings), table)
    counts = table["split"].value_counts()
    return dg.MaterializeResult(
        value=split_arrow(table),
        metadata={
            **{str(part): int(count) for part, count in counts.items()},
            "families": int(table["family"].nunique()),
            "note": note,
        },
    )


@asset(
    group_name="products",
    kinds={"parquet"},
    **compute(Settings(), "product_texts", "product_pictures"),
)
def product_embeddings(
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    products: pd.DataFrame,
    product_split: pd.DataFrame,
) -> dg.MaterializeResult:
    """Vectors of each product in blocks: picture, text, and averaged word vectors of shop and characteristics.

    Unless another encoder is named, texts are read by word vectors that are learned on the cards, as by the command.
    With FASHION_PRODUCT_COMPONENTS in as many principal components an encoder, of the training part.
    """
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.products.embedding import embed_products
    from fashion_assets.products.reduction import reduce_vectors

    words = learn_product_words(settings, products)
    embedded = embed_products(
        products,
        settings.product_files,
        text_encoder=text_encoder(settings, encoders),
        image_encoders=picture_encoders(settings, encoders),
        word_encoder=word_encoder(settings, encoders, products),
        cache=EmbeddingCache(settings.embedding_cache),
    )
    parts = product_split.set_index("id")["split"].reindex(products["id"].astype(str))
    vectors = reduce_vectors(
        product_model_path(settings),
        embedded.vectors,
        (parts == "train").to_numpy(),
        settings.product_components,
        seed=settings.random_seed,
    )
    return dg.MaterializeResult(
        value=vectors.to_table(),
        metadata={
            "model_id": vectors.model_id,
            "words_of_the_cards": words,
            "dimension": vectors.matrix.shape[1],
            "blocks": {name: columns.stop - columns.start for name, columns in vectors.blocks.items()},
            "new": embedded.new,
            "reused": embedded.reused,
            "without_picture": int((~vectors.has("image")).sum()),
            "unreadable_pictures": len(embedded.unreadable),
        },
    )
