"""The trend tables: one row per series and month, observed and forecast months in one table; and the weeks.

Weeks have a table of their own: a column that tells weeks from months would have to stand in every query, and one
that forgot it would count every post twice.
"""

from __future__ import annotations

import pyarrow as pa

_SERIES_END = [
    ("month", pa.string()),
    ("kind", pa.string()),  # "observed" | "forecast"
    ("complete", pa.bool_()),  # whether the month is over, as far as the posts tell; false in forecast rows
    (
        "share",
        pa.float64(),
    ),  # of the month's posts; the forecast's mean where kind is "forecast"; null: no posts at all
    ("low", pa.float64()),  # 95 % Wilson interval, or the forecast interval
    ("high", pa.float64()),
    ("stage", pa.string()),  # emerging | rising | peak | fading | seasonal | steady | too short
    ("evidence", pa.string()),  # the figures behind the stage, as a sentence
    ("seasonal_strength", pa.float64()),  # 0 to 1, see seasonality; null under two years
    ("trend_strength", pa.float64()),  # 0 to 1; null under half a year
    (
        "change",
        pa.float64(),
    ),  # share after less before, in the first month of a new level; else null, as the four below
    ("change_before", pa.float64()),  # share of the stretch that ends
    ("change_after", pa.float64()),  # share of the stretch that begins
    ("change_low", pa.float64()),  # 95 % interval of change
    ("change_high", pa.float64()),
    ("model", pa.string()),  # forecast rows only, as are the four below
    ("mase", pa.float64()),
    ("smape", pa.float64()),
    ("coverage", pa.float64()),
    ("note", pa.string()),
]

STYLE_TRENDS = pa.schema(
    [
        ("series_id", pa.string()),
        ("style_id", pa.int32()),
        ("name", pa.string()),
        ("n_posts", pa.int64()),  # null in forecast rows
        ("month_posts", pa.int64()),  # all posts of the month that have a style
        *_SERIES_END,
    ]
)

KEYWORD_TRENDS = pa.schema(
    [
        ("series_id", pa.string()),
        ("keyword", pa.string()),
        ("facet", pa.string()),
        ("first_seen", pa.string()),  # first month with a post that names the keyword
        ("months_seen", pa.int32()),  # months with such a post
        ("has_forecast", pa.bool_()),  # whether the keyword is named often enough; see tables.keyword_trends
        # Null in forecast rows, from here to burst_weight.
        ("posts", pa.int64()),
        ("month_posts", pa.int64()),  # all posts of the month; posts of the same text are one
        ("engagement_likes", pa.float64()),  # winsorised mean over the posts; null: known of none
        ("engagement_collects", pa.float64()),
        ("log_odds", pa.float64()),  # of the month against the others; null: one month only, or no posts
        ("log_odds_z", pa.float64()),
        ("burst_level", pa.int8()),  # 1 in a burst, else 0
        ("burst_weight", pa.float64()),  # of the burst that the month belongs to, else 0
        *_SERIES_END,
    ]
)

WEEKLY_TRENDS = pa.schema(
    [
        ("series_id", pa.string()),
        ("series_kind", pa.string()),  # "style" | "keyword"
        ("name", pa.string()),  # the style's newest name, or the keyword
        ("week", pa.string()),  # ISO week, 2024-W05
        ("week_start", pa.date32()),  # its Monday, Asia/Shanghai
        ("complete", pa.bool_()),  # whether posts of all its days are known
        ("posts", pa.int64()),
        ("week_posts", pa.int64()),  # all posts of the week that the share is of
        ("share", pa.float64()),  # null: no posts at all
        ("low", pa.float64()),  # 95 % Wilson interval
        ("high", pa.float64()),
    ]
)
