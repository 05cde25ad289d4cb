"""Group ``products``: the categories of another shop, by the heads that were trained here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pyarrow as pa
from pydantic import Field

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import multi_asset
from fashion_assets.defs.metadata import escaped, preview
from fashion_assets.defs.product_encoders import picture_encoders, text_encoder, word_encoder
from fashion_assets.defs.product_models import attribute_classifiers, trained_heads
from fashion_assets.defs.products import files_version
from fashion_assets.defs.resources import Encoders, product_model_path
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.heads import AttributeHead
    from fashion_assets.products.intake import ProductIntake

#: Names of target categories, one a line, beside the other shop's cards; without it their own categories are taken.
CATEGORY_NAMES = "categories.txt"


class TaxonomyConfig(dg.Config):
    """How products are projected: the options of ``products project``."""

    label: str = Field(
        default="", description="Attribute whose labels stand between; empty: the one with most classes"
    )
    image_weight: float = Field(default=1.0, ge=0, description="Weight of the picture's probabilities")
    text_weight: float = Field(default=1.0, ge=0, description="Weight of the text's probabilities")
    top_k: int = Field(
        default=0, ge=0, description="Keep so many probabilities of each side, renormalised; 0: all"
    )
    smoothing: float = Field(
        default=0.001, ge=0, le=0.5, description="Share of the uniform distribution mixed into both"
    )


@multi_asset(
    outs={
        "category_projection": dg.AssetOut(
            description="Our label nearest to each category of another shop, and why.", kinds={"parquet"}
        ),
        "projected_products": dg.AssetOut(
            description="One of the other shop's categories for each of its products, without a label of it.",
            kinds={"parquet"},
        ),
    },
    deps=[attribute_classifiers],
    group_name="products",
    **compute(Settings(), "product_texts", "product_pictures"),
)
def project_taxonomy(
    context: dg.AssetExecutionContext,
    config: TaxonomyConfig,
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Products in ``incoming/taxonomy`` onto the categories named there, through the labels that were learned here."""
    from fashion_assets.products.cards import label_column
    from fashion_assets.products.features import product_features
    from fashion_assets.products.projecting import project_products
    from fashion_assets.products.projection import ProjectionConfig, project_categories
    from fashion_assets.products.schemas import CATEGORY_PROJECTION, PROJECTED_PRODUCTS
    from fashion_assets.products.vectors import ProductVectors

    version = dg.DataVersion(files_version(settings.taxonomy_files))
    heads = trained_heads(settings)
    intake, features, names = _taxonomy(settings, encoders, products)
    for sentence in intake.sentences():
        context.log.info(sentence)
    foreign = intake.products
    aggregate = pd.DataFrame(columns=CATEGORY_PROJECTION.names)
    items, said = pd.DataFrame(columns=PROJECTED_PRODUCTS.names), {"note": "no attribute has a head"}
    if heads and len(foreign):
        head = _head_of(heads, config.label)
        labels = products[label_column(head.attribute)]
        options = ProjectionConfig(
            config.image_weight, config.text_weight, config.top_k or None, config.smoothing
        )
        found = project_products(
            head,
            products["text"].tolist(),
            labels.tolist(),
            features,
            names,
            config=options,
            seed=settings.random_seed,
        )
        items, said = found.items, {"through": head.attribute}
        named = foreign["label_category"].notna().to_numpy() if "label_category" in foreign else None
        known = labels.notna().to_numpy()
        if named is not None and named.any() and known.any():
            own = product_features(products, ProductVectors.from_table(product_embeddings)).take(known)
            aggregate = project_categories(
                head.predict_proba(own),
                labels[known].tolist(),
                head.predict_proba(features.take(named)),
                foreign.loc[named, "label_category"].tolist(),
                found.labels,
            )
            right = items.loc[named, "target_category"].to_numpy() == foreign.loc[named, "label_category"]
            said["accuracy_where_known"] = f"{right.mean():.3f} of {int(named.sum())}"
    yield dg.Output(
        aggregate,
        output_name="category_projection",
        data_version=version,
        metadata={"categories": len(aggregate), "preview": preview(aggregate, rows=20)},
    )
    yield dg.Output(
        items,
        output_name="projected_products",
        data_version=version,
        metadata={
            "products": len(items),
            "refused": len(intake.quarantined),
            "cards": dg.MetadataValue.md("\n".join(f"- {escaped(one)}" for one in intake.sentences())),
            **said,
            "preview": preview(items, rows=20),
        },
    )


def _head_of(heads: list["AttributeHead"], label: str) -> "AttributeHead":
    """The head of ``label``, or that of most classes. Raises UserError if ``label`` has none."""
    if not label:
        return max(heads, key=lambda one: len(one.classes_))
    found = next((head for head in heads if head.attribute == label), None)
    if found is None:
        raise UserError(
            f"there is no head of {label!r} to project through; there are {', '.join(one.attribute for one in heads)}"
        )
    return found


def _taxonomy(
    settings: Settings, encoders: Encoders, products: pd.DataFrame
) -> tuple["ProductIntake", Any, list[str]]:
    """(the other shop's products, kept and refused; features of the kept; the names of its categories)."""
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.products.embedding import embed_products
    from fashion_assets.products.features import product_features
    from fashion_assets.products.intake import take_in_products
    from fashion_assets.products.projection_names import read_category_names
    from fashion_assets.products.reduction import reduced

    folder = settings.taxonomy_files
    if not folder.is_dir():
        raise UserError(
            f"there is no other taxonomy: put cards with id and title into {folder}, and its categories into "
            f"{CATEGORY_NAMES} there, or into a column category"
        )
    intake = take_in_products(folder, purpose="prediction")
    foreign = intake.products
    if (folder / CATEGORY_NAMES).is_file():
        names = read_category_names(folder / CATEGORY_NAMES)
    else:
        names = sorted(set(foreign["label_category"].dropna())) if "label_category" in foreign else []
    if not names:
        raise UserError(
            f"{folder} names no category: write them into {CATEGORY_NAMES} there, one a line, or into a column category"
        )
    vectors = embed_products(
        foreign,
        folder,
        text_encoder=text_encoder(settings, encoders),
        image_encoders=picture_encoders(settings, encoders),
        word_encoder=word_encoder(settings, encoders, products),
        cache=EmbeddingCache(settings.embedding_cache),
    ).vectors
    return intake, product_features(foreign, reduced(product_model_path(settings), vectors)), names
