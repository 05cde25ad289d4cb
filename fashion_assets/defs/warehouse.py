"""Group ``warehouse``: the DuckDB file that analysts open, published atomically and by one writer."""

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import preview
from fashion_assets.defs.stored_files import stored_file
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
    tables = {name: _whole(lake, asset) for name, (asset, _) in TABLES.items()}
    present = {name: table for name, table in tables.items() if table is not None}
    if "quarantine" in present:
        present["quarantine"] = _with_refused_files(settings, present["quarantine"])
    rows = publish_tables(
        settings.warehouse, present, {name: comment for name, (_, comment) in TABLES.items()}
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


def _whole(lake: Lake, asset: str) -> pa.Table | None:
    """All months or static partitions of an asset, or its only table; None if it was never materialised."""
    if lake.path(asset).exists():
        return lake.read(asset)
    tables = [lake.read(asset, partition) for partition in sorted(lake.partitions(asset))]
    return pa.concat_tables(tables, promote_options="default") if tables else None


def _with_refused_files(settings: Settings, quarantine: pa.Table) -> pa.Table:
    """The quarantine with a row for each file that was refused as a whole."""
    from fashion_assets.posts.landed import read_ledger

    ledger = read_ledger(settings.lake)
    refused = ledger[ledger["status"] == "refused"]
    extra = pa.table(
        {
            "source_file": pa.array(refused["file"], pa.string()),
            "reason": pa.array(refused["reason"], pa.string()),
        }
    )
    return pa.concat_tables([quarantine, extra], promote_options="default")
