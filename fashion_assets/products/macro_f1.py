"""The figure by which kinds, strengths and resamplings are chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError


def macro_f1(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean F1 over the classes of ``truth`` (n,), as ``evaluation.evaluate_attribute`` counts it, without intervals.

    A class that is only predicted has no F1 of its own; it costs the classes whose rows it took. Raises UserError
    for other lengths or no row.
    """
    right, given = np.asarray(truth), np.asarray(predicted)
    if right.ndim != 1 or right.shape != given.shape or not len(right):
        raise UserError(
            f"there are {right.shape} true and {given.shape} predicted labels; expected one each per row, and a row"
        )
    names, codes = np.unique(np.concatenate([right, given]), return_inverse=True)
    mine, theirs = codes[: len(right)], codes[len(right) :]
    support = np.bincount(mine, minlength=len(names))
    called = np.bincount(theirs, minlength=len(names))
    hits = np.bincount(mine[mine == theirs], minlength=len(names))
    counted = support > 0
    return float(np.mean(2 * hits[counted] / (support + called)[counted]))
