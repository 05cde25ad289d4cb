"""Whether two shares of posts differ; the interval of one is in ``storage.intervals``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


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
