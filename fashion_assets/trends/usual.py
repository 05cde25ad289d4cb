"""Whether a month's rate, volume and days are what the months before it make one expect.

Belongs here: limits from a history of counts. Does not: what is counted, and what follows (the checks).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

#: Months of history that a limit needs; under it only the fixed limits hold.
MIN_HISTORY = 3
#: Standard deviations: beyond 4 lies one binomial month in 30,000, so that hundreds of looks give no false alarm.
SIGMAS = 4.0
#: A rate that rises by less than this is not worth a look, however sure it is.
MIN_RISE = 0.02
#: A volume between half and twice the usual is not worth a look.
VOLUME_FACTOR = 2.0
#: Volumes move by a tenth from month to month for no reason; a history that happens to be smoother is not believed.
MIN_LOG_SCALE = 0.1
#: MAD times this is the standard deviation of a normal distribution.
MAD_TO_SIGMA = 1.4826
#: A gap in the days counts if chance brings one as long in fewer than one of a million months.
GAP_BY_CHANCE = 1e-6
#: Shorter gaps are holidays and crawls that started late.
MIN_GAP_DAYS = 3


@dataclass(frozen=True)
class Rate:
    """A share of a month; ``usual`` and ``limit`` come from the months before, None where there are too few."""

    rate: float
    usual: float | None
    limit: float | None

    @property
    def high(self) -> bool:
        return self.limit is not None and self.rate > self.limit


def rate_against_history(hits: int, total: int, history: Sequence[tuple[int, int]]) -> Rate:
    """The rate of ``hits`` among ``total`` and its limit from (hits, total) of earlier months.

    The limit is the pooled rate plus `SIGMAS` standard deviations of the difference of two shares, widened by how much
    more the months differ than binomial counts would (Pearson's chi-squared over its degrees of freedom, McCullagh &
    Nelder 1989, 4.5), and at least `MIN_RISE` above the pooled rate.
    """
    rate = hits / total if total else 0.0
    counts = np.array([pair for pair in history if pair[1] > 0], dtype=np.float64)
    if len(counts) < MIN_HISTORY or not total:
        return Rate(rate, None, None)
    x, n = counts[:, 0], counts[:, 1]
    # Half a hit more: a history without any has still some chance of one.
    usual = float((x.sum() + 0.5) / (n.sum() + 1.0))
    pearson = float(np.sum((x - n * usual) ** 2 / (n * usual * (1 - usual)))) if usual < 1 else 0.0
    dispersion = max(1.0, pearson / (len(counts) - 1))
    error = math.sqrt(dispersion * usual * (1 - usual) * (1 / total + 1 / float(n.sum())))
    return Rate(rate, usual, usual + max(SIGMAS * error, MIN_RISE))


@dataclass(frozen=True)
class Volume:
    """Posts a day; ``usual`` and ``z`` come from the months before, None where there are too few."""

    per_day: float
    usual: float | None
    z: float | None

    @property
    def unusual(self) -> bool:
        if self.usual is None or self.z is None:
            return False
        ratio = self.per_day / self.usual if self.usual else math.inf
        return abs(self.z) > SIGMAS and not 1 / VOLUME_FACTOR <= ratio <= VOLUME_FACTOR


def volume_against_history(per_day: float, history: Sequence[float]) -> Volume:
    """The robust z of log posts a day against earlier months (median and MAD); those without a post are left out.

    Robust, as one delivery that went wrong must not widen the limits for a year (Iglewicz & Hoaglin 1993).
    """
    known = np.array([value for value in history if value > 0], dtype=np.float64)
    if len(known) < MIN_HISTORY:
        return Volume(per_day, None, None)
    logs = np.log(known)
    middle = float(np.median(logs))
    scale = max(MAD_TO_SIGMA * float(np.median(np.abs(logs - middle))), MIN_LOG_SCALE)
    z = (math.log(per_day) - middle) / scale if per_day > 0 else -math.inf
    return Volume(per_day, math.exp(middle), z)


@dataclass(frozen=True)
class Gap:
    """Days ``first`` to ``last`` (included) without a post."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def missing_days(days: Sequence[date], n_posts: int, start: date, end: date) -> Gap | None:
    """The longest run of days from ``start`` to ``end`` (included) without a post, None where chance explains it.

    ``days``: those with a post. With n posts at random over D days the chance of a gap of L days or more is at most
    D (1 - L/D)^n; it has to be under `GAP_BY_CHANCE`, and the gap at least `MIN_GAP_DAYS`.
    """
    span = (end - start).days + 1
    if span < 1 or not n_posts:
        return None
    inside = sorted({day for day in days if start <= day <= end})
    one = timedelta(days=1)
    edges = [start - one, *inside, end + one]
    gaps = [Gap(left + one, right - one) for left, right in pairwise(edges) if (right - left).days > 1]
    longest = max(gaps, key=lambda gap: gap.days, default=None)
    if longest is None or longest.days < MIN_GAP_DAYS:
        return None
    by_chance = span * (1 - longest.days / span) ** n_posts
    return longest if by_chance < GAP_BY_CHANCE else None
