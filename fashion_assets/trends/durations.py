"""Which styles live in which months, for how long and with which gaps; and the largest styles of each month.

The tables behind the duration chart and the monthly top five of the reference analysis. A style lives in a month with
at least ``MIN_LIVE_POSTS`` posts of it. A month that is not over, or has no post at all, is no evidence of absence: it
neither ends a life nor makes a gap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

# One or two stray posts a year later do not make a style long-lived.
MIN_LIVE_POSTS = 3

DURATION_COLUMNS = [
    "style_id",
    "name",
    "first_month",
    "last_month",
    "span",
    "months_live",
    "n_gaps",
    "gaps",
    "spells",
    "from_start",
    "ongoing",
    "posts",
]
TOP_COLUMNS = ["month", "rank", "style_id", "name", "n_posts", "share", "low", "high", "tied"]


def style_months(series: pd.DataFrame, min_posts: int = MIN_LIVE_POSTS) -> pd.DataFrame:
    """The duration chart's cells, one row per style and month of ``style_series``: style_id, name, month, n_posts,
    share, state.

    state: "live" (at least ``min_posts`` posts), "absent", or "unknown" (fewer posts so far in a month that is not
    over, or no posts of any style). ``series`` are the observed rows.
    """
    state = np.where(series["n_posts"] >= min_posts, "live", "absent").astype(object)
    unknown = ~series["complete"].to_numpy(dtype=bool) | (series["month_posts"] == 0).to_numpy(dtype=bool)
    state[unknown & (state == "absent")] = "unknown"
    table = series[["style_id", "name", "month", "n_posts", "share"]].assign(state=state)
    return table.sort_values(["style_id", "month"], ignore_index=True)


def style_durations(series: pd.DataFrame, min_posts: int = MIN_LIVE_POSTS) -> pd.DataFrame:
    """One row per style that lives in some month, by first month, last month and style: ``DURATION_COLUMNS``.

    span counts the stored months from first_month to last_month, months_live those with at least ``min_posts``
    posts. gaps names the absent months in between, n_gaps their stretches, spells the stretches between them
    ("2023-06–2023-08, 2023-11"). from_start: alive in the first month that is known, so it may be older. ongoing: alive
    in the last month that is known. posts are those of all months.
    """
    cells = style_months(series, min_posts)
    rows = [_duration(style) for _, style in cells.groupby("style_id") if (style["state"] == "live").any()]
    table = pd.DataFrame(rows, columns=DURATION_COLUMNS)
    return table.sort_values(["first_month", "last_month", "style_id"], ignore_index=True)


def _duration(style: pd.DataFrame) -> dict[str, object]:
    months, state = style["month"].to_numpy(dtype=object), style["state"].to_numpy(dtype=object)
    live = state == "live"
    known = np.flatnonzero(state != "unknown")
    first, last = np.flatnonzero(live)[[0, -1]]
    inside = (np.arange(len(months)) > first) & (np.arange(len(months)) < last)
    gaps = _stretches((inside & (state == "absent"))[known])
    # An unknown month between two live ones does not part them.
    spells = [months[known[stretch]] for stretch in _stretches(live[known])]
    return {
        "style_id": style["style_id"].iloc[0],
        "name": style["name"].iloc[0],
        "first_month": months[first],
        "last_month": months[last],
        "span": int(last - first + 1),
        "months_live": int(live.sum()),
        "n_gaps": len(gaps),
        "gaps": ", ".join(month for stretch in gaps for month in months[known[stretch]]),
        "spells": ", ".join(spell[0] if len(spell) == 1 else f"{spell[0]}–{spell[-1]}" for spell in spells),
        "from_start": bool(first == known[0]),
        "ongoing": bool(last == known[-1]),
        "posts": int(style["n_posts"].sum()),
    }


def _stretches(marked: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Runs of neighbouring marked places."""
    places = np.flatnonzero(marked)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return [run for run in runs if len(run)]


def monthly_top(series: pd.DataFrame, top: int = 5) -> pd.DataFrame:
    """The ``top`` styles of each month with posts by share: ``TOP_COLUMNS``, by month and rank.

    Styles of equal share have the same rank (1, 2, 2, 4) and stand in the order of their ids; tied is how many other
    styles of the month have the same share, also those that no longer fit in. Styles without a post are left out.
    ``series`` are the observed rows of ``style_series``.
    """
    rows = series[series["n_posts"] > 0]
    rows = rows.sort_values(["month", "n_posts", "style_id"], ascending=[True, False, True])
    by_month = rows.groupby("month")["n_posts"]
    rows = rows.assign(
        rank=by_month.rank(method="min", ascending=False).astype("int64"),
        tied=rows.groupby(["month", "n_posts"])["style_id"].transform("size") - 1,
    )
    return rows.groupby("month").head(top)[TOP_COLUMNS].reset_index(drop=True)
