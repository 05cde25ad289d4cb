"""Which month a post lies in: one month per post, whatever was crawled when and landed in which order.

"06-11" means another year when the post is crawled again a year later, so the earliest fetch that dates a
post decides, and later crawls follow. Where an earlier crawl arrives late and says another month, all rows
of the post move. Everything here is a minimum over a set of crawls, so the order of arrival cannot matter.
"""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from fashion_assets.posts.dates import combine_date_text, resolve_post_date_with_source
from fashion_assets.posts.schemas import POST_INDEX
from fashion_assets.posts.times import parse_fetch_time, quoted

_INDEX_COLUMNS = POST_INDEX.names
_NEVER = datetime(9999, 12, 31)
_WIDEN = "set FASHION_FIRST_MONTH earlier (a file that still lies in incoming/ is then landed again), or drop the row."


def month_of(day: date | datetime) -> str:
    """The month of a day as "2024-06"."""
    return f"{day.year:04d}-{day.month:02d}"


def date_rows(rows: pd.DataFrame, first_month: str, last_month: str, today: date) -> pd.DataFrame:
    """The crawl rows with ``fetched_at``, ``resolved_date``, ``date_source`` and ``fallback_month``.

    A date outside [first_month, last_month] or after ``today`` is a fault of the row. ``fallback_month`` is
    where the row goes if nothing dates its post: the commonest month of the file's dated rows (a crawl of a
    month is fetched in the first days of the next, which must not be made by bad rows alone), else the month of its
    fetch, else ``first_month``.
    """
    dated = rows.copy()
    fetched, days, sources, faults = [], [], [], list(dated["fault"])
    columns = list(dated["fault_column"])
    cells = zip(
        dated["post_date"], dated["post_time"], dated["post_id"], dated["post_fetch_time"], strict=True
    )
    for place, (shown, clock, post_id, fetch_text) in enumerate(cells):
        fetch = parse_fetch_time(fetch_text)
        day, source = None, None
        if faults[place] is None or columns[place] is not None:
            day, source, _ = resolve_post_date_with_source(combine_date_text(shown, clock), fetch, post_id)
            if day is not None and not (first_month <= month_of(day) <= last_month and day <= today):
                if faults[place] is None:
                    columns[place] = "post_date"
                    said = f"{quoted(shown)} means {day}" if shown else f"The id says {day}"
                    advice = (
                        _WIDEN
                        if month_of(day) < first_month
                        else "mend post_date or post_fetch_time, or drop the row."
                    )
                    faults[place] = (
                        f"{said}, which is outside of what this lake holds ({first_month} to {last_month}, "
                        f"not after {today}); {advice}"
                    )
                day, source = None, None
        fetched.append(fetch)
        days.append(day)
        sources.append(source)
    dated["fetched_at"] = pd.Series(fetched, index=dated.index, dtype="datetime64[s]")
    dated["resolved_date"] = pd.Series(days, index=dated.index, dtype=object)
    dated["date_source"] = pd.Series(sources, index=dated.index, dtype=object)
    dated["fault_column"], dated["fault"] = columns, faults

    def held(moment: date | datetime | None) -> str | None:
        month = month_of(moment) if moment is not None else ""
        return month if first_month <= month <= min(last_month, month_of(today)) else None

    months = [held(day) for day in days]
    counted = pd.Series([month for month in months if month], dtype=object).value_counts()
    # The earliest of equally common months, so that the order of the rows does not matter.
    common = min(counted.index[counted == counted.max()]) if len(counted) else None
    dated["fallback_month"] = [common or held(fetch) or first_month for fetch in fetched]
    return dated


def reaches_before(rows: pd.DataFrame) -> bool:
    """Whether ``date_rows`` refused one of these rows for a day before the first month of the lake."""
    return bool(rows["fault"].str.endswith(_WIDEN, na=False).any())


def index_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The post index (``POST_INDEX`` columns, one row per post) that these landed rows alone would give."""
    known = rows[rows["post_id"].notna()]
    months = [
        month_of(day) if day is not None and not pd.isna(day) else fallback
        for day, fallback in zip(known["resolved_date"], known["fallback_month"], strict=True)
    ]
    candidates = pd.DataFrame(
        {
            "post_id": known["post_id"].to_numpy(dtype=object),
            "month": months,
            "resolved_date": known["resolved_date"].to_numpy(dtype=object),
            "date_source": known["date_source"].to_numpy(dtype=object),
            "fetched_at": known["fetched_at"].to_numpy(dtype="datetime64[s]"),
        }
    )
    return merge_indexes(candidates)


def merge_indexes(*indexes: pd.DataFrame) -> pd.DataFrame:
    """One row per post: dated before undated, then the earliest fetch, then the earliest date or month."""
    filled = [index for index in indexes if len(index)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in _INDEX_COLUMNS})
    merged = pd.concat([index[_INDEX_COLUMNS] for index in filled], ignore_index=True)
    undated = merged["resolved_date"].isna()
    order = pd.DataFrame(
        {
            "post_id": merged["post_id"],
            "undated": undated,
            "fetched": pd.to_datetime(merged["fetched_at"]).fillna(_NEVER).astype("datetime64[s]"),
            "day": [str(day) for day in merged["resolved_date"].where(~undated, merged["month"])],
            "source": merged["date_source"].fillna("").astype(str),
        }
    ).sort_values(["post_id", "undated", "fetched", "day", "source"], kind="stable")
    winners = order.drop_duplicates("post_id").index
    first: pd.DataFrame = merged.loc[winners].reset_index(drop=True)
    return first


def place_rows(rows: pd.DataFrame, index: pd.DataFrame) -> pd.Series:
    """The month of every row: its post's in the index, its own where it has no post id."""
    months = rows["post_id"].map(dict(zip(index["post_id"], index["month"], strict=True)))
    own = [
        month_of(day) if day is not None and not pd.isna(day) else fallback
        for day, fallback in zip(rows["resolved_date"], rows["fallback_month"], strict=True)
    ]
    return pd.Series(
        [month if isinstance(month, str) else fallback for month, fallback in zip(months, own, strict=True)],
        index=rows.index,
        dtype=object,
    )
