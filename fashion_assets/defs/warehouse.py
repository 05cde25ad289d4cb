"""Group ``warehouse``: the DuckDB file that analysts open, published atomically and by one writer."""

from collections.abc import Iterable
from itertools import chain

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import preview
from fashion_assets.defs.stored_files import stored_file
from fashion_assets.posts.schemas import QUARANTINED_POSTS
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.warehouse import publish_tables

#: Table name -> (asset it is made of, what it holds). Table names are public interface.
TABLES: dict[str, tuple[str, str]] = {
    "posts": ("cleaned_posts", "Cleaned posts, one row each; author is a salted hash"),
    "keywords": (
        "fashion_keywords",
        "Fashion keywords, facets, sources, scores and phrases per post (parallel lists)",
    ),
    "style_clusters": ("style_clusters", "Style of each post with distance, runner-up and margin"),
    "style_profiles": (
        "style_profiles",
        "Share with 95 % interval, engagement, keywords, representatives per style and month",
    ),
    "style_registry": ("style_registry", "Every style that ever was: name, months, parents, end"),
    "style_lineage": ("style_lineage", "What became of each style from month to month, with the evidence"),
    "quarantine": (
        "quarantined_posts",
        "Every refused row, and files refused as a whole (month and row are null)",
    ),
    "images": ("post_images", "Pictures with size, hash and near-duplicate group"),
    "garments": ("garment_images", "Garment share and crop of each picture"),
    "style_trends": ("style_trends", "Share of each style by month, stage, change points, forecast"),
    "keyword_trends": (
        "keyword_trends",
        "Share, engagement, log-odds, burst, stage, change points and forecast of each keyword by month",
    ),
    "weekly_trends": ("weekly_trends", "Share of each style and of the strongest keywords by ISO week"),
    "products": ("products", "Cleaned product cards"),
    "quarantined_products": ("quarantined_products", "Refused product cards with the reason"),
    "product_split": ("product_split", "Family and part (train, validation, test) of each product"),
    "product_figures": ("attribute_classifiers", "Figures of each attribute's head, with intervals"),
    "product_evaluation": (
        "product_evaluation",
        "Figures of all attributes on the test products, and how often all are right",
    ),
    "product_predictions": ("product_predictions", "Predicted attributes with confidence"),
    "category_projection": ("category_projection", "Our label nearest to each category of another shop"),
    "projected_products": ("projected_products", "Another shop's products with one of its categories each"),
}


@asset(
    deps=sorted({asset for asset, _ in TABLES.values()}),
    group_name="warehouse",
    kinds={"duckdb"},
    pool="duckdb",
)
def warehouse(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """``warehouse.duckdb``: every published table in one file, swapped in whole. Open it read-only."""
    lake = Lake(settings.lake)
    tables = {
        name: parts for name, (asset, _) in TABLES.items() if (parts := _parts(lake, asset)) is not None
    }
    if "quarantine" in tables:
        tables["quarantine"] = chain(tables["quarantine"], [_refused_files(settings)])
    rows = publish_tables(
        settings.warehouse, tables, {name: comment for name, (_, comment) in TABLES.items()}
    )
    contents = pd.DataFrame({"table": rows.keys(), "rows": rows.values()})
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(settings.warehouse),
            **stored_file(settings.warehouse),
            "dagster/row_count": int(sum(rows.values())),
            "tables": preview(contents, rows=len(contents)),
        }
    )


def _parts(lake: Lake, asset: str) -> Iterable[pa.Table] | None:
    """The table of each month or static partition of an asset, or its only one; None if it was never materialised.

    They have the same columns: those that an older file lacks are null.
    """
    if lake.path(asset).exists():
        return (lake.read(asset) for _ in range(1))
    partitions = sorted(lake.partitions(asset))
    if not partitions:
        return None
    schema = pa.unify_schemas([lake.schema(asset, one) for one in partitions], promote_options="default")
    tables = (lake.read(asset, one) for one in partitions)
    return (pa.concat_tables([schema.empty_table(), one], promote_options="default") for one in tables)


def _refused_files(settings: Settings) -> pa.Table:
    """A row of the quarantine for each file that was refused as a whole."""
    from fashion_assets.posts.landed import read_ledger

    ledger = read_ledger(settings.lake)
    refused = ledger[ledger["status"] == "refused"]
    extra = pa.table(
        {
            "source_file": pa.array(refused["file"], pa.string()),
            "reason": pa.array(refused["reason"], pa.string()),
        }
    )
    return pa.concat_tables([QUARANTINED_POSTS.empty_table(), extra], promote_options="default")
