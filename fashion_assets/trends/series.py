"""Monthly series of styles and keywords with intervals, and the keywords that mark a month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.proportions import wilson_interval

# A keyword in fewer posts over all months has no curve worth a row; its interval would span everything.
MIN_KEYWORD_POSTS = 20
# Weight of the prior in posts per post of the average month: 1 pulls a word of one month as strongly towards
# the whole corpus as a month's worth of posts would (alpha_0 in Monroe et al.; they scale it to the size of
# one group too).
PRIOR_STRENGTH = 1.0

STYLE_SERIES_COLUMNS = [
    "series_id",
    "style_id",
    "name",
    "month",
    "n_posts",
    "month_posts",
    "share",
    "low",
    "high",
]
KEYWORD_SERIES_COLUMNS = [
    "series_id",
    "keyword",
    "facet",
    "month",
    "posts",
    "month_posts",
    "share",
    "low",
    "high",
]


def _check_months(months: Sequence[str]) -> list[str]:
    found = list(months)
    if not found or found != sorted(set(found)):
        raise UserError(
            f"the months {', '.join(found[:6]) or '(none)'} must be at least one, different and in order"
        )
    return found


def _with_shares(table: pd.DataFrame, count: str) -> pd.DataFrame:
    low, high = wilson_interval(table[count], table["month_posts"])
    total = table["month_posts"].to_numpy(dtype=float)
    share = np.where(total > 0, table[count].to_numpy(dtype=float) / np.maximum(total, 1), np.nan)
    return table.assign(share=share, low=low, high=high)


def style_series(profiles: pd.DataFrame, months: Sequence[str]) -> pd.DataFrame:
    """One row per style and month, in order of style and month: series_id, style_id, name, month, n_posts,
    month_posts, share, low, high.

    ``profiles`` are the style profiles of all months (month, style_id, name, n_posts). A month in which a
    style has no post is a share of 0 with the Wilson upper bound; a month without any post has the share NaN
    in (0, 1). The name is the style's newest. Raises UserError if a style occurs twice in a month.
    """
    wanted = _check_months(months)
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
    return _with_shares(table, "n_posts")[STYLE_SERIES_COLUMNS]


def keyword_series(
    keywords: pd.DataFrame, months: Sequence[str], min_posts: int = MIN_KEYWORD_POSTS
) -> pd.DataFrame:
    """One row per keyword and month: series_id, keyword, facet, month, posts, month_posts, share, low, high.

    ``keywords`` is the fashion_keywords table of all months, one row per post; a word counts once per post.
    Words in fewer than ``min_posts`` posts over all months are left out. The facet is the word's most
    frequent one.
    """
    wanted = _check_months(months)
    rows = keywords[keywords["month"].isin(wanted)]
    totals = rows.groupby("month")["post_id"].nunique().reindex(wanted).fillna(0).astype("int64")
    long = (
        rows[["post_id", "month", "keywords", "facets"]]
        .explode(["keywords", "facets"])
        .dropna(subset=["keywords"])
    )
    long = long.rename(columns={"keywords": "keyword", "facets": "facet"}).drop_duplicates(
        ["month", "post_id", "keyword"]
    )
    frequency = long["keyword"].value_counts()
    long = long[long["keyword"].isin(frequency.index[frequency >= min_posts])]
    if long.empty:
        return pd.DataFrame(columns=KEYWORD_SERIES_COLUMNS)
    counts = pd.crosstab(long["keyword"], long["month"]).reindex(columns=wanted, fill_value=0)
    filled = long[long["facet"].fillna("") != ""]
    by_facet = filled.groupby(["keyword", "facet"]).size().reset_index(name="n")
    by_facet = by_facet.sort_values(["n", "facet"], ascending=[False, True])
    facets = by_facet.drop_duplicates("keyword").set_index("keyword")["facet"]
    counts.columns.name = "month"
    table = counts.stack().astype("int64").reset_index().rename(columns={0: "posts"})
    table["month_posts"] = table["month"].map(totals).astype("int64")
    table["series_id"] = "keyword:" + table["keyword"]
    table["facet"] = table["keyword"].map(facets).fillna("")
    return _with_shares(table, "posts")[KEYWORD_SERIES_COLUMNS]


def characteristic_keywords(
    series: pd.DataFrame, top: int | None = 20, prior_strength: float = PRIOR_STRENGTH
) -> pd.DataFrame:
    """The keywords that mark each month against the other months: month, keyword, facet, posts, log_odds, z,
    rank.

    ``series`` is the result of ``keyword_series``. Log-odds ratio with an informative Dirichlet prior
    (Monroe, Colaresi & Quinn 2008, eqs. 15, 16, 22): the prior of a word is its frequency in the whole
    corpus, so rare words need more evidence. z = log_odds / its standard deviation; rank 1 is the most
    characteristic word of a month; ``top`` words a month (None: all). Empty if there is only one month with
    posts.
    """
    columns = ["month", "keyword", "facet", "posts", "log_odds", "z", "rank"]
    if series.empty:
        return pd.DataFrame(columns=columns)
    counts = series.pivot(index="keyword", columns="month", values="posts").astype(float)
    y = counts.to_numpy()
    n = y.sum(axis=0)
    if (n > 0).sum() < 2:
        return pd.DataFrame(columns=columns)
    log_odds, z = log_odds_ratio(y, prior_strength)
    facets = series.drop_duplicates("keyword").set_index("keyword")["facet"]
    table = pd.DataFrame(
        {
            "month": np.tile(counts.columns.to_numpy(dtype=object), len(counts)),
            "keyword": np.repeat(counts.index.to_numpy(dtype=object), len(counts.columns)),
            "posts": y.astype("int64").reshape(-1),
            "log_odds": log_odds.reshape(-1),
            "z": z.reshape(-1),
        }
    )
    table["facet"] = table["keyword"].map(facets)
    table = table[table["month"].isin(counts.columns[n > 0])]
    table = table.sort_values(["month", "z", "keyword"], ascending=[True, False, True], ignore_index=True)
    table["rank"] = table.groupby("month").cumcount() + 1
    return (table if top is None else table[table["rank"] <= top])[columns].reset_index(drop=True)


def log_odds_ratio(
    counts: np.ndarray, prior_strength: float = PRIOR_STRENGTH
) -> tuple[np.ndarray, np.ndarray]:
    """(log-odds ratio, z), each (words, groups), of every group against all others together, from counts
    (words, groups).

    alpha_w = alpha_0 * (share of word w in all groups), alpha_0 = prior_strength * (mean size of a group).
    """
    y = np.asarray(counts, dtype=np.float64)
    everything, groups = y.sum(axis=1, keepdims=True), y.shape[1]
    alpha0 = prior_strength * everything.sum() / groups
    alpha = alpha0 * everything / everything.sum()
    rest = everything - y
    n, n_rest = y.sum(axis=0, keepdims=True), rest.sum(axis=0, keepdims=True)
    # A word that is all there is leaves nothing for the odds to stand against; half a post keeps them finite.
    against, against_rest = (
        np.maximum(n + alpha0 - y - alpha, 0.5),
        np.maximum(n_rest + alpha0 - rest - alpha, 0.5),
    )
    ratio = np.log((y + alpha) / against) - np.log((rest + alpha) / against_rest)
    return ratio, ratio / np.sqrt(1 / (y + alpha) + 1 / (rest + alpha))
