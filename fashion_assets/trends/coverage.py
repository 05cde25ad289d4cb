"""From which day to which day posts are known, and so which months and weeks are over.

A month that was crawled on its 12th has fewer posts than the one before because it is not over. It stands in every
table, marked, and no stage, change point, strength or forecast is taken from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow.compute as pc

from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import shift_month

# Days without a post at an end do not mean that the crawl lacks them, if they would be empty by chance in more than
# this share of cases at the mean number of posts a day.
EMPTY_BY_CHANCE = 0.01


@dataclass(frozen=True)
class Coverage:
    """Posts are known from ``first`` to ``last``, give or take ``slack`` days that may be empty by chance."""

    first: date
    last: date
    slack: int

    def whole(self, start: date, end: date) -> bool:
        """Whether the days ``start`` to ``end`` (included) all lie within, but for the slack."""
        slack = timedelta(days=self.slack)
        return start >= self.first - slack and end <= self.last + slack

    def incomplete_months(self, months: Sequence[str]) -> list[str]:
        """Those of ``months`` of which days at the beginning or the end are not known."""
        return [month for month in months if not self.whole(first_day(month), last_day(month))]


def first_day(month: str) -> date:
    """The first day of ``2024-01``."""
    return date.fromisoformat(f"{month}-01")


def last_day(month: str) -> date:
    """The last day of ``2024-01``."""
    return first_day(shift_month(month, 1)) - timedelta(days=1)


def coverage_of(first: date, last: date, n_posts: int, crawled: date | None = None) -> Coverage:
    """Coverage by ``n_posts`` posts from ``first`` to ``last``; ``crawled`` is the day of the newest crawl.

    The day of the crawl itself is not over; all days before it are, also those without a post. Without a crawl the
    last post ends what is known.
    """
    known_to = last if crawled is None else max(crawled - timedelta(days=1), first)
    rate = n_posts / ((last - first).days + 1)
    return Coverage(first, known_to, int(-math.log(EMPTY_BY_CHANCE) / rate))


def read_coverage(lake: Lake, months: Sequence[str]) -> Coverage | None:
    """Coverage by ``cleaned_posts`` of ``months``; None if no post has a date.

    Raises MissingMonthsError naming a month of cleaned_posts that is not in the lake.
    """
    firsts, lasts, crawls, n_posts = [], [], [], 0
    for month in months:
        for batch in lake.batches("cleaned_posts", month, columns=["post_date", "fetched_at"]):
            days = pc.min_max(batch["post_date"])
            if not days["min"].is_valid:
                continue
            firsts.append(days["min"].as_py())
            lasts.append(days["max"].as_py())
            n_posts += len(batch) - batch["post_date"].null_count
            newest = pc.max(batch["fetched_at"])
            if newest.is_valid:
                crawls.append(newest.as_py().date())
    if not n_posts:
        return None
    return coverage_of(min(firsts), max(lasts), n_posts, max(crawls, default=None))
