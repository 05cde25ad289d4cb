"""A label as text: what counts as a label and what as none, in one place for heads, figures and files."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def label_text(label: object) -> str | None:
    """The label as text without blanks around it; None for None, NaN, NA and blank."""
    if (
        label is None
        or (isinstance(label, float) and label != label)
        or type(label).__name__ in ("NAType", "NaTType")
    ):
        return None
    return str(label).strip() or None


def label_codes(labels: Iterable[object]) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """(sorted labels (k,), code of each of ``labels`` (n,), -1 for none)."""
    names = [label_text(label) for label in labels]
    known = np.array([name is not None for name in names], dtype=bool)
    classes, found = np.unique(
        np.array([name for name in names if name is not None], dtype=str), return_inverse=True
    )
    codes = np.full(len(names), -1, dtype=np.int64)
    codes[known] = found
    return classes.astype(object), codes
