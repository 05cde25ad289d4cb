"""style_trends and weekly_trends over a lake of made months, of which the last is not over."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from fashion_assets.defs.resources import LakeReader
from fashion_assets.defs.trends import keyword_trends, style_trends, weekly_trends
from fashion_assets.settings import Settings
from fashion_assets.storage.tables import as_arrow
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS, WEEKLY_TRENDS
from fashion_assets_tests.unit.keyword_posts import Post, stored_styles

COAT, HAT = ("外套", "garment"), ("贝雷帽", "accessory")
LAST_DAY = date(2024, 7, 9)


def made_posts() -> list[Post]:
    """Ten posts a day from January to 9 July; from April on style 1 has five of them instead of two."""
    days = [date(2024, 1, 1) + timedelta(days=step) for step in range((LAST_DAY - date(2024, 1, 1)).days + 1)]
    return [
        Post(
            f"{day:%Y-%m}",
            [COAT] + [HAT] * (number == 0 and day.day % 7 == 0),
            day=day,
            crawled=datetime(2024, 7, 10, 8),
            style=1 if number < (5 if day.month >= 4 else 2) else 2,
        )
        for day in days
        for number in range(10)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dg.MaterializeResult]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("trends"))
    lake = stored_styles(made_posts(), settings.lake)
    results = {}
    for asset, schema in (
        (style_trends, STYLE_TRENDS),
        (keyword_trends, KEYWORD_TRENDS),
        (weekly_trends, WEEKLY_TRENDS),
    ):
        result = asset(lake=LakeReader(settings))
        assert isinstance(result, dg.MaterializeResult)
        name = asset.key.to_user_string()
        lake.write(name, None, as_arrow(result.value, schema, name))
        results[name] = result
    return results


def test_a_month_that_is_not_over_does_not_look_like_a_fall(made: dict[str, dg.MaterializeResult]) -> None:
    table: pd.DataFrame = made["style_trends"].value
    shown = made["style_trends"].metadata
    assert shown is not None and shown["months_not_over"] == "2024-07"
    observed = table[(table["kind"] == "observed") & (table["style_id"] == 1)].set_index("month")
    assert observed["complete"].tolist() == [True] * 6 + [False]
    assert observed["change"].dropna().index.tolist() == ["2024-04"]
    assert observed.loc["2024-04", "change"] == pytest.approx(0.3)
    # The forecast starts behind June and is shown from August on.
    future = table[table["kind"] == "forecast"]
    assert future["month"].unique().tolist() == ["2024-08", "2024-09", "2024-10"]
    keywords: pd.DataFrame = made["keyword_trends"].value
    assert set(keywords.loc[keywords["month"] == "2024-07", "complete"]) == {False}
    assert set(keywords.loc[keywords["month"] == "2024-06", "complete"]) == {True}


def test_the_metadata_show_stages_changes_durations_and_the_top(
    made: dict[str, dg.MaterializeResult],
) -> None:
    shown = made["style_trends"].metadata
    assert shown is not None
    assert shown["change_points"] == 2 and "| style:1 | 2024-04 |" in shown["surest_change_points"].md_str
    assert "2024-01–2024-07" in shown["durations"].md_str
    assert shown["top_of_2024-07"].md_str.splitlines()[2].startswith("| 2024-07 | 1 | 1 |")
    assert shown["picture"].md_str.startswith("![chart](data:image/png;base64,")


def test_weeks_of_all_styles_and_of_strong_keywords(made: dict[str, dg.MaterializeResult]) -> None:
    table: pd.DataFrame = made["weekly_trends"].value
    shown = made["weekly_trends"].metadata
    assert shown is not None
    # 贝雷帽 is in one post a week.
    assert table["series_id"].unique().tolist() == ["style:1", "style:2", "keyword:外套"]
    assert shown["weeks"] == 28 and shown["posts_without_a_day_of_their_month"] == 0
    assert shown["weeks_not_over"] == "2024-W28"
    assert table["posts"].sum() == 2 * len(made_posts())
    assert set(table.loc[table["week"] == "2024-W20", "week_posts"]) == {70}
    assert set(table.loc[table["series_id"] == "style:1", "name"]) == {"风格1"}
