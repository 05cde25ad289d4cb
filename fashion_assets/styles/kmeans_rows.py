"""Rows for k-means in blocks: arrays, memory maps and Arrow columns, never copied as a whole.

Belongs here: where rows come from, and what is done to each block (float32, centred or unit length). Does
not: k-means (`kmeans.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.rows import ZERO_NORM
from fashion_assets.storage.errors import UserError

FloatRows = npt.NDArray[np.float32]

BLOCK_ROWS = 4096
"""Rows per block: with 768 columns and 300 centroids a block and its scores are 17 MB. It is fixed, and sums
of blocks are added in order, so that the number of threads changes no digit.
"""


class RowSource(Protocol):
    """What k-means reads: a shape (n, d) and slices of rows; an array or a memory map is one already."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""

    def __getitem__(self, rows: slice, /) -> Any:
        """These rows as a real array (m, d)."""


class ArrowRows:
    """A column of fixed-size lists of numbers as rows (n, d); only the slice that is asked for is in one
    piece. Raises UserError for another type, and for missing vectors.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        if not pa.types.is_fixed_size_list(column.type):
            raise UserError(
                f"the vectors are a column of {column.type}; expected fixed-size lists of numbers."
            )
        if column.null_count:
            raise UserError(
                f"{column.null_count} of {len(column)} vectors are missing; drop those rows first."
            )
        self.column = column

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        return len(self.column), self.column.type.list_size

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        """These rows (m, d)."""
        start, stop, _ = rows.indices(len(self.column))
        pieces = [
            piece.flatten().to_numpy(zero_copy_only=False).reshape(len(piece), -1)
            for piece in self.column.slice(start, stop - start).chunks
            if len(piece)
        ]
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


@dataclass(frozen=True)
class PreparedRows:
    """`source` as float32 blocks: less `centre` (d,), or with rows of unit length if `spherical`.

    Centring changes no distance and keeps float32 from cancelling where the rows lie far from zero.
    """

    source: RowSource
    spherical: bool
    centre: FloatRows | None = None

    @property
    def n(self) -> int:
        """How many rows."""
        return self.source.shape[0]

    def block(self, rows: slice) -> FloatRows:
        """The prepared rows (m, d) of a slice; UserError where they are not finite."""
        return self._prepared(np.asarray(self.source[rows]), rows.start)

    def sample(self, indices: npt.NDArray[np.intp]) -> FloatRows:
        """The prepared rows (m, d) at ascending `indices`, read a slice at a time."""
        return np.concatenate([self.picked(rows, indices) for rows in blocks_of(self.n)])

    def picked(self, rows: slice, indices: npt.NDArray[np.intp]) -> FloatRows:
        """Those of a slice's prepared rows that ascending `indices` name, (m, d); m may be 0."""
        low, high = np.searchsorted(indices, [rows.start, rows.stop])
        return self._prepared(np.asarray(self.source[rows])[indices[low:high] - rows.start], rows.start)

    def _prepared(self, raw: npt.NDArray[Any], first: int) -> FloatRows:
        centred = raw if self.centre is None else raw - self.centre
        block: FloatRows = centred.astype(np.float32, copy=False)
        lengths = squared_lengths(block)
        if not np.isfinite(lengths).all():
            raise UserError(
                f"x holds NaN, infinity or numbers too large to square, among the {len(block)} rows read from "
                f"row {first} on; expected finite numbers. Drop or encode those rows again."
            )
        if self.spherical:
            norms = np.sqrt(lengths)
            norms[norms < ZERO_NORM] = 1.0
            block = np.asarray(block / norms[:, None], dtype=np.float32)
        return block


def squared_lengths(block: FloatRows) -> FloatRows:
    """The squared length of each row, (m,)."""
    return np.asarray(np.einsum("ij,ij->i", block, block), dtype=np.float32)


def blocks_of(n: int) -> Iterator[slice]:
    """Slices of `BLOCK_ROWS` rows that cover 0..n-1."""
    return (slice(start, min(start + BLOCK_ROWS, n)) for start in range(0, n, BLOCK_ROWS))


Blocks = Callable[[slice], FloatRows]
"""From a slice to prepared rows: `PreparedRows.block`, or the `__getitem__` of an array in memory."""
