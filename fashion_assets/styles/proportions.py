"""Intervals and tests for shares of posts: of a style in a month here, of a series over the months in ``trends``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

# Two-sided 95 % point of the normal distribution.
Z_95 = 1.959963984540054

FloatArray = npt.NDArray[np.float64]


def wilson_interval(
    successes: npt.ArrayLike, totals: npt.ArrayLike, z: float = Z_95
) -> tuple[FloatArray, FloatArray]:
    """(low, high) of the Wilson score interval of each share, same shape as the input; (0, 1) where the total
    is 0.

    Unlike the plain normal interval it stays in [0, 1] and says something for 0 of n: at most z^2 / (n +
    z^2). (Wilson 1927; Brown, Cai & DasGupta 2001 recommend it for small n.) Raises UserError unless 0 <=
    successes <= totals.
    """
    hits, n = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    )
    if (hits < 0).any() or (hits > n).any() or not np.isfinite(n).all():
        raise UserError("a share needs counts with 0 <= posts <= all posts of the month")
    safe = np.maximum(n, 1.0)
    p = hits / safe
    centre = (p + z * z / (2 * safe)) / (1 + z * z / safe)
    half = z * np.sqrt(p * (1 - p) / safe + z * z / (4 * safe * safe)) / (1 + z * z / safe)
    # At 0 and n of n the exact ends are 0 and 1; rounding would leave 1e-17 there.
    low = np.where((n == 0) | (hits == 0), 0.0, np.maximum(centre - half, 0.0))
    high = np.where((n == 0) | (hits == n), 1.0, np.minimum(centre + half, 1.0))
    return low, high


def two_share_z(
    hits_a: npt.ArrayLike, n_a: npt.ArrayLike, hits_b: npt.ArrayLike, n_b: npt.ArrayLike
) -> FloatArray:
    """z of each share a minus share b with the pooled variance, in the inputs' common shape; 0 if either has no
    posts or nothing differs.
    """
    count_a, size_a, count_b, size_b = (
        np.asarray(value, dtype=np.float64) for value in (hits_a, n_a, hits_b, n_b)
    )
    safe_a, safe_b = np.maximum(size_a, 1.0), np.maximum(size_b, 1.0)
    pooled = (count_a + count_b) / (safe_a + safe_b)
    variance = pooled * (1 - pooled) * (1 / safe_a + 1 / safe_b)
    known = (size_a > 0) & (size_b > 0) & (variance > 0)
    spread = np.sqrt(np.where(known, variance, 1.0))
    return np.where(known, (count_a / safe_a - count_b / safe_b) / spread, 0.0)
