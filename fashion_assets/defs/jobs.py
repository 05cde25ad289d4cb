"""Jobs: a month from crawl to report, its close, its promotion, reports alone; trends, publication, freshness.

A job of months is a backfill in the UI. What goes on from month to month runs one month at a time, oldest first;
reports, which people wait for, run newest first: by ``dagster/priority`` of each run and the limit on ``IN_ORDER``.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.run_tags import newest_first, oldest_first

#: Everything that is made per month. ``word_vectors`` and ``tfashion_model`` have to be there; the first
#: ``fashion-assets run`` or a materialisation of them makes them.
MONTHLY_ASSETS = (
    "raw_posts",
    "cleaned_posts",
    "quarantined_posts",
    "fashion_keywords",
    "post_images",
    "garment_images",
    "text_embeddings",
    "image_embeddings",
    "multimodal_embeddings",
    "style_model",
    "style_clusters",
    "style_profiles",
    "monthly_style_report",
)


def _monthly_job(
    name: str, assets: Iterable[str], description: str, *, newest: bool = False
) -> dg.JobDefinition:
    return dg.define_asset_job(  # type: ignore[return-value]
        name,
        selection=dg.AssetSelection.assets(*assets),
        partitions_def=MONTHS,
        config=dg.PartitionedConfig(
            partitions_def=MONTHS,
            run_config_for_partition_key_fn=lambda _: {},
            tags_for_partition_key_fn=newest_first if newest else oldest_first,
        ),
        description=description,
    )


month_job = _monthly_job("month", MONTHLY_ASSETS, "Months from landed rows to their reports, oldest first.")

close_month_job = _monthly_job(
    "close_month",
    [*MONTHLY_ASSETS, "closed_month"],
    "A month is made once more, closed and reported: its figures are final, later posts are told against them.",
)

promote_style_model_job = _monthly_job(
    "promote_style_model",
    ["style_clusters", "style_profiles", "monthly_style_report"],
    "Puts refitted style models in force: assigns the months' posts by them, then profiles and reports. Nothing else "
    "does; a new style model alone changes no month.",
)

monthly_reports_job = _monthly_job(
    "monthly_reports",
    ["monthly_style_report"],
    "Reports of months that are there, newest first.",
    newest=True,
)

weekly_trends_job = dg.define_asset_job(
    "weekly_keyword_trends",
    selection=dg.AssetSelection.assets("keyword_trends", "new_words", "weekly_trends"),
    description="Keyword trends by month and week, and new words to review.",
)

publication_job = dg.define_asset_job(
    "publication",
    selection=dg.AssetSelection.assets(
        "style_lineage",
        "style_registry",
        "style_trends",
        "keyword_trends",
        "weekly_trends",
        "new_words",
        "style_atlas",
        "warehouse",
    ),
    description="Trends, atlas and warehouse over all months.",
)

freshness_job = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("warehouse"), "latest_closed_month")),
    description="Whether the latest month that is due is closed and reported.",
)

JOBS = (
    month_job,
    close_month_job,
    promote_style_model_job,
    monthly_reports_job,
    weekly_trends_job,
    publication_job,
    freshness_job,
)
