"""How evenly posts spread over clusters: in all, and month by month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

MIN_MONTH_POSTS = 30
"""A month with fewer clustered posts has no largest share worth naming: one post is over 3 % of it."""


@dataclass(frozen=True)
class MonthShares:
    """`shares` (m, k): each cluster's part of a month's clustered posts; `posts` (m,) counts them.

    `largest` is the greatest share of one cluster in a month of `MIN_MONTH_POSTS` or more, NaN without such a month,
    and `month` is that month.
    """

    months: list[str]
    posts: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    largest: float
    month: str


def cluster_balance(labels: npt.NDArray[np.int32]) -> dict[str, float]:
    """largest_share, normalised_entropy (1 = all clusters equal) and gini (0 = all equal) of cluster sizes.

    Entropy is Shannon's over log k (Pielou's evenness); Gini is the mean absolute difference over twice the
    mean. One cluster has entropy 0, as nothing is divided. Labels below 0 (noise) are not weighed.
    """
    sizes = np.sort(np.bincount(labels[labels >= 0])).astype(np.float64)
    sizes = sizes[sizes > 0]
    if not len(sizes):
        raise UserError("there are no labels to weigh; expected at least one row with a cluster.")
    shares = sizes / sizes.sum()
    k = len(sizes)
    entropy = float(-(shares * np.log(shares)).sum() / np.log(k)) if k > 1 else 0.0
    gini = float((2 * np.arange(1, k + 1) - k - 1) @ shares / k)
    return {"largest_share": float(shares.max()), "normalised_entropy": entropy, "gini": gini}


def month_shares(labels: npt.NDArray[np.int32], months: npt.NDArray[np.str_]) -> MonthShares:
    """The shares of clusters 0..k-1 in each month of `months` (n,), noise left out."""
    clustered = labels >= 0
    names, codes = np.unique(months, return_inverse=True)
    k = int(labels.max(initial=-1)) + 1
    counts = np.zeros((len(names), k), dtype=np.int64)
    np.add.at(counts, (codes[clustered], labels[clustered]), 1)
    posts = counts.sum(axis=1)
    shares = counts / np.maximum(posts, 1)[:, None]
    judged = np.flatnonzero(posts >= MIN_MONTH_POSTS)
    if not len(judged) or not k:
        return MonthShares(names.tolist(), posts, shares, float("nan"), "")
    peak = judged[int(shares[judged].max(axis=1).argmax())]
    return MonthShares(names.tolist(), posts, shares, float(shares[peak].max()), str(names[peak]))
