"""The two trend tables as a whole, and their schemas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from fashion_assets.storage.months import month_range
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS
from fashion_assets.trends.tables import keyword_trends, style_trends

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


def test_keyword_trends_fit_the_schema() -> None:
    rows = [
        {
            "post_id": f"{m}-{i}",
            "month": m,
            "keywords": ["连衣裙", "碎花"][: 1 + i % 2],
            "facets": ["garment", "pattern"][: 1 + i % 2],
        }
        for m in MONTHS
        for i in range(20)
    ]
    table = keyword_trends(pd.DataFrame(rows), MONTHS, min_posts=10)
    assert set(table["keyword"]) == {"连衣裙", "碎花"}
    assert set(table["stage"]) == {"steady"}
    assert pa.Table.from_pandas(table, schema=KEYWORD_TRENDS, preserve_index=False).num_rows == len(table)


def test_nothing_in_gives_empty_tables_with_all_columns() -> None:
    empty = style_trends(pd.DataFrame(columns=["month", "style_id", "name", "n_posts"]), MONTHS)
    assert empty.empty and list(empty.columns) == STYLE_TRENDS.names
    none = keyword_trends(pd.DataFrame(columns=["post_id", "month", "keywords", "facets"]), MONTHS)
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
