"""Parquet files opened where they lie, so that only the columns and row groups that are wanted are read.

Belongs here: local files and objects behind one reader. Does not: which table a file is (``lake``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.places import is_remote

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fashion_assets.storage.places import Place

#: Objects up to this size are fetched whole: one request takes longer to answer than these bytes to come.
WHOLE_BYTES = 8 << 20
#: Bytes, as they lie uncompressed in the file, that are decoded at a time: small tables stay one piece.
_PIECE_BYTES = 32 << 20
_MIN_PIECE_ROWS = 1024
#: How often a whole read begins anew because the object was replaced meanwhile.
_TRIES = 4
#: What is read is compared with the checksum of its page; files of older versions have none.
_CHECKED: dict[str, Any] = {"page_checksum_verification": True}


@contextmanager
def open_parquet(place: Place, **options: Any) -> Iterator[pq.ParquetFile]:
    """The file, open; ``options`` are those of ``pyarrow.parquet.ParquetFile``.

    Once open it is read as it was: an object that is replaced meanwhile raises ``s3fs``'s FileExpired (an OSError),
    one that is removed FileNotFoundError. A local file stays readable.
    """
    import pyarrow.parquet as pq

    if not is_remote(place):
        with pq.ParquetFile(place, **_CHECKED, **options) as file:
            yield file
        return
    with place.reader() as handle, pq.ParquetFile(_source(handle), **_CHECKED, **options) as file:
        yield file


def read_parquet(place: Place, columns: list[str] | None = None) -> pa.Table:
    """The table, or those of its columns, in their order. Raises what pyarrow and the file system raise."""
    if not is_remote(place):
        return _read_in_pieces(place, columns)
    for left in reversed(range(_TRIES)):
        try:
            with place.reader() as handle:
                return _read_in_pieces(_source(handle), columns, pre_buffer=True)
        except OSError as fault:
            if not left or not is_replaced(fault):
                raise
    raise AssertionError("unreachable")


def _read_in_pieces(source: Any, columns: list[str] | None, pre_buffer: bool = False) -> pa.Table:
    """The table, decoded ``_PIECE_BYTES`` at a time.

    Decoding a month of vectors at once takes twice what they are beside them (``benchmarks/parquet_reading.py``).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=pre_buffer, **_CHECKED) as file:
        schema, about = file.schema_arrow, file.metadata
        names = schema.names if columns is None else columns
        absent = [name for name in names if name not in schema.names]
        if absent:
            raise pa.ArrowInvalid(
                f"it lacks the column(s) {', '.join(absent)}; it has {', '.join(schema.names)}"
            )
        size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
        rows = max(_MIN_PIECE_ROWS, about.num_rows * _PIECE_BYTES // max(size, 1))
        pieces = file.iter_batches(batch_size=rows, columns=names, use_threads=rows >= about.num_rows)
        wanted = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
        return pa.Table.from_batches([piece.select(names) for piece in pieces], wanted)


def read_parquet_schema(place: Place) -> pa.Schema:
    """Columns, types and metadata, read from the footer alone."""
    with open_parquet(place) as file:
        return file.schema_arrow


def read_parquet_length(place: Place) -> int:
    """How many rows it has, read from the footer alone."""
    with open_parquet(place) as file:
        return int(file.metadata.num_rows)


def is_replaced(fault: BaseException) -> bool:
    """Whether a read ended because another process replaced the object."""
    return type(fault).__name__ == "FileExpired"


def is_damage(fault: Exception, place: Place) -> bool:
    """Whether a read failed because of the file's content, not of the way to it.

    One that is gone, or may not be read, is not damaged.
    """
    if isinstance(fault, FileNotFoundError | PermissionError):
        return False
    # What the store says comes with an error number; what pyarrow says of bytes does not.
    return not is_remote(place) or (getattr(fault, "errno", None) is None and not is_replaced(fault))


def _source(handle: Any) -> Any:
    import pyarrow as pa

    return pa.BufferReader(handle.read()) if handle.size <= WHOLE_BYTES else handle
