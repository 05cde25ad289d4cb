"""Posts per ISO week of styles and of the strongest keywords, counted from the lake month by month.

Belongs here: from the lake to ``WEEKLY_TRENDS``. Weeks run from Monday to Sunday in Asia/Shanghai, the zone of the
posts' days. Every week from the first to the last known one is there, also one without a post. All styles have weeks;
of the keywords those that ``strongest_keywords`` names, so that the table stays small however many words there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.posts.same_text import EMPTY_TEXT
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.storage.lake import Lake
from fashion_assets.trends.coverage import Coverage, first_day, last_day
from fashion_assets.trends.schemas import WEEKLY_TRENDS
from fashion_assets.trends.time_axis import checked_months

# Below about five posts a week a count is mostly chance (the usual rule for expected counts).
MIN_WEEK_POSTS = 5.0
# Weeks are for looking at one curve after the other.
MAX_WEEKLY_KEYWORDS = 200
_WEEKS_PER_MONTH = 365.25 / 12 / 7

# 1970-01-01 was a Thursday: days since then plus this, over seven, number the weeks from Monday on.
_THURSDAY = 3

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WeekCounts:
    """``posts`` (series, weeks) of each series and ``week_posts`` (weeks,), weeks from Monday ``start`` on.

    ``undated`` posts are in no week: they have no day, or one outside the month in which they stand.
    """

    start: date
    posts: IntArray
    week_posts: IntArray
    undated: int


def strongest_keywords(trends: pd.DataFrame) -> list[str]:
    """The keywords of KEYWORD_TRENDS that have weeks, the most frequent first; of equal ones the first by name.

    Those in at least ``MIN_WEEK_POSTS`` posts in the mean week of the stored months, at most
    ``MAX_WEEKLY_KEYWORDS``.
    """
    observed = trends[trends["kind"] == "observed"]
    total = observed.groupby("keyword", sort=True)["posts"].sum()
    weeks = observed["month"].nunique() * _WEEKS_PER_MONTH
    often = total[total >= MIN_WEEK_POSTS * weeks].sort_values(ascending=False, kind="stable")
    return [str(keyword) for keyword in often.index[:MAX_WEEKLY_KEYWORDS]]


def count_style_weeks(lake: Lake, months: Sequence[str], styles: Sequence[int]) -> WeekCounts:
    """Posts of ``styles`` by week, of all posts that have a style, from style_clusters and cleaned_posts.

    One month is held at a time. Raises MissingMonthsError naming a month that is not in the lake, UserError naming
    a post of style_clusters that is not among the posts.
    """
    tally = _Tally(checked_months(months), len(styles))
    index = pd.Index(list(styles))
    for month in tally.months:
        posts, days, _ = _posts_of(lake, month)
        for batch in lake.batches("style_clusters", month, columns=["post_id", "style_id"]):
            style = batch["style_id"].to_numpy(zero_copy_only=False).astype(np.int64)
            place = _places(posts, batch["post_id"], month, "style_clusters")[style >= 0]
            series = index.get_indexer(style[style >= 0])
            week = tally.weeks_of(month, days[place])
            tally.add_posts(week)
            tally.add(week[series >= 0], series[series >= 0])
    return tally.counts()


def count_keyword_weeks(lake: Lake, months: Sequence[str], keywords: Sequence[str]) -> WeekCounts:
    """Posts that name each of ``keywords`` by week, of all posts, from fashion_keywords and cleaned_posts.

    As in ``count_keywords`` a word counts once per post, and posts of the same text in a week are one post. One
    month is held at a time, and of it up to a kilobyte a post. Raises as ``count_style_weeks``.
    """
    tally = _Tally(checked_months(months), len(keywords))
    wanted = pa.array(list(keywords), pa.string())
    # Texts and pairs of a week that the next month goes on with; a text is counted once when its week is through.
    open_pairs = np.empty((0, 3), dtype=np.int64)
    for month in tally.months:
        posts, days, texts = _posts_of(lake, month)
        parts = [open_pairs]
        for batch in lake.batches("fashion_keywords", month, columns=["post_id", "keywords"]):
            place = _places(posts, batch["post_id"], month, "fashion_keywords")
            week = tally.weeks_of(month, days[place])
            found = pc.index_in(pc.list_flatten(batch["keywords"]), value_set=wanted).fill_null(-1)
            word = found.to_numpy(zero_copy_only=False).astype(np.int64)
            parent = pc.list_parent_indices(batch["keywords"]).to_numpy(zero_copy_only=False)[word >= 0]
            # The post itself is a pair with no word.
            parts.append(np.column_stack([week, texts[place], np.full(len(place), -1)]))
            parts.append(np.column_stack([week[parent], texts[place][parent], word[word >= 0]]))
        pairs = _distinct_rows(np.concatenate(parts))
        later = pairs[:, 0] == tally.week_number(last_day(month))
        open_pairs = pairs[later]
        tally.add_pairs(pairs[~later])
    tally.add_pairs(open_pairs)
    return tally.counts()


class _Tally:
    """Adds up weeks; week -1 stands for a post without a usable day."""

    def __init__(self, months: list[str], n_series: int) -> None:
        self.months = months
        self._first = _week_of_day(_day_number(first_day(months[0])))
        weeks = _week_of_day(_day_number(last_day(months[-1]))) - self._first + 1
        self._posts = np.zeros((n_series, weeks), dtype=np.int64)
        self._week_posts = np.zeros(weeks, dtype=np.int64)
        self._undated = 0

    def week_number(self, day: date) -> int:
        return _week_of_day(_day_number(day)) - self._first

    def weeks_of(self, month: str, days: IntArray) -> IntArray:
        """Week of each day (days since 1970), -1 where it does not lie in ``month``."""
        inside = (days >= _day_number(first_day(month))) & (days <= _day_number(last_day(month)))
        return np.where(inside, (days + _THURSDAY) // 7 - self._first, -1)

    def add_posts(self, week: IntArray) -> None:
        self._undated += int((week < 0).sum())
        self._week_posts += np.bincount(week[week >= 0], minlength=len(self._week_posts))

    def add(self, week: IntArray, series: IntArray) -> None:
        np.add.at(self._posts, (series[week >= 0], week[week >= 0]), 1)

    def add_pairs(self, pairs: IntArray) -> None:
        week, word = pairs[:, 0], pairs[:, 2]
        self.add_posts(week[word < 0])
        self.add(week[word >= 0], word[word >= 0])

    def counts(self) -> WeekCounts:
        start = date(1970, 1, 1) + timedelta(days=self._first * 7 - _THURSDAY)
        return WeekCounts(start, self._posts, self._week_posts, self._undated)


def weekly_table(
    counts: WeekCounts,
    kind: str,
    ids: Sequence[str],
    names: Sequence[str],
    months: Sequence[str],
    coverage: Coverage | None,
) -> pd.DataFrame:
    """``WEEKLY_TRENDS`` of the series ``ids`` (series_id) and their ``names``, in this order, by week.

    ``kind`` is style or keyword. complete: every day of the week lies in one of the stored ``months`` and within
    ``coverage``. Weeks at the ends that have no post and are not complete are left out.
    """
    starts = [counts.start + timedelta(weeks=week) for week in range(len(counts.week_posts))]
    complete = np.array([coverage is not None and _whole(start, set(months), coverage) for start in starts])
    known = np.flatnonzero(complete | (counts.week_posts > 0))
    axis = slice(known[0], known[-1] + 1) if len(known) else slice(0)
    starts = starts[axis]
    n_series, n_weeks = len(ids), len(starts)
    posts, totals = counts.posts[:, axis].reshape(-1), np.tile(counts.week_posts[axis], n_series)
    low, high = wilson_interval(posts, totals)
    table = {
        "series_id": np.repeat(np.array(ids, dtype=object), n_weeks),
        "series_kind": kind,
        "name": np.repeat(np.array(names, dtype=object), n_weeks),
        "week": np.tile(np.array([_iso_week(start) for start in starts], dtype=object), n_series),
        "week_start": np.tile(np.array(starts, dtype=object), n_series),
        "complete": np.tile(complete[axis], n_series),
        "posts": posts,
        "week_posts": totals,
        "share": np.where(totals > 0, posts / np.maximum(totals, 1), np.nan),
        "low": low,
        "high": high,
    }
    return pd.DataFrame(table, columns=WEEKLY_TRENDS.names)


def _whole(start: date, months: set[str], coverage: Coverage) -> bool:
    end = start + timedelta(days=6)
    return {f"{start:%Y-%m}", f"{end:%Y-%m}"} <= months and coverage.whole(start, end)


def _iso_week(start: date) -> str:
    year, week, _ = start.isocalendar()
    return f"{year:04d}-W{week:02d}"


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _week_of_day(day_number: int) -> int:
    return (day_number + _THURSDAY) // 7


def _posts_of(lake: Lake, month: str) -> tuple[pd.Index, IntArray, IntArray]:
    """(post ids, their days since 1970, the number of their text) of a month; a day of -1 is unknown.

    The number of a text is a 64-bit hash, the same in every month; a post without text has one of its own.
    """
    batches: Iterator[pa.RecordBatch] = lake.batches(
        "cleaned_posts", month, columns=["post_id", "post_date", "content_hash"]
    )
    ids, days, texts = [], [], []
    for batch in batches:
        post = batch["post_id"].to_numpy(zero_copy_only=False)
        ids.append(post)
        days.append(batch["post_date"].cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False))
        content = batch["content_hash"].fill_null(EMPTY_TEXT).to_numpy(zero_copy_only=False)
        key = np.where(content == EMPTY_TEXT, post, content).astype(object)
        texts.append(pd.util.hash_array(key, categorize=False).view(np.int64))
    if not ids:
        return pd.Index([]), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    index = pd.Index(np.concatenate(ids))
    kept = ~index.duplicated()
    return index[kept], np.concatenate(days).astype(np.int64)[kept], np.concatenate(texts)[kept]


def _places(posts: pd.Index, wanted: pa.Array, month: str, asset: str) -> npt.NDArray[np.intp]:
    place = posts.get_indexer(pd.Index(wanted.to_numpy(zero_copy_only=False)))
    if (place < 0).any():
        raise UserError(
            f"{asset} of {month} names the post {wanted[int(np.argmin(place))]}, which cleaned_posts of that month "
            f"does not hold; make it again (fashion-assets run --months {month} --select {asset})"
        )
    return place


def _distinct_rows(rows: IntArray) -> IntArray:
    """The different rows, sorted."""
    ordered = rows[np.lexsort(rows.T[::-1])]
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[new]
