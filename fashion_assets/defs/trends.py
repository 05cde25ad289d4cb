"""Group ``trends``: series of styles and keywords over the months and weeks, what is concluded, their forecast."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import picture, preview, tally
from fashion_assets.defs.resources import LakeReader

if TYPE_CHECKING:
    import pandas as pd


@asset(deps=["style_profiles", "cleaned_posts"], group_name="trends", kinds={"parquet"})
def style_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Share of each style by month: interval, life-cycle stage with evidence, strengths, change points, forecast."""
    from fashion_assets.reports.charts import share_chart_png
    from fashion_assets.reports.forecast_charts import forecast_chart_png
    from fashion_assets.trends.durations import monthly_top, style_durations
    from fashion_assets.trends.tables import style_trends as style_trend_table

    months = lake.months("style_profiles")
    incomplete = _incomplete(lake, months)
    profiles = lake.frames("style_profiles", months)
    table = style_trend_table(profiles, months, incomplete=incomplete)
    stages = table.drop_duplicates("series_id")
    observed = table[table["kind"] == "observed"]
    return dg.MaterializeResult(
        value=table,
        metadata={
            "styles": len(stages),
            **_concluded(table, months, incomplete),
            "preview": preview(stages, ["style_id", "name", "stage", "evidence"], rows=15),
            "durations": preview(
                style_durations(observed),
                ["style_id", "name", "spells", "span", "months_live", "n_gaps"],
                rows=15,
            ),
            f"top_of_{months[-1]}": preview(monthly_top(observed[observed["month"] == months[-1]]).round(4)),
            **picture(share_chart_png(profiles)),
            **picture(forecast_chart_png(table), "forecasts"),
        },
    )


@asset(deps=["fashion_keywords", "cleaned_posts"], group_name="trends", kinds={"parquet"})
def keyword_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Per month and keyword: share with interval, engagement, log-odds, burst, stage, change points, forecast."""
    from fashion_assets.reports.charts import bar_chart_png, burst_chart_png
    from fashion_assets.styles.engagement import WINSOR_QUANTILE
    from fashion_assets.trends.keyword_bursts import list_bursts
    from fashion_assets.trends.keyword_counts import MIN_KEYWORD_POSTS, count_keywords
    from fashion_assets.trends.log_odds import characteristic_keywords
    from fashion_assets.trends.tables import MAX_FORECASTS, MIN_FORECAST_POSTS
    from fashion_assets.trends.tables import keyword_trends as keyword_trend_table

    months = lake.months("fashion_keywords")
    incomplete = _incomplete(lake, months)
    table = keyword_trend_table(count_keywords(lake.lake, months), incomplete=incomplete)
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
            **_concluded(table, months, incomplete),
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


@asset(
    deps=["style_clusters", "fashion_keywords", "cleaned_posts", "style_trends", "keyword_trends"],
    group_name="trends",
    kinds={"parquet"},
)
def weekly_trends(lake: dg.ResourceParam[LakeReader]) -> dg.MaterializeResult:
    """Share of each style and of the strongest keywords by ISO week with interval; weeks that are not over marked."""
    import pandas as pd

    from fashion_assets.trends.coverage import read_coverage
    from fashion_assets.trends.weekly import (
        MAX_WEEKLY_KEYWORDS,
        MIN_WEEK_POSTS,
        count_keyword_weeks,
        count_style_weeks,
        strongest_keywords,
        weekly_table,
    )

    styles = lake.frame("style_trends").drop_duplicates("series_id")
    style_months, keyword_months = lake.months("style_clusters"), lake.months("fashion_keywords")
    keywords = strongest_keywords(lake.frame("keyword_trends"))
    style_weeks = count_style_weeks(lake.lake, style_months, styles["style_id"].tolist())
    keyword_weeks = count_keyword_weeks(lake.lake, keyword_months, keywords)
    coverage = read_coverage(lake.lake, keyword_months)
    named = styles["series_id"].tolist(), styles["name"].tolist()
    words = [f"keyword:{keyword}" for keyword in keywords], keywords
    tables = [
        weekly_table(style_weeks, "style", *named, style_months, coverage),
        weekly_table(keyword_weeks, "keyword", *words, keyword_months, coverage),
    ]
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    weeks = table.drop_duplicates("week_start")
    return dg.MaterializeResult(
        value=table,
        metadata={
            "weeks": len(weeks),
            "weeks_not_over": ", ".join(weeks.loc[~weeks["complete"].astype(bool), "week"]) or "none",
            "styles": len(styles),
            "keywords": len(keywords),
            "posts_without_a_day_of_their_month": max(style_weeks.undated, keyword_weeks.undated),
            "rules": f"all styles; keywords in {MIN_WEEK_POSTS:g} posts a week or more, at most "
            f"{MAX_WEEKLY_KEYWORDS}, the most frequent first; weeks from Monday, Asia/Shanghai",
            "newest_weeks": preview(
                table.sort_values(["week_start", "posts"], ascending=False, kind="stable"),
                ["week", "series_kind", "name", "posts", "week_posts", "share", "low", "high", "complete"],
                rows=15,
            ),
        },
    )


def _incomplete(lake: LakeReader, months: list[str]) -> list[str]:
    """The months that are not over, as far as the days of all posts of ``months`` tell."""
    from fashion_assets.trends.coverage import read_coverage

    coverage = read_coverage(lake.lake, months)
    return coverage.incomplete_months(months) if coverage else []


def _concluded(table: "pd.DataFrame", months: list[str], incomplete: list[str]) -> dict[str, Any]:
    """Metadata that both trend tables have: months, stages and the surest change points."""
    from fashion_assets.trends.change_points import list_changes

    changes = list_changes(table)
    return {
        "months": len(months),
        "months_not_over": ", ".join(incomplete) or "none",
        "stages": tally(table.drop_duplicates("series_id")["stage"]),
        "change_points": len(changes),
        "surest_change_points": preview(changes.round(4), rows=15),
    }
