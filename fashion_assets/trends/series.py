"""Monthly series of styles and keywords: their shares with intervals, and what else is known month by month."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.trends.keyword_bursts import find_bursts
from fashion_assets.trends.keyword_counts import KeywordCounts
from fashion_assets.trends.log_odds import log_odds_ratio
from fashion_assets.trends.time_axis import checked_months

STYLE_SERIES_COLUMNS = [
    "series_id",
    "style_id",
    "name",
    "month",
    "complete",
    "n_posts",
    "month_posts",
    "share",
    "low",
    "high",
]


def _with_shares(table: pd.DataFrame, count: str) -> pd.DataFrame:
    low, high = wilson_interval(table[count], table["month_posts"])
    total = table["month_posts"].to_numpy(dtype=float)
    share = np.where(total > 0, table[count].to_numpy(dtype=float) / np.maximum(total, 1), np.nan)
    return table.assign(share=share, low=low, high=high)


def style_series(
    profiles: pd.DataFrame, months: Sequence[str], incomplete: Collection[str] = ()
) -> pd.DataFrame:
    """One row per style and month, in order of style and month: series_id, style_id, name, month, complete,
    n_posts, month_posts, share, low, high.

    ``profiles`` are the style profiles of all months (month, style_id, name, n_posts). A month in which a
    style has no post is a share of 0 with the Wilson upper bound; a month without any post has the share NaN
    in (0, 1). complete is false for the ``incomplete`` months, see ``coverage``. The name is the style's newest.
    Raises UserError if a style occurs twice in a month.
    """
    wanted = checked_months(months)
    rows = profiles[profiles["month"].isin(wanted)]
    repeated = rows.duplicated(["month", "style_id"])
    if repeated.any():
        first = rows[repeated].iloc[0]
        raise UserError(
            f"style {first['style_id']} has two profiles in {first['month']}; materialise that month's "
            "profiles anew"
        )
    if rows.empty:
        return pd.DataFrame(columns=STYLE_SERIES_COLUMNS)
    counts = (
        rows.pivot(index="style_id", columns="month", values="n_posts")
        .reindex(columns=wanted)
        .fillna(0)
        .astype("int64")
    )
    totals = counts.sum(axis=0)
    named = rows[rows["name"].notna() & (rows["name"] != "")].sort_values("month")
    names = named.groupby("style_id")["name"].last()
    table = counts.stack().reset_index().rename(columns={0: "n_posts"})
    table["month_posts"] = table["month"].map(totals).astype("int64")
    table["series_id"] = "style:" + table["style_id"].astype(str)
    table["name"] = table["style_id"].map(names).fillna("style " + table["style_id"].astype(str))
    table["complete"] = ~table["month"].isin(list(incomplete))
    return _with_shares(table, "n_posts")[STYLE_SERIES_COLUMNS]


def keyword_series(counts: KeywordCounts, incomplete: Collection[str] = ()) -> pd.DataFrame:
    """One row per keyword and month, in order of keyword and month: series_id, keyword, facet, first_seen,
    months_seen, month, complete, posts, month_posts, share, low, high, engagement_likes, engagement_collects, log_odds,
    log_odds_z, burst_level, burst_weight.

    A month in which no post names a keyword is a share of 0 with the Wilson upper bound; a month without any
    post has the share NaN in (0, 1). complete is false for the ``incomplete`` months. first_seen is the first
    month with a post that names the keyword, months_seen the number of such months. For the rest see
    ``count_keywords``, ``log_odds_ratio`` and ``find_bursts``.
    """
    n_months = len(counts.months)
    months = np.array(counts.months, dtype=object)
    log_odds, z = log_odds_ratio(counts.posts, totals=counts.month_mentions)
    level, weight = find_bursts(counts.posts, counts.month_posts)
    named = counts.posts > 0
    of_keyword = {
        "series_id": np.array([f"keyword:{keyword}" for keyword in counts.keywords], dtype=object),
        "keyword": counts.keywords,
        "facet": counts.facets,
        "first_seen": months[np.argmax(named, axis=1)],
        "months_seen": named.sum(axis=1),
    }
    of_month: dict[str, npt.NDArray[Any]] = {
        "posts": counts.posts,
        "engagement_likes": counts.likes,
        "engagement_collects": counts.collects,
        "log_odds": log_odds,
        "log_odds_z": z,
        "burst_level": level,
        "burst_weight": weight,
    }
    table = pd.DataFrame(
        {
            **{name: np.repeat(values, n_months) for name, values in of_keyword.items()},
            "month": np.tile(months, len(counts.keywords)),
            "complete": np.tile(~np.isin(months, list(incomplete)), len(counts.keywords)),
            "month_posts": np.tile(counts.month_posts, len(counts.keywords)),
            **{name: values.reshape(-1) for name, values in of_month.items()},
        },
        copy=False,
    )
    return _with_shares(table, "posts")
