"""Row arithmetic that all encoders share: unit length, and what may leave an encoder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

#: Rows that are in double precision at a time, so that a window of 100,000 vectors is not held so thrice.
_BLOCK_ROWS = 4_096

#: Rows shorter than this carry no direction (rounding noise only) and become exact zeros.
ZERO_NORM = 1e-8


def unit_rows(
    vectors: npt.NDArray[np.floating], out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """(n, d) float32 with rows of length 1; rows of no length stay zero. NaN and infinity pass through.

    ``out`` takes the rows and is returned; it may be ``vectors`` itself.
    """
    found = np.empty(vectors.shape, dtype=np.float32) if out is None else out
    for start in range(0, len(vectors), _BLOCK_ROWS):
        wide = np.asarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float64)
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        unit = wide / np.where(norms < ZERO_NORM, 1.0, norms)
        found[start : start + _BLOCK_ROWS] = np.where(norms < ZERO_NORM, 0.0, unit)
    return found


def has_direction(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Which rows (n,) of (n, d) have a length; ``unit_rows`` leaves the others zero. True for NaN and infinity."""
    found = np.empty(len(vectors), dtype=bool)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        wide = np.asarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float64)
        found[start : start + _BLOCK_ROWS] = ~(np.linalg.norm(wide, axis=1) < ZERO_NORM)
    return found


def checked_vectors(
    vectors: npt.NDArray[np.floating], n_items: int, dim: int, model_id: str, names: list[str] | None = None
) -> npt.NDArray[np.float32]:
    """The vectors as (n_items, dim) float32, or a UserError that names the first item that broke the
    promise."""
    if vectors.ndim != 2 or vectors.shape != (n_items, dim):
        raise UserError(
            f"{model_id} returned an array of shape {vectors.shape} for {n_items} items; expected "
            f"({n_items}, {dim})" + (f"; the first item is {names[0]}" if names else "")
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        name = names[first] if names else f"number {first}"
        raise UserError(
            f"{model_id} returned NaN or infinity for item {name} "
            f"({int((~finite).sum())} of {n_items} items); look at that item, or take another encoder or "
            "full precision"
        )
    return np.ascontiguousarray(vectors, dtype=np.float32)
