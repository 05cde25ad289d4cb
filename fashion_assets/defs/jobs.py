"""Jobs: one month from crawl to report, for schedules and backfills; and the publication of the whole."""

from __future__ import annotations

import dagster as dg

from fashion_assets.defs.partitions import MONTHS

#: Everything that is made per month. ``word_vectors`` and ``tfashion_model`` have to be there; the first
#: ``fashion-assets run`` or a materialisation of them makes them.
MONTHLY_ASSETS = dg.AssetSelection.assets(
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

month_job = dg.define_asset_job(
    "month",
    selection=MONTHLY_ASSETS,
    partitions_def=MONTHS,
    description="One month, from landed rows to its report.",
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
