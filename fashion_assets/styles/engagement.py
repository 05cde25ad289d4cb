"""Likes and collects of a group of posts, without letting one famous post decide.

Belongs here: the limit and the mean. Does not: which posts make a group (`profiles.py`, `trends/keyword_counts.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ENGAGEMENTS = ("likes", "collects")
"""Columns of `cleaned_posts` that count how a post was received."""

WINSOR_QUANTILE = 0.95
"""Likes have a tail of a few posts that went round the country; one of them in a month would be the engagement of its
whole group. What lies above this quantile of the month's posts counts as the quantile."""


def winsor_limit(counts: npt.NDArray[np.float64]) -> float:
    """The count above which a month's counts (n,) are cut; NaN stands for unknown, all of them give infinity."""
    known = counts[~np.isnan(counts)]
    return float(np.quantile(known, WINSOR_QUANTILE)) if len(known) else float("inf")


def winsorised_mean(counts: npt.NDArray[np.float64], limit: float) -> float:
    """The mean of the known counts (n,), each cut at `limit`; NaN if none is known."""
    known = counts[~np.isnan(counts)]
    return float(np.minimum(known, limit).mean()) if len(known) else float("nan")
