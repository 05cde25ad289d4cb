"""The life-cycle stage of a series by a stated rule, with the figures that decided it.

Read from top to bottom, the first that holds: **too short** (fewer than ``MIN_MONTHS`` months with posts),
**seasonal** (two years seen and the month of the year explains most of the movement), **emerging** (nothing
before its first month, which lies in the recent window), **rising** (the recent window clearly above the one
before), **fading** (clearly below the one before, or far below its best window), **peak** (level with the
window before, clearly above all that came earlier), else **steady**. "Clearly" is a ratio and a significance,
so that neither noise of small months nor a hair's breadth in big ones counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.styles.proportions import two_share_z

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
# The best window is picked after the fact, so a fall from it must be larger and surer.
FADED_RATIO = 0.6
FADED_Z = 3.0
# A yearly season needs to be seen twice.
MIN_SEASONAL_MONTHS = 24
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

    ``series`` has series_id, month, share and month_posts, as ``style_series`` and ``keyword_series`` return
    them; months without any post are passed over. All series with posts in the same months are judged at once.
    """
    codes, names = pd.factorize(series["series_id"])
    steps, months = pd.factorize(series["month"], sort=True)
    posts, share = np.zeros((2, len(names), len(months)))
    posts[codes, steps] = series["month_posts"].to_numpy(dtype=np.float64)
    share[codes, steps] = series["share"].to_numpy(dtype=np.float64)
    stages, evidence = np.empty((2, len(names)), dtype=object)
    patterns, which = np.unique(posts > 0, axis=0, return_inverse=True)
    for number, seen in enumerate(patterns):
        rows = np.flatnonzero(which.reshape(-1) == number)
        found = _stages([str(month) for month in months[seen]], share[rows][:, seen], posts[rows][:, seen])
        stages[rows], evidence[rows] = found
    return pd.DataFrame({"series_id": names, "stage": stages, "evidence": evidence})


def _stages(months: list[str], share: FloatArray, posts: FloatArray) -> tuple[list[str], list[str]]:
    """(stages, evidence) of series with ``share`` and ``posts`` (series, months), every month with posts."""
    n_series, count = share.shape
    if count < MIN_MONTHS:
        sentence = f"{count} months with posts; a stage needs {MIN_MONTHS}."
        return ["too short"] * n_series, [sentence] * n_series
    hits = np.round(share * posts)
    width = min(MAX_WINDOW, count // 3)
    recent = _pool(hits, posts, count - width, count)
    previous = _pool(hits, posts, count - 2 * width, count - width)
    earlier = _pool(hits, posts, 0, count - 2 * width)
    before = _pool(hits, posts, 0, count - width)
    best, best_start = _best_window(hits, posts, width)
    strength = (
        seasonal_strength(share, [int(month[5:7]) for month in months])
        if count >= MIN_SEASONAL_MONTHS
        else np.zeros(n_series)
    )
    new = (recent.hits > 0) & (before.hits == 0)
    faded = (recent.share <= FADED_RATIO * best.share) & (_z(recent, best) <= -FADED_Z)
    # In the order of the module's docstring; the first that holds.
    rules = {
        "seasonal": strength >= SEASONAL_STRENGTH,
        "emerging": new & _clearly_above(recent, before),
        "new": new,
        "rising": _clearly_above(recent, previous),
        "fading": _clearly_below(recent, previous),
        "faded": faded,
        "peak": _clearly_above(recent, earlier) & _clearly_above(previous, earlier),
    }
    decided = np.select(list(rules.values()), list(rules), default="steady").tolist()
    highest, first = np.argmax(share, axis=1), np.argmax(hits > 0, axis=1)
    z_previous, z_best = _z(recent, previous), _z(recent, best)

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
                seen = f"(first seen {months[first[row]]})"
                return f"No post in the {count - width} months before, {last} {seen}."
            case "new":
                return f"No post in the {count - width} months before and too few since to be sure: {last}."
            case "rising" | "fading":
                return f"{compared}."
            case "faded":
                start = months[best_start[row]]
                return f"{last}, {best.share[row]:.1%} at its best around {start} (z {z_best[row]:+.1f})."
            case "peak":
                return (
                    f"{compared}: level, but clearly above the {earlier.share[row]:.1%} of the months before "
                    "those."
                )
        return f"{compared}: no clear change."

    evidence = [sentence_of(row, rule) for row, rule in enumerate(decided)]
    # Two rules are told apart by their sentence only.
    return [{"new": "steady", "faded": "fading"}.get(rule, rule) for rule in decided], evidence


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


def _z(a: _Window, b: _Window) -> FloatArray:
    return two_share_z(a.hits, a.posts, b.hits, b.posts)


def _clearly_above(a: _Window, b: _Window) -> npt.NDArray[np.bool_]:
    return (a.share >= RISE_RATIO * b.share) & (_z(a, b) >= CLEAR_Z)


def _clearly_below(a: _Window, b: _Window) -> npt.NDArray[np.bool_]:
    return (a.share <= FALL_RATIO * b.share) & (_z(a, b) <= -CLEAR_Z)


def _months(count: int) -> str:
    return "month" if count == 1 else f"{count} months"


def seasonal_strength(values: npt.ArrayLike, season: npt.ArrayLike) -> FloatArray:
    """Share of the movement around a straight trend that the position in the year explains, in [0, 1].

    ``values`` are (n,) or (series, n), ``season`` (n,); the result is 0-d or (series,). max(0, 1 -
    var(remainder) / var(season + remainder)) with variances per degree of freedom, trend and season fitted
    together by least squares, so that noise over few years does not look seasonal; 0 for a series that does not
    move.
    """
    y = np.asarray(values, dtype=np.float64)
    codes, found = pd.factorize(np.asarray(season))
    steps = y.shape[-1]
    freedom = steps - len(found) - 1
    if freedom <= 0:
        return np.zeros(y.shape[:-1])
    time = np.arange(steps, dtype=np.float64)
    with_season = _squared_error(np.column_stack([np.eye(len(found))[codes], time]), y) / freedom
    without = _squared_error(np.column_stack([np.ones(steps), time]), y) / (steps - 2)
    moves = without > 1e-18
    return np.where(moves, np.maximum(0.0, 1.0 - with_season / np.where(moves, without, 1.0)), 0.0)


def _squared_error(x: FloatArray, y: FloatArray) -> FloatArray:
    weights = np.linalg.lstsq(x, y.T, rcond=None)[0]
    return np.asarray(((y.T - x @ weights) ** 2).sum(axis=0), dtype=np.float64)
