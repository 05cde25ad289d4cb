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


@dg.asset(deps=["fashion_keywords"], group_name="trends", kinds={"parquet"})
def keyword_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Posts and share of each keyword by month, its stage and forecast; what marks the newest month by log-odds."""
    from fashion_assets.trends.series import characteristic_keywords, keyword_series
    from fashion_assets.trends.tables import keyword_trends as keyword_trend_table

    months = lake.months("fashion_keywords")
    keywords = lake.frames("fashion_keywords", months)
    table = keyword_trend_table(keywords, months)
    characteristic = characteristic_keywords(keyword_series(keywords, months))
    newest = characteristic[characteristic["month"] == months[-1]]
    return dg.MaterializeResult(
        value=table,
        metadata={
            "keywords": int(table["keyword"].nunique()),
            "months": len(months),
            f"characteristic_of_{months[-1]}": preview(newest, rows=15),
        },
    )
