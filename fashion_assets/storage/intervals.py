"""The interval of a share: the one formula that styles, trends and products have in common.

It lies down here because packages beside each other (styles, products) do not import from one another.
"""

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
