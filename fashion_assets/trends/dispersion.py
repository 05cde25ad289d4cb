"""How much more the counts of a series move from month to month than posts drawn at random would.

Posts of one month are not independent: one author posts ten times, one campaign a hundred. What looks like a clear
change under binomial noise alone may be such a batch, so every test of this package divides by what is found here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# The lower third of the squares is looked at: a step moves two of them, which in half a year are every second one. Of
# chi-squared with one degree of freedom, that quantile; and its standard error from n squares, over it, times sqrt(n).
_QUANTILE = 1 / 3
_QUANTILE_SQUARE = 0.1855
_QUANTILE_ERROR = 3.01
# The dispersion of one series rests on few months; that of the whole table counts like this many months beside them.
POOLED_MONTHS = 24.0

FloatArray = npt.NDArray[np.float64]


def overdispersion(hits: npt.ArrayLike, posts: npt.ArrayLike) -> FloatArray:
    """Variance of each series over that of binomial counts, (series,), at least 1, from (series, months) of posts.

    The pseudo-residual of a month is the mean of its neighbours less itself (Gasser, Sroka & Jennen-Steinmetz 1986,
    for equal steps), so that neither a level nor a straight trend counts, on the variance-stabilising scale
    asin sqrt((x + 3/8) / (n + 3/4)), variance 1 / 4n (Anscombe 1948). A low quantile of their squares, unlike the
    mean, is not moved by the few months around a real change. Every month has posts; under three months it is 1.
    """
    x, n = np.asarray(hits, dtype=np.float64), np.asarray(posts, dtype=np.float64)
    months = x.shape[1]
    if months < 3 or not len(x):
        return np.ones(len(x))
    level = np.arcsin(np.sqrt((x + 0.375) / (n + 0.75)))
    variance = 0.25 / n
    residual = (level[:, :-2] + level[:, 2:]) / 2 - level[:, 1:-1]
    squares = residual**2 / ((variance[:, :-2] + variance[:, 2:]) / 4 + variance[:, 1:-1])
    own = np.quantile(squares, _QUANTILE, axis=1) / _QUANTILE_SQUARE
    # Series that hardly occur say nothing of how the others scatter.
    common = (x.sum(axis=1) >= months) & (x.sum(axis=1) < n.sum(axis=1))
    table = 1.0
    if common.any():
        # One standard error up: in a small table a dispersion found too low by chance would make changes of noise.
        upwards = 1.0 + _QUANTILE_ERROR / np.sqrt(squares[common].size)
        table = float(np.quantile(squares[common], _QUANTILE)) / _QUANTILE_SQUARE * upwards
    weight = months - 2
    return np.maximum(1.0, (POOLED_MONTHS * table + weight * own) / (POOLED_MONTHS + weight))
