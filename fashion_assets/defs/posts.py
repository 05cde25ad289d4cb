"""Group ``posts``: what arrived, what was kept, what was refused.

Belongs here: the three assets over ``posts.landing``, ``posts.raw`` and ``posts.cleaning``. Does not belong
here: any rule about dates, counts or text.
"""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from fashion_assets.defs.faults import asset, multi_asset
from fashion_assets.defs.landing import RUN_SETTLE_SECONDS, land
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.run_tags import LANDED
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key


@asset(partitions_def=MONTHS, group_name="posts", kinds={"parquet"})
def raw_posts(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """One row per post of the month, the newest crawl wins, every column as it came.

    Files in ``incoming/`` that are not landed yet are landed first, unless whoever started the run has done so (the
    sensor, ``fashion-assets run``); one that is younger than half a minute is looked at again after it, and left for
    the next landing if it has changed. Author ids are hashed, rows are split by the post's own month, pictures are
    stored by their digest. Older crawls of a post stay visible in ``lineage``.
    """
    from fashion_assets.posts.month_digests import landing_digest
    from fashion_assets.posts.raw import arrival_counts, collect_raw_posts

    month = month_of_key(context.partition_key)
    if LANDED not in context.run.tags:
        land(settings, context.log, settle_seconds=RUN_SETTLE_SECONDS)
    # Before the rows are read: what lands meanwhile then shows as a difference, and the month is asked for again.
    digest = landing_digest(settings.lake, month)
    posts = collect_raw_posts(settings.lake, month)
    counts = arrival_counts(settings.lake, month)
    return dg.MaterializeResult(
        value=posts,
        data_version=dg.DataVersion(digest),
        metadata={
            "rows_arrived": counts["rows"],
            "older_crawls": counts["superseded"],
            "posts": counts["posts"],
            "preview": preview(
                posts, ["post_id", "post_date", "post_title", "post_like", "source_file", "source_row"]
            ),
        },
    )


@multi_asset(
    outs={
        "cleaned_posts": dg.AssetOut(
            description="Posts that can be used: text cleaned and simplified, dates and counts resolved, "
            "hashtags split off. One row per post.",
            kinds={"parquet"},
        ),
        "quarantined_posts": dg.AssetOut(
            description="Every row that was refused, with file, row, column and the reason in a sentence. "
            "Kept and quarantined add up to what arrived.",
            kinds={"parquet"},
        ),
    },
    partitions_def=MONTHS,
    group_name="posts",
)
def clean_month(
    context: dg.AssetExecutionContext, raw_posts: pd.DataFrame
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Clean the month's posts and set aside what cannot be used."""
    from fashion_assets.posts.cleaning import clean_posts
    from fashion_assets.reports.charts import bar_chart_png

    kept, quarantined = clean_posts(raw_posts)
    per_day = kept["post_date"].value_counts().sort_index()
    yield dg.Output(
        kept,
        output_name="cleaned_posts",
        metadata={
            "kept": len(kept),
            "share_kept": len(kept) / max(len(raw_posts), 1),
            "with_pictures": int((kept["n_media"] > 0).sum()),
            "preview": preview(kept, ["post_id", "post_date", "title", "tags", "likes"]),
            **picture(
                bar_chart_png(
                    [str(day)[5:] for day in per_day.index], per_day.tolist(), title="posts per day"
                )
            ),
        },
    )
    reasons = quarantined["column"].fillna("row").value_counts()
    yield dg.Output(
        quarantined,
        output_name="quarantined_posts",
        metadata={
            "quarantined": len(quarantined),
            "share_quarantined": len(quarantined) / max(len(raw_posts), 1),
            "preview": preview(quarantined, ["source_file", "source_row", "column", "reason"], rows=10),
            **(
                picture(
                    bar_chart_png(reasons.index.tolist(), reasons.tolist(), title="refused rows by column")
                )
                if len(reasons)
                else {}
            ),
        },
    )
