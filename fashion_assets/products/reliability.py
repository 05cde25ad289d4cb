"""How far confidences can be believed: the reliability diagram's table, and the expected calibration error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError

# Bins of equal width, as Guo et al. 2017 ("On Calibration of Modern Neural Networks", section 2) use them.
BINS = 15


def reliability(confidence: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """One row per bin that holds an item: low, high, count, mean confidence, accuracy.

    ``confidence`` (n,) in 0..1 of the answers given, ``right`` (n,) whether each was right; a confidence on an edge
    belongs to the bin below it. Raises UserError for other lengths or values.
    """
    sure, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=bool)
    if sure.ndim != 1 or sure.shape != correct.shape:
        raise UserError(
            f"there are {sure.shape} confidences and {correct.shape} verdicts; give one each per answer"
        )
    if not ((sure >= 0) & (sure <= 1)).all():
        raise UserError("a confidence is not between 0 and 1; give probabilities, not scores")
    edges = np.linspace(0, 1, bins + 1)
    inside = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(inside, minlength=bins)
    held = np.flatnonzero(counts)
    return pd.DataFrame(
        {
            "low": edges[held],
            "high": edges[held + 1],
            "count": counts[held],
            "confidence": np.bincount(inside, sure, minlength=bins)[held] / counts[held],
            "accuracy": np.bincount(inside, correct, minlength=bins)[held] / counts[held],
        }
    )


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean over items of |accuracy - mean confidence| of their bin (Guo et al. 2017, eq. 3); NaN without items."""
    if not len(table):
        return float("nan")
    gap = (table["accuracy"] - table["confidence"]).abs()
    return float((gap * table["count"]).sum() / table["count"].sum())
