"""The months from which on a share is another one: change points of binomial counts.

Optimal partitioning (Jackson et al. 2005, An algorithm for optimal partitioning of data on an interval; what PELT of
Killick, Fearnhead & Eckley 2012 prunes; the dozens of months here need no pruning): of all ways to cut a series into
stretches of one share each, the one with the smallest -2 ln likelihood plus ``PENALTY * ln(months)`` a change. Three
times the logarithm is the modified BIC of Zhang & Siegmund 2007 (plain BIC, which reckons one parameter a change,
finds changes in noise). The likelihood is divided by the series' ``overdispersion``, and a single odd month counts as
what its neighbours are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.trends.dispersion import overdispersion

PENALTY = 3.0
# One odd month is a burst (keyword_bursts), no new level; and the newest month alone cannot show that it will stay.
MIN_STRETCH = 2
# Standard deviations between a month and the median of it and its neighbours from which on it is odd.
ODD_DEVIATIONS = 3.0
# Series judged at once, so that the costs of all stretches stay within some tens of MB.
_CHUNK = 2_000

CHANGE_COLUMNS = ["change", "change_before", "change_after", "change_low", "change_high"]

FloatArray = npt.NDArray[np.float64]


def change_points(hits: npt.ArrayLike, posts: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(series, months): True in the first month of each new share, from posts (series, months), all above 0.

    ``hits`` of ``posts``; nothing is found in fewer than 2 * ``MIN_STRETCH`` months.
    """
    x, n = np.asarray(hits, dtype=np.float64), np.asarray(posts, dtype=np.float64)
    dispersion = overdispersion(x, n)
    found = np.zeros(x.shape, dtype=bool)
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        found[part] = _partition(
            _without_odd_months(x[part], n[part], dispersion[part]), n[part], dispersion[part]
        )
    return found


def _without_odd_months(x: FloatArray, n: FloatArray, dispersion: FloatArray) -> FloatArray:
    """The hits, those of odd months as if they had the median share of three neighbours (two at an end and itself).

    A median of three leaves every step and every ramp as it is.
    """
    months = x.shape[1]
    if months < 3:
        return x
    share = x / n
    begin = np.clip(np.arange(months) - 1, 0, months - 3)
    middle = np.median(np.stack([share[:, begin + step] for step in range(3)]), axis=0)
    # On the scale of overdispersion: variance 1 / 4n; the neighbour scatters as much.
    apart = np.abs(np.arcsin(np.sqrt(share)) - np.arcsin(np.sqrt(middle)))
    odd = apart > ODD_DEVIATIONS * np.sqrt(dispersion[:, None] * 2 * 0.25 / n)
    return np.where(odd, middle * n, x)


def _partition(x: FloatArray, n: FloatArray, dispersion: FloatArray) -> npt.NDArray[np.bool_]:
    series, months = x.shape
    found = np.zeros((series, months), dtype=bool)
    if months < 2 * MIN_STRETCH:
        return found
    sum_x, sum_n = (np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0))) for values in (x, n))
    penalty = PENALTY * np.log(months)
    # best[:, t]: cost of the first t months; begin[:, t]: where their last stretch begins.
    best = np.full((series, months + 1), np.inf)
    best[:, 0] = -penalty
    begin = np.zeros((series, months + 1), dtype=np.int64)
    for end in range(MIN_STRETCH, months + 1):
        starts = np.arange(end - MIN_STRETCH + 1)
        stretch = _deviance(sum_x[:, [end]] - sum_x[:, starts], sum_n[:, [end]] - sum_n[:, starts])
        cost = best[:, starts] + stretch / dispersion[:, None] + penalty
        begin[:, end] = np.argmin(cost, axis=1)
        best[:, end] = np.min(cost, axis=1)
    rows, place = np.arange(series), np.full(series, months)
    while (place > 0).any():
        place = begin[rows, place]
        found[rows[place > 0], place[place > 0]] = True
    return found


def _deviance(hits: FloatArray, posts: FloatArray) -> FloatArray:
    """-2 ln likelihood of one share for all; the binomial coefficients, the same for every cut, are left out."""
    misses = posts - hits
    p = hits / posts
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(hits > 0, hits * np.log(p), 0.0) + np.where(misses > 0, misses * np.log1p(-p), 0.0)
    return -2.0 * parts


def change_table(hits: npt.ArrayLike, posts: npt.ArrayLike) -> dict[str, FloatArray]:
    """``CHANGE_COLUMNS``, each (series, months), NaN but for the first month of each new share.

    change_before and change_after are the shares of the stretch that ends and of the one that begins, change is
    after less before, and change_low to change_high its 95 % interval (Newcombe 1998, method 10: from the two Wilson
    intervals), of as many posts as the overdispersion leaves. The place was picked because the difference is large
    there, so the interval is a little too narrow.
    """
    x, n = np.asarray(hits, dtype=np.float64), np.asarray(posts, dtype=np.float64)
    found = change_points(x, n)
    table = {name: np.full(x.shape, np.nan) for name in CHANGE_COLUMNS}
    rows, months = np.nonzero(found)
    if not len(rows):
        return table
    # Stretches of all series behind each other; each series begins with one.
    begins = found.copy()
    begins[:, 0] = True
    number = np.cumsum(begins.reshape(-1)) - 1
    dispersion = np.maximum(overdispersion(x, n), 1.0)[rows]
    stretch = number.reshape(x.shape)[rows, months]
    of_stretch = [np.bincount(number, weights=values.reshape(-1)) for values in (x, n)]
    sides = []
    for side in (stretch - 1, stretch):
        hit, total = (values[side] / dispersion for values in of_stretch)
        sides.append((hit / total, *wilson_interval(hit, total)))
    (p, p_low, p_high), (q, q_low, q_high) = sides
    figures = (
        q - p,
        p,
        q,
        q - p - np.sqrt((q - q_low) ** 2 + (p_high - p) ** 2),
        q - p + np.sqrt((q_high - q) ** 2 + (p - p_low) ** 2),
    )
    for name, values in zip(CHANGE_COLUMNS, figures, strict=True):
        table[name][rows, months] = values
    return table


def list_changes(series: pd.DataFrame) -> pd.DataFrame:
    """One row per change point, the surest first: series_id, month and ``CHANGE_COLUMNS``.

    ``series`` holds observed rows of a trend table. Surest: the change over the half width of its interval; of
    equally sure ones the first by month and series.
    """
    rows = series.loc[series["change"].notna(), ["series_id", "month", *CHANGE_COLUMNS]]
    sure = rows["change"].abs() / (rows["change_high"] - rows["change_low"])
    order = rows.assign(sure=sure).sort_values(
        ["sure", "month", "series_id"], ascending=[False, True, True], ignore_index=True
    )
    return order.drop(columns="sure")
