"""The life-cycle stage of a series by a stated rule, with the figures that decided it.

Read from top to bottom, the first that holds: **too short** (fewer than ``MIN_MONTHS`` months with posts),
**seasonal** (two years seen and the month of the year explains most of the movement), **emerging** (next to
nothing before the recent window), **rising** (the recent window clearly above the one before), **fading** (clearly
below the one before, or far below its best window, or without a post in both windows after some), **peak** (level with
the window before, clearly above all that came earlier), else **steady**. "Clearly" is a ratio and a significance, so
that neither noise of small months nor a hair's breadth in big ones counts; the significance allows for posts that come
in batches (``overdispersion``). Months that are not over do not count. Under two years nothing is called seasonal, and
the evidence says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.styles.proportions import two_share_z
from fashion_assets.trends.dispersion import overdispersion
from fashion_assets.trends.grids import MonthGroup, series_grid
from fashion_assets.trends.seasonality import MIN_SEASONAL_MONTHS, strengths

# With three months a rise cannot be told from a single odd month.
MIN_MONTHS = 4
# The recent window is a third of the series, but at most a quarter of a year: a style lives for months, not
# years.
MAX_WINDOW = 3
# A quarter more or a fifth less (its inverse) is what a buyer would act on.
RISE_RATIO = 1.25
FALL_RATIO = 0.8
# 95 % two-sided, for windows fixed in advance.
CLEAR_Z = 1.96
# A stray post a year before is no earlier life: up to this part of the recent share, a style counts as new.
TRACE_RATIO = 0.05
# The best window is picked after the fact, so a fall from it must be larger and surer.
FADED_RATIO = 0.6
FADED_Z = 3.0
# Seasonal strength (Hyndman & Athanasopoulos, FPP3 4.3): 0 none, 1 nothing but season; .64 is their threshold
# for taking a seasonal difference.
SEASONAL_STRENGTH = 0.64
STAGES = ("emerging", "rising", "peak", "fading", "seasonal", "steady", "too short")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Window:
    """Posts that name each series, and all posts, over the same months: each (series,)."""

    hits: FloatArray
    posts: FloatArray

    @cached_property
    def share(self) -> FloatArray:
        return self.hits / self.posts


def life_cycle(series: pd.DataFrame) -> pd.DataFrame:
    """One row per series: series_id, stage (one of ``STAGES``), evidence (a sentence).

    ``series`` has series_id, month, share, month_posts and complete, as ``style_series`` and ``keyword_series``
    return them; months without any post and months that are not over are passed over. All series with posts in the
    same months are judged at once.
    """
    grid = series_grid(series)
    stages, evidence = np.empty((2, len(grid.names)), dtype=object)
    for group in grid.groups():
        stages[group.rows], evidence[group.rows] = _stages(group)
    return pd.DataFrame({"series_id": grid.names, "stage": stages, "evidence": evidence})


def _stages(group: MonthGroup) -> tuple[list[str], list[str]]:
    """(stages, evidence) of the series of ``group``."""
    months, hits, posts, share = group.months, group.hits, group.posts, group.share
    n_series, count = share.shape
    if count < MIN_MONTHS:
        sentence = f"{count} whole months with posts; a stage needs {MIN_MONTHS}."
        return ["too short"] * n_series, [sentence] * n_series
    width = min(MAX_WINDOW, count // 3)
    recent = _pool(hits, posts, count - width, count)
    previous = _pool(hits, posts, count - 2 * width, count - width)
    earlier = _pool(hits, posts, 0, count - 2 * width)
    before = _pool(hits, posts, 0, count - width)
    best, best_start = _best_window(hits, posts, width)
    strength = np.nan_to_num(strengths(share, [int(month[5:7]) for month in months]).seasonal)
    scatter = np.sqrt(overdispersion(hits, posts))
    z_previous, z_best = _z(recent, previous, scatter), _z(recent, best, scatter)
    new = (recent.hits > 0) & (before.hits == 0)
    # Too rare for a clear fall, but what nobody posts any more does not hold its level.
    gone = (recent.hits == 0) & (previous.hits == 0) & (before.hits > 0)
    hardly_before = before.share <= TRACE_RATIO * recent.share
    faded = (recent.share <= FADED_RATIO * best.share) & (z_best <= -FADED_Z)
    # In the order of the module's docstring; the first that holds.
    rules = {
        "seasonal": strength >= SEASONAL_STRENGTH,
        "emerging": hardly_before & _clearly_above(recent, before, scatter),
        "new": new,
        "rising": _clearly_above(recent, previous, scatter),
        "fading": _clearly_below(recent, previous, scatter),
        "faded": faded,
        "gone": gone,
        "peak": _clearly_above(recent, earlier, scatter) & _clearly_above(previous, earlier, scatter),
    }
    decided = np.select(list(rules.values()), list(rules), default="steady").tolist()
    highest, first = np.argmax(share, axis=1), np.argmax(hits > 0, axis=1)

    def sentence_of(row: int, rule: str) -> str:
        last = f"{recent.share[row]:.1%} in the last {_months(width)}"
        compared = f"{last} after {previous.share[row]:.1%} in the {_months(width)} before (z {z_previous[row]:+.1f})"
        match rule:
            case "seasonal":
                top = highest[row]
                return (
                    f"Seasonal strength {strength[row]:.2f} over {count} months; highest in {months[top]} with "
                    f"{share[row, top]:.1%}."
                )
            case "emerging":
                seen = _posts(before.hits[row]) if before.hits[row] else "No post"
                return (
                    f"{seen} in the {count - width} months before, {last} (first seen {months[first[row]]})."
                )
            case "new":
                return f"No post in the {count - width} months before and too few since to be sure: {last}."
            case "rising" | "fading":
                return f"{compared}."
            case "faded":
                start = months[best_start[row]]
                return f"{last}, {best.share[row]:.1%} at its best around {start} (z {z_best[row]:+.1f})."
            case "gone":
                return (
                    f"No post in the last {_months(2 * width)}; {_posts(before.hits[row])} in the "
                    f"{_months(count - 2 * width)} before those."
                )
            case "peak":
                return (
                    f"{compared}: level, but clearly above the {earlier.share[row]:.1%} of the months before "
                    "those."
                )
        return f"{compared}: no clear change."

    unknown = (
        f" A yearly season needs {MIN_SEASONAL_MONTHS} months; {count} are known."
        if count < MIN_SEASONAL_MONTHS
        else ""
    )
    evidence = [f"{sentence_of(row, rule)}{unknown}" for row, rule in enumerate(decided)]
    # Some rules are told apart by their sentence only.
    return [
        {"new": "steady", "faded": "fading", "gone": "fading"}.get(rule, rule) for rule in decided
    ], evidence


def _pool(hits: FloatArray, posts: FloatArray, start: int, end: int) -> _Window:
    return _Window(hits[:, start:end].sum(axis=1), posts[:, start:end].sum(axis=1))


def _best_window(hits: FloatArray, posts: FloatArray, width: int) -> tuple[_Window, npt.NDArray[np.intp]]:
    """The ``width`` months with the highest share of each series, the first of several, and where they start."""
    pooled_hits, pooled_posts = (
        np.lib.stride_tricks.sliding_window_view(table, width, axis=1).sum(axis=2) for table in (hits, posts)
    )
    start = np.argmax(pooled_hits / pooled_posts, axis=1)
    rows = np.arange(len(hits))
    return _Window(pooled_hits[rows, start], pooled_posts[rows, start]), start


def _z(a: _Window, b: _Window, scatter: FloatArray) -> FloatArray:
    return two_share_z(a.hits, a.posts, b.hits, b.posts) / scatter


def _clearly_above(a: _Window, b: _Window, scatter: FloatArray) -> npt.NDArray[np.bool_]:
    return (a.share >= RISE_RATIO * b.share) & (_z(a, b, scatter) >= CLEAR_Z)


def _clearly_below(a: _Window, b: _Window, scatter: FloatArray) -> npt.NDArray[np.bool_]:
    return (a.share <= FALL_RATIO * b.share) & (_z(a, b, scatter) <= -CLEAR_Z)


def _posts(count: float) -> str:
    return "1 post" if count == 1 else f"{count:.0f} posts"


def _months(count: int) -> str:
    return "month" if count == 1 else f"{count} months"
