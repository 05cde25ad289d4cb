"""Group ``trends``: series of styles and keywords over the months, their stage and their forecast."""

import dagster as dg

from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.resources import LakeReader


@dg.asset(deps=["style_profiles"], group_name="trends", kinds={"parquet"})
def style_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Share of each style by month with interval, its life-cycle stage with the evidence, and a forecast."""
    from fashion_assets.reports.charts import share_chart_png
    from fashion_assets.trends.tables import style_trends as style_trend_table

    months = lake.months("style_profiles")
    profiles = lake.frames("style_profiles", months)
    table = style_trend_table(profiles, months)
    stages = table.drop_duplicates("series_id")
    return dg.MaterializeResult(
        value=table,
        metadata={
            "styles": len(stages),
            "months": len(months),
            "stages": str(stages["stage"].value_counts().to_dict()),
            "preview": preview(stages, ["style_id", "name", "stage", "evidence"], rows=15),
            **picture(share_chart_png(profiles)),
        },
    )


@dg.asset(deps=["fashion_keywords", "cleaned_posts"], group_name="trends", kinds={"parquet"})
def keyword_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Per month and keyword: share with interval, engagement, log-odds, burst, first month, stage, forecast."""
    from fashion_assets.reports.charts import bar_chart_png, burst_chart_png
    from fashion_assets.trends.keyword_bursts import list_bursts
    from fashion_assets.trends.keyword_counts import MIN_KEYWORD_POSTS, WINSOR_QUANTILE, count_keywords
    from fashion_assets.trends.log_odds import characteristic_keywords
    from fashion_assets.trends.tables import MAX_FORECASTS, MIN_FORECAST_POSTS
    from fashion_assets.trends.tables import keyword_trends as keyword_trend_table

    months = lake.months("fashion_keywords")
    table = keyword_trend_table(count_keywords(lake.lake, months))
    newest = table[table["month"] == months[-1]]
    characteristic = characteristic_keywords(newest, top=15)
    bursts = list_bursts(table)
    # In the first month of all everything is new.
    newcomers = newest[(newest["first_seen"] == months[-1]) & (len(months) > 1)]
    newcomers = newcomers.sort_values(["posts", "keyword"], ascending=[False, True])
    chart = (
        burst_chart_png(bursts, months)
        if len(bursts)
        else bar_chart_png(
            characteristic["keyword"].tolist(),
            characteristic["log_odds_z"].tolist(),
            f"Characteristic of {months[-1]} (z of the log-odds)",
        )
    )
    return dg.MaterializeResult(
        value=table,
        metadata={
            "keywords": len(newest),
            "months": len(months),
            "keywords_with_forecast": int(newest["has_forecast"].sum()),
            "rules": f"keywords in {MIN_KEYWORD_POSTS} posts or more; forecasts for those in {MIN_FORECAST_POSTS:g} "
            f"posts a month or more, at most {MAX_FORECASTS}; likes and collects above the "
            f"{WINSOR_QUANTILE:.0%} point of the month's posts count as that point",
            f"characteristic_of_{months[-1]}": preview(characteristic, rows=15),
            "bursts": len(bursts),
            "strongest_bursts": preview(bursts, rows=15),
            f"newcomers_of_{months[-1]}": preview(
                newcomers, ["keyword", "facet", "posts", "share", "engagement_likes"], rows=15
            ),
            **picture(chart),
        },
    )
