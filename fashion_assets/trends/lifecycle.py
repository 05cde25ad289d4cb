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
    hits: float
    posts: float

    @property
    def share(self) -> float:
        return self.hits / self.posts if self.posts else 0.0


def life_cycle(series: pd.DataFrame) -> pd.DataFrame:
    """One row per series: series_id, stage (one of ``STAGES``), evidence (a sentence).

    ``series`` has series_id, month, share and month_posts, as ``style_series`` and ``keyword_series`` return
    them; months without any post are passed over.
    """
    rows = []
    for series_id, group in series.groupby("series_id", sort=False):
        stage, evidence = _stage(group.sort_values("month"))
        rows.append({"series_id": series_id, "stage": stage, "evidence": evidence})
    return pd.DataFrame(rows, columns=["series_id", "stage", "evidence"])


def _stage(group: pd.DataFrame) -> tuple[str, str]:
    group = group[group["month_posts"] > 0]
    months = group["month"].tolist()
    posts = group["month_posts"].to_numpy(dtype=np.float64)
    share = group["share"].to_numpy(dtype=np.float64)
    hits = np.round(share * posts)
    count = len(months)
    if count < MIN_MONTHS:
        return "too short", f"{count} months with posts; a stage needs {MIN_MONTHS}."
    if count >= MIN_SEASONAL_MONTHS:
        strength = seasonal_strength(share, np.array([int(month[5:7]) for month in months]))
        if strength >= SEASONAL_STRENGTH:
            best = months[int(np.argmax(share))]
            return (
                "seasonal",
                f"Seasonal strength {strength:.2f} over {count} months; highest in {best} with "
                f"{share.max():.1%}.",
            )
    width = min(MAX_WINDOW, count // 3)
    recent, previous, earlier = (_pool(hits, posts, *span) for span in _spans(count, width))
    before = _Window(previous.hits + earlier.hits, previous.posts + earlier.posts)
    last = f"{recent.share:.1%} in the last {_months(width)}"
    if recent.hits > 0 and before.hits == 0:
        if _clearly_above(recent, before):
            return (
                "emerging",
                f"No post in the {count - width} months before, {last} (first seen "
                f"{months[int(np.argmax(hits > 0))]}).",
            )
        return "steady", f"No post in the {count - width} months before and too few since to be sure: {last}."
    compared = (
        f"{last} after {previous.share:.1%} in the {_months(width)} before (z {_z(recent, previous):+.1f})"
    )
    if _clearly_above(recent, previous):
        return "rising", f"{compared}."
    if _clearly_below(recent, previous):
        return "fading", f"{compared}."
    best_start = int(np.argmax([_pool(hits, posts, i, i + width).share for i in range(count - width + 1)]))
    best = _pool(hits, posts, best_start, best_start + width)
    if recent.share <= FADED_RATIO * best.share and _z(recent, best) <= -FADED_Z:
        return (
            "fading",
            f"{last}, {best.share:.1%} at its best around {months[best_start]} (z {_z(recent, best):+.1f}).",
        )
    if _clearly_above(recent, earlier) and _clearly_above(previous, earlier):
        return (
            "peak",
            f"{compared}: level, but clearly above the {earlier.share:.1%} of the months before those.",
        )
    return "steady", f"{compared}: no clear change."


def _spans(count: int, width: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    return (count - width, count), (count - 2 * width, count - width), (0, count - 2 * width)


def _pool(hits: FloatArray, posts: FloatArray, start: int, end: int) -> _Window:
    return _Window(float(hits[start:end].sum()), float(posts[start:end].sum()))


def _z(a: _Window, b: _Window) -> float:
    return two_share_z(a.hits, a.posts, b.hits, b.posts)


def _clearly_above(a: _Window, b: _Window) -> bool:
    return a.share >= RISE_RATIO * b.share and _z(a, b) >= CLEAR_Z


def _clearly_below(a: _Window, b: _Window) -> bool:
    return a.share <= FALL_RATIO * b.share and _z(a, b) <= -CLEAR_Z


def _months(count: int) -> str:
    return "month" if count == 1 else f"{count} months"


def seasonal_strength(values: npt.ArrayLike, season: npt.ArrayLike) -> float:
    """Share of the movement around a straight trend that the position in the year explains, in [0, 1].

    max(0, 1 - var(remainder) / var(season + remainder)) with variances per degree of freedom, trend and
    season fitted together by least squares, so that noise over few years does not look seasonal; 0 for a
    series that does not move.
    """
    y = np.asarray(values, dtype=np.float64)
    codes, found = pd.factorize(np.asarray(season))
    freedom = len(y) - len(found) - 1
    if freedom <= 0:
        return 0.0
    time = np.arange(len(y), dtype=np.float64)
    with_season = _squared_error(np.column_stack([np.eye(len(found))[codes], time]), y) / freedom
    without = _squared_error(np.column_stack([np.ones(len(y)), time]), y) / (len(y) - 2)
    return 0.0 if without <= 1e-18 else max(0.0, 1.0 - with_season / without)


def _squared_error(x: FloatArray, y: FloatArray) -> float:
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return float(((y - x @ weights) ** 2).sum())
