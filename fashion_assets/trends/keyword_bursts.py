"""Bursts: stretches of months in which a keyword is named clearly more often than it usually is.

The two-state automaton of Kleinberg 2002 (Bursty and Hierarchical Structure in Streams), section 4, for batches
with known totals. A word's base rate is its share of all posts, its burst rate ``RATE_RATIO`` times that. A
month with r of d posts costs -ln of the binomial probability of r under the state's rate; entering the burst state
costs GAMMA * ln(number of months), leaving it costs nothing. The cheapest sequence of states, which starts in the base
state, says which months burst.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

# s and gamma of the paper, at the values that it uses throughout: twice as often, and one ln n to get there.
RATE_RATIO = 2.0
GAMMA = 1.0

FloatArray = npt.NDArray[np.float64]


def burst_gain(counts: npt.ArrayLike, totals: npt.ArrayLike, rate_ratio: float = RATE_RATIO) -> FloatArray:
    """(words, months) by how much cheaper the burst state explains each month than the base state does.

    ``counts`` (words, months) out of ``totals`` (months,). The binomial coefficients are the same in both
    states and cancel. 0 for words in no post or in every one.
    """
    r, d = np.asarray(counts, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    base = r.sum(axis=1, keepdims=True) / max(d.sum(), 1.0)
    moves = (base > 0) & (base < 1)
    base = np.where(moves, base, 0.5)
    # The rate of a word in more than a third of all posts cannot be doubled sensibly: half way to all posts.
    burst = np.minimum(rate_ratio * base, (1 + base) / 2)
    gain = r * np.log(burst / base) + (d - r) * (np.log1p(-burst) - np.log1p(-base))
    return np.where(moves, gain, 0.0)


def find_bursts(
    counts: npt.ArrayLike, totals: npt.ArrayLike, rate_ratio: float = RATE_RATIO, gamma: float = GAMMA
) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """(level, weight), each (words, months): 1 in the months of a burst, and the weight of the burst there.

    ``counts`` (words, months) of the posts that name each word, out of ``totals`` (months,). The weight of a burst
    is the sum of ``burst_gain`` over its months (Kleinberg 2002, section 4), the same in each of them; 0 outside.
    Months without posts neither begin nor end a burst. Of equally cheap sequences
    the one with the shorter bursts is taken.
    """
    gain = burst_gain(counts, totals, rate_ratio)
    n_words, n_months = gain.shape
    entry = gamma * np.log(max(int((np.asarray(totals) > 0).sum()), 1))
    base_cost, burst_cost = np.zeros(n_words), np.full(n_words, np.inf)
    left, entered = np.zeros((2, n_words, n_months), dtype=bool)
    for month in range(n_months):
        left[:, month] = burst_cost < base_cost
        entered[:, month] = base_cost + entry <= burst_cost
        base_cost, burst_cost = (
            np.minimum(base_cost, burst_cost),
            np.minimum(base_cost + entry, burst_cost) - gain[:, month],
        )
    level = np.zeros((n_words, n_months), dtype=bool)
    state = burst_cost < base_cost
    for month in reversed(range(n_months)):
        level[:, month] = state
        state = np.where(state, ~entered[:, month], left[:, month])
    return level.astype(np.int8), _weights(level, gain)


def _weights(level: npt.NDArray[np.bool_], gain: FloatArray) -> FloatArray:
    """The sum of ``gain`` over each run of True in the rows of ``level``, in all its places; 0 elsewhere."""
    begins = level & ~np.pad(level, ((0, 0), (1, 0)))[:, :-1]
    run = np.cumsum(begins.reshape(-1))[level.reshape(-1)]
    weights = np.zeros(level.shape)
    weights[level] = np.bincount(run, weights=gain[level])[run] if len(run) else 0.0
    return weights


def list_bursts(series: pd.DataFrame) -> pd.DataFrame:
    """One row per burst, the heaviest first: keyword, facet, first, last, peak, weight, posts.

    ``series`` is the result of ``keyword_series`` or ``KEYWORD_TRENDS``; first, last and peak are months, the
    peak that with the highest share.
    """
    columns = ["keyword", "facet", "first", "last", "peak", "weight", "posts"]
    places = np.flatnonzero(series["burst_level"].to_numpy(dtype=np.float64, na_value=0) > 0)
    rows = series.iloc[places]
    if rows.empty:
        return pd.DataFrame(columns=columns)
    begins = (np.diff(places, prepend=-2) > 1) | (rows["keyword"] != rows["keyword"].shift()).to_numpy()
    grouped = rows.assign(burst=np.cumsum(begins)).groupby("burst", sort=False)
    table = grouped.agg(
        keyword=("keyword", "first"),
        facet=("facet", "first"),
        first=("month", "first"),
        last=("month", "last"),
        weight=("burst_weight", "first"),
        posts=("posts", "sum"),
    )
    table["peak"] = rows.loc[grouped["share"].idxmax(), "month"].to_numpy()
    table = table.sort_values(["weight", "keyword"], ascending=[False, True], ignore_index=True)
    return table[columns]
