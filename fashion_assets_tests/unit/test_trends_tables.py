"""The two trend tables as a whole, and their schemas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.storage.months import month_range
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS
from fashion_assets.trends.tables import keyword_trends, style_trends
from fashion_assets_tests.unit.keyword_posts import Post, counted

MONTHS = month_range("2024-01", "2024-06")


def test_style_trends_hold_observed_and_forecast_months_and_fit_the_schema() -> None:
    profiles = pd.DataFrame(
        [(m, s, f"风格{s}", 10 * s + i + 1) for i, m in enumerate(MONTHS) for s in range(3)],
        columns=["month", "style_id", "name", "n_posts"],
    ).astype({"style_id": "int32", "n_posts": "int32"})
    table = style_trends(profiles, MONTHS, horizon=2)
    assert len(table) == 3 * (6 + 2)
    first = table[table["style_id"] == 1]
    assert first["month"].tolist() == [*MONTHS, "2024-07", "2024-08"]
    assert first["kind"].tolist() == ["observed"] * 6 + ["forecast"] * 2
    assert first["n_posts"].isna().tolist() == [False] * 6 + [True] * 2
    future = table[table["kind"] == "forecast"]
    assert future["share"].between(0, 1).all() and future["model"].notna().all()
    assert future["note"].str.contains("yearly season cannot be known").all()
    assert pa.Table.from_pandas(table, schema=STYLE_TRENDS, preserve_index=False).num_rows == len(table)


WORDS = [("连衣裙", "garment"), ("碎花", "pattern")]


def test_keyword_trends_fit_the_schema() -> None:
    posts = [Post(m, WORDS[: 1 + i % 2], likes=i) for m in MONTHS for i in range(20)]
    table = keyword_trends(counted(posts, MONTHS, min_posts=10))
    assert set(table["keyword"]) == {"连衣裙", "碎花"}
    assert set(table["stage"]) == {"steady"}
    assert table["has_forecast"].all() and (table.groupby("keyword").size() == len(MONTHS) + 3).all()
    stored = pa.Table.from_pandas(table, schema=KEYWORD_TRENDS, preserve_index=False)
    assert stored.num_rows == len(table)
    observed = stored.filter(pc.equal(stored["kind"], "observed"))
    for name in (
        "posts",
        "month_posts",
        "engagement_likes",
        "log_odds",
        "log_odds_z",
        "burst_level",
        "burst_weight",
    ):
        assert observed[name].null_count == 0, name
        assert stored[name].null_count == len(table) - observed.num_rows, name
    assert observed["engagement_collects"].null_count == observed.num_rows
    assert stored["first_seen"].unique().to_pylist() == ["2024-01"]
    assert stored["months_seen"].unique().to_pylist() == [6]


def test_only_keywords_with_support_are_forecast_the_most_frequent_first() -> None:
    words = [(f"w{number}", "") for number in range(6)]
    # w0 in 10 posts a month, w1 in 9, ... w5 in 5.
    posts = [Post(m, words[: max(1, 6 - max(0, i - 4))]) for m in MONTHS for i in range(10)]
    counts = counted(posts, MONTHS)

    def forecast_words(**rules: float) -> list[str]:
        table = keyword_trends(counts, horizon=1, **rules)
        future = table.loc[table["kind"] == "forecast", "keyword"].tolist()
        assert future == table.loc[table["has_forecast"], "keyword"].unique().tolist()
        assert table.loc[table["kind"] == "observed", "keyword"].nunique() == 6
        return future

    assert forecast_words() == ["w0", "w1", "w2", "w3", "w4", "w5"]
    assert forecast_words(min_forecast_posts=8) == ["w0", "w1", "w2"]
    assert forecast_words(max_forecasts=2) == ["w0", "w1"]
    assert forecast_words(min_forecast_posts=11) == []


def test_the_rows_are_in_order_and_months_that_are_missing_have_none() -> None:
    months = [MONTHS[0], MONTHS[2], MONTHS[5]]
    posts = [Post(m, WORDS[: 1 + (m > MONTHS[0])]) for m in months for _ in range(30)]
    table = keyword_trends(counted(posts, months), horizon=1)
    assert table["month"].tolist() == [*months, "2024-07"] * 2
    assert table["keyword"].tolist() == ["碎花"] * 4 + ["连衣裙"] * 4
    assert table["first_seen"].tolist() == [MONTHS[2]] * 4 + [MONTHS[0]] * 4
    assert table["months_seen"].tolist() == [2] * 4 + [3] * 4
    assert "3 missing months filled along a straight line" in table["note"][3]


def test_nothing_in_gives_empty_tables_with_all_columns() -> None:
    empty = style_trends(pd.DataFrame(columns=["month", "style_id", "name", "n_posts"]), MONTHS)
    assert empty.empty and list(empty.columns) == STYLE_TRENDS.names
    none = keyword_trends(counted([], MONTHS))
    assert none.empty and list(none.columns) == KEYWORD_TRENDS.names
    pa.Table.from_pandas(empty, schema=STYLE_TRENDS, preserve_index=False)


def test_a_month_without_any_post_does_not_stop_the_forecast() -> None:
    profiles = pd.DataFrame(
        [("2024-01", 0, "a", 5), ("2024-02", 0, "a", 5), ("2024-04", 0, "a", 9)],
        columns=["month", "style_id", "name", "n_posts"],
    )
    table = style_trends(profiles, MONTHS)
    assert table.query("kind == 'forecast'")["share"].notna().all()


def test_forecast_months_follow_the_last_month_asked_for() -> None:
    profiles = pd.DataFrame(
        [("2024-01", 0, "a", 5), ("2024-02", 0, "a", 5)], columns=["month", "style_id", "name", "n_posts"]
    )
    table = style_trends(profiles, MONTHS)
    assert table.query("kind == 'forecast'")["month"].tolist() == ["2024-07", "2024-08", "2024-09"]


def test_no_month_that_is_stored_is_forecast_where_one_that_is_not_over_follows_a_gap() -> None:
    months = [*MONTHS[:4], "2024-07"]
    profiles = pd.DataFrame(
        [(month, style, f"风格{style}", 50) for month in months for style in range(2)],
        columns=["month", "style_id", "name", "n_posts"],
    )
    table = style_trends(profiles, months, incomplete=["2024-07"])
    first = table[(table["style_id"] == 0) & (table["kind"] == "forecast")]
    assert first["month"].tolist() == ["2024-08", "2024-09", "2024-10"]
