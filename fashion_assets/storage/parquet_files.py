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
    """The table, or those of its columns. Raises what pyarrow and the file system raise."""
    import pyarrow.parquet as pq

    if not is_remote(place):
        return pq.read_table(place, columns=columns, partitioning=None, **_CHECKED)
    for left in reversed(range(_TRIES)):
        try:
            with place.reader() as handle:
                return pq.read_table(
                    _source(handle), columns=columns, partitioning=None, pre_buffer=True, **_CHECKED
                )
        except OSError as fault:
            if not left or not is_replaced(fault):
                raise
    raise AssertionError("unreachable")


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
