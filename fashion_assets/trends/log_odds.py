"""What is characteristic of a month: log-odds of words with an informative Dirichlet prior."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

# Weight of the prior in posts per post of the average month: 1 pulls a word of one month as strongly towards
# the whole corpus as a month's worth of posts would (alpha_0 in Monroe et al.; they scale it to the size of
# one group too).
PRIOR_STRENGTH = 1.0

FloatArray = npt.NDArray[np.float64]


def log_odds_ratio(
    counts: npt.ArrayLike, prior_strength: float = PRIOR_STRENGTH, totals: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """(log-odds ratio, z), each (words, groups), of every group against all others together, from counts
    (words, groups).

    Monroe, Colaresi & Quinn 2008 ("Fightin' Words"), eqs. 15, 16 and 22: the prior of a word is its frequency
    in the whole corpus, so rare words need more evidence. alpha_w = alpha_0 * (share of word w in all groups),
    alpha_0 = prior_strength * (mean size of a group). z = ratio / its standard deviation. ``totals`` (groups,)
    are the groups' sizes where ``counts`` leaves words out; None: their sums. Groups of size 0 are no groups:
    NaN, as is everything where fewer than two are left.
    """
    y = np.asarray(counts, dtype=np.float64)
    n = (y.sum(axis=0) if totals is None else np.asarray(totals, dtype=np.float64))[None, :]
    groups = int((n > 0).sum())
    if groups < 2:
        return np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    everything, size = y.sum(axis=1, keepdims=True), n.sum()
    alpha0 = prior_strength * size / groups
    alpha = alpha0 * everything / size
    rest, n_rest = everything - y, size - n
    # A word that is all there is leaves nothing for the odds to stand against; half a post keeps them finite.
    against, against_rest = (
        np.maximum(n + alpha0 - y - alpha, 0.5),
        np.maximum(n_rest + alpha0 - rest - alpha, 0.5),
    )
    ratio = np.log((y + alpha) / against) - np.log((rest + alpha) / against_rest)
    z = ratio / np.sqrt(1 / (y + alpha) + 1 / (rest + alpha))
    return np.where(n > 0, ratio, np.nan), np.where(n > 0, z, np.nan)


def characteristic_keywords(series: pd.DataFrame, top: int | None = 20) -> pd.DataFrame:
    """The keywords that mark each month against the other months: month, keyword, facet, posts, log_odds,
    log_odds_z, rank.

    ``series`` is the result of ``keyword_series``. Rank 1 is the most characteristic word of a month; ``top``
    words a month (None: all). Empty if fewer than two months have posts.
    """
    columns = ["month", "keyword", "facet", "posts", "log_odds", "log_odds_z"]
    table = series.loc[series["log_odds_z"].notna(), columns].sort_values(
        ["month", "log_odds_z", "keyword"], ascending=[True, False, True], ignore_index=True
    )
    table["rank"] = table.groupby("month").cumcount() + 1
    return (table if top is None else table[table["rank"] <= top]).reset_index(drop=True)
