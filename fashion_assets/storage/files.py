"""Files that are there whole or not at all.

Every write goes to a temporary file in the target's own folder, is fsynced, and is renamed over the target;
``os.replace`` is atomic on POSIX within one file system, so a killed process leaves the old file or the new
one, never a part of either.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

#: Read size of ``file_digest``; large enough that hashing, not the read calls, is what takes the time.
_CHUNK = 1 << 20


def _fsync_folder(folder: Path) -> None:
    """Make a rename durable: on ext4 and xfs the folder entry is flushed on its own."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Call ``write`` with a binary handle and put what it wrote at ``path``, all or nothing.

    Raises whatever ``write`` raises; the target is then untouched and the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        # mkstemp makes files 0600; the lake is to be as readable as any file that the user makes.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync_folder(path.parent)


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, all or nothing."""
    write_atomic(path, lambda handle: _write_all(handle, data))


def _write_all(handle: IO[bytes], data: bytes) -> None:
    handle.write(data)


def write_text_atomic(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` as UTF-8, all or nothing."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_parquet_atomic(path: Path, table: pa.Table) -> None:
    """Put ``table`` at ``path`` as Parquet (zstd), all or nothing."""
    import pyarrow.parquet as pq

    write_atomic(path, lambda handle: pq.write_table(table, handle, compression="zstd"))


def write_parquet_stream_atomic(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Put ``tables``, all of ``schema``, below each other at ``path`` as Parquet (zstd), all or nothing.

    Each table is written before the next is asked for, as a row group of its own (empty ones are left out).
    An iterator that raises leaves what was at ``path``.
    """
    import pyarrow.parquet as pq

    def write(handle: IO[bytes]) -> None:
        with pq.ParquetWriter(handle, schema, compression="zstd") as writer:
            for table in tables:
                if table.num_rows:
                    writer.write_table(table)

    write_atomic(path, write)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes as 64 hex digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
