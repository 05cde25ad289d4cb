"""Weeks: from the lake to the table, and what counts as over."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.trends.coverage import coverage_of, read_coverage
from fashion_assets.trends.keyword_counts import count_keywords
from fashion_assets.trends.schemas import WEEKLY_TRENDS
from fashion_assets.trends.tables import keyword_trends
from fashion_assets.trends.weekly import (
    count_keyword_weeks,
    count_style_weeks,
    strongest_keywords,
    weekly_table,
)
from fashion_assets_tests.unit.keyword_posts import Post, stored, stored_styles

MONTHS = ["2024-01", "2024-02"]
DRESS, HAT = ("连衣裙", "garment"), ("贝雷帽", "accessory")


def on(day: date, *words: tuple[str, str], text: str | None = None, style: int = -1) -> Post:
    return Post(f"{day:%Y-%m}", words, text=text, day=day, style=style)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def test_styles_by_week_from_monday_with_empty_weeks_and_ends_marked(tmp_path: Path) -> None:
    quiet = days(date(2024, 1, 15), date(2024, 1, 21))
    posts = [
        on(day, style=day.day % 2)
        for day in days(date(2024, 1, 1), date(2024, 2, 20))
        if day not in quiet
        for _ in range(9)
    ]
    # Without a style, before its month, after it, and without a day: in no week.
    outside = [Post("2024-01", day=day, style=1) for day in (date(2023, 1, 3), date(2024, 2, 1), None)]
    posts += [on(date(2024, 1, 3)), *outside]
    lake = stored_styles(posts, tmp_path)
    counts = count_style_weeks(lake, MONTHS, [0, 1])
    table = weekly_table(
        counts, "style", ["style:0", "style:1"], ["a", "b"], MONTHS, read_coverage(lake, MONTHS)
    )
    arrow = pa.Table.from_pandas(table, schema=WEEKLY_TRENDS, preserve_index=False)
    first = table[table["series_id"] == "style:1"].reset_index(drop=True)
    # January 1 is a Monday; February 20, the last day with posts, is the Tuesday of a week that is not over.
    assert first["week"].tolist() == [f"2024-W{week:02d}" for week in range(1, 9)]
    assert arrow["week_start"][0].as_py() == date(2024, 1, 1)
    assert first["posts"].tolist()[:4] == [36, 27, 0, 27]
    assert first["week_posts"].tolist()[:4] == [63, 63, 0, 63]
    assert np.isnan(first["share"][2]) and first["share"][0] == pytest.approx(36 / 63)
    assert first["complete"].tolist() == [True] * 7 + [False]
    assert counts.undated == 3
    assert counts.posts.sum() == counts.week_posts.sum()


def test_a_week_over_the_month_s_end_is_one_week_and_a_text_in_it_one_post(tmp_path: Path) -> None:
    posts = [
        on(date(2024, 1, 30), DRESS, text="again"),
        on(date(2024, 2, 1), DRESS, HAT, text="again"),
        on(date(2024, 2, 2), HAT),
        on(date(2024, 2, 5), DRESS, text="again"),
        on(date(2024, 2, 6), DRESS, DRESS),
        on(date(2024, 2, 7), text=""),
    ]
    counts = count_keyword_weeks(stored(posts, tmp_path), MONTHS, ["连衣裙", "贝雷帽", "没有"])
    assert counts.start == date(2024, 1, 1)
    assert counts.week_posts.tolist() == [0, 0, 0, 0, 2, 3, 0, 0, 0]
    assert counts.posts[:, 4:6].tolist() == [[1, 2], [2, 0], [0, 0]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(days(date(2024, 1, 1), date(2024, 2, 29))), st.sampled_from(["", "a", "ab"])
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=25)
def test_keyword_weeks_add_up_to_all_posts(rows: list[tuple[date, str]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        posts = [on(day, *[(word, "") for word in words]) for day, words in rows]
        lake = stored(posts, Path(folder))
        counts = count_keyword_weeks(lake, lake.months("cleaned_posts"), ["a", "b"])
    assert counts.week_posts.sum() == len(rows) and counts.undated == 0
    assert counts.posts.sum(axis=1).tolist() == [sum(w in words for _, words in rows) for w in "ab"]


def test_a_week_with_a_month_that_is_not_stored_is_not_over(tmp_path: Path) -> None:
    posts = [
        on(day, DRESS)
        for day in days(date(2024, 1, 1), date(2024, 3, 31))
        if day.month != 2
        for _ in range(9)
    ]
    lake = stored(posts, tmp_path)
    months = ["2024-01", "2024-03"]
    counts = count_keyword_weeks(lake, months, ["连衣裙"])
    table = weekly_table(
        counts, "keyword", ["keyword:连衣裙"], ["连衣裙"], months, read_coverage(lake, months)
    )
    over = table.set_index("week")["complete"]
    assert not over["2024-W05"] and not over["2024-W07"] and not over["2024-W09"]
    assert over["2024-W04"] and over["2024-W10"] and over["2024-W13"]
    assert len(table) == 13


def test_only_keywords_of_five_posts_a_week_have_weeks_the_most_frequent_first(tmp_path: Path) -> None:
    posts = [Post(m, [DRESS] + [HAT] * (i < 22) + [("鞋", "")] * (i < 21)) for m in MONTHS for i in range(40)]
    table = keyword_trends(count_keywords(stored(posts, tmp_path), MONTHS))
    # 22 posts a month are 5.06 a week, 21 are 4.83.
    assert strongest_keywords(table) == ["连衣裙", "贝雷帽"]
    few = pd.concat([table.assign(keyword=f"w{number}") for number in range(250)])
    assert len(strongest_keywords(few)) == 200


def test_a_post_that_is_not_among_the_posts_is_named(tmp_path: Path) -> None:
    lake = stored_styles([on(date(2024, 1, 3), style=1), on(date(2024, 1, 4), style=1)], tmp_path)
    lake.write("cleaned_posts", "2024-01", lake.read("cleaned_posts", "2024-01").slice(0, 1))
    with pytest.raises(
        UserError, match=r"style_clusters of 2024-01 names the post p0.*--select style_clusters"
    ):
        count_style_weeks(lake, ["2024-01"], [1])


def test_a_month_is_over_by_the_crawl_or_by_its_days() -> None:
    months = ["2024-01", "2024-02", "2024-03"]
    first, last = date(2024, 1, 1), date(2024, 3, 12)
    assert coverage_of(first, last, 5000).incomplete_months(months) == ["2024-03"]
    # The crawl of April says that no more posts came; that of the 31st does not know the day itself.
    assert coverage_of(first, last, 5000, date(2024, 4, 2)).incomplete_months(months) == []
    assert coverage_of(first, date(2024, 3, 31), 5000, date(2024, 3, 31)).incomplete_months(months) == [
        "2024-03"
    ]
    assert coverage_of(date(2024, 1, 20), date(2024, 3, 31), 5000).incomplete_months(months) == ["2024-01"]


def test_few_posts_may_leave_the_last_days_empty_by_chance() -> None:
    months = ["2024-01", "2024-02"]
    # Two posts a day: e^(-2 * 2) is 2 %, e^(-2 * 3) is 0.2 %.
    assert coverage_of(date(2024, 1, 3), date(2024, 2, 27), 112).incomplete_months(months) == []
    assert coverage_of(date(2024, 1, 4), date(2024, 2, 26), 108).incomplete_months(months) == months


def test_coverage_is_read_from_the_posts(tmp_path: Path) -> None:
    crawled = datetime(2024, 2, 11, 3)
    posts = [
        Post(f"{day:%Y-%m}", day=day, crawled=crawled)
        for day in days(date(2024, 1, 1), date(2024, 2, 11))
        for _ in range(9)
    ]
    found = read_coverage(stored([*posts, Post("2024-01")], tmp_path), MONTHS)
    assert found is not None
    assert (found.first, found.last, found.slack) == (date(2024, 1, 1), date(2024, 2, 10), 0)
    assert read_coverage(stored([Post("2024-01")], tmp_path / "undated"), ["2024-01"]) is None
