"""Parquet files that somebody else wrote, as columns of Python values: what cannot be one is marked, not raised."""

from __future__ import annotations

import io
from typing import Any, Final

from fashion_assets.storage.errors import UserError

#: Stands for a cell that is no value of its type: half of a character, which no text has.
UNREADABLE: Final = "\ud800"
#: A few bytes of Parquet can say the same cell a thousand million times; a month of posts has some hundred thousand.
MAX_CELLS: Final = 100_000_000


def parquet_columns(content: bytes) -> tuple[list[str], list[list[Any]]]:
    """(column names, the values of each column) of a Parquet file.

    Text that is not UTF-8 comes with its bad bytes as lone surrogates; a time beyond Python's calendar, or of a time
    zone that nobody knows, is ``UNREADABLE``. Raises UserError (without file name) for a damaged or oversized file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        described = pq.ParquetFile(io.BytesIO(content)).metadata
        cells = described.num_rows * described.num_columns
        if cells > MAX_CELLS:
            raise UserError(
                f"it unpacks to {cells:,} cells, more than the {MAX_CELLS:,} that are read; split it"
            )
        table = pq.read_table(io.BytesIO(content))
        names = [str(name) for name in table.column_names]
        columns = [_values(column) for column in table.columns]
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, NotImplementedError) as fault:
        raise UserError(
            f"it is no whole Parquet file ({' '.join(str(fault).split())[:200]}); copy it again"
        ) from None
    return names, columns


def _values(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except Exception:  # codecs, calendars, and whichever library looks up time zones
        return [_value(cell) for cell in column]
    return values


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        buffer = cell.as_buffer() if hasattr(cell, "as_buffer") else None
        return UNREADABLE if buffer is None else buffer.to_pybytes().decode("utf-8", "surrogateescape")
    except Exception:
        return UNREADABLE
