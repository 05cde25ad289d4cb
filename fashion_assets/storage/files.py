"""Files that are there whole or not at all.

Every local write goes to a temporary file in the target's own folder, is fsynced, and is renamed over the target;
``os.replace`` is atomic on POSIX within one file system, so a killed process leaves the old file or the new
one, never a part of either.

In a bucket an object appears when its upload has ended, whole: small ones are one PUT, larger ones a multipart upload
that is completed last. What raises before discards the upload; what a killed process leaves of one is no object.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fashion_assets.storage.places import is_remote
from fashion_assets.storage.system_faults import NO_ROOM

if TYPE_CHECKING:
    import pyarrow as pa

    from fashion_assets.storage.places import Place
    from fashion_assets.storage.s3 import S3Place

logger = logging.getLogger(__name__)

#: Read size of ``file_digest``; large enough that hashing, not the read calls, is what takes the time.
_CHUNK = 1 << 20
#: What is fetched at a time of an object that is read through.
_AHEAD = 8 << 20
#: How the name of a file ends that is being written; it begins with a dot.
_TEMPORARY = ".tmp"


def _fsync_folder(folder: Path) -> None:
    """Make a rename durable: on ext4 and xfs the folder entry is flushed on its own."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Place, write: Callable[[IO[bytes]], None]) -> None:
    """Call ``write`` with a binary handle and put what it wrote at ``path``, all or nothing.

    Raises whatever ``write`` raises; the target is then untouched and the temporary file or upload is gone.
    """
    if is_remote(path):
        _upload(path, write)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = open_temporary(path)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException as fault:
        temporary.unlink(missing_ok=True)
        if isinstance(fault, OSError) and fault.errno in NO_ROOM and fault.filename is None:
            fault.filename = str(path)  # a write on an open file tells no name
        raise
    _fsync_folder(path.parent)


def open_temporary(path: Path) -> tuple[int, Path]:
    """(descriptor, name) of a new hidden file beside ``path``, locked for as long as its writer lives.

    So ``remove_leftovers`` knows it. It is as readable as any file that the user makes.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_TEMPORARY}")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):  # a mount without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # taken for a leftover before it was locked


def remove_leftovers(folder: Path) -> int:
    """How many temporary files of killed writers lay in ``folder`` or below; they are gone now.

    A file whose writer is at work is locked by it, and stays.
    """
    removed = 0
    for path in folder.rglob(f".*{_TEMPORARY}"):
        with suppress(OSError), path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def _upload(path: S3Place, write: Callable[[IO[bytes]], None]) -> None:
    handle = path.upload()
    try:
        write(handle)
        handle.close()
    except BaseException:
        _discard(handle, path)
        raise


def _discard(handle: IO[bytes], path: S3Place) -> None:
    """End an upload without an object. A handle that is merely closed would complete what was written so far."""
    handle.closed = True  # type: ignore[misc]  # its destructor closes, too
    try:
        handle.discard()  # type: ignore[attr-defined]
    except Exception as fault:
        # What went wrong before is what is to be told; the parts are no object, and the bucket's rule removes them.
        logger.warning("the upload of %s could not be aborted (%s)", path, fault)


def write_bytes_atomic(path: Place, data: bytes) -> None:
    """Put ``data`` at ``path``, all or nothing."""
    write_atomic(path, lambda handle: _write_all(handle, data))


def _write_all(handle: IO[bytes], data: bytes) -> None:
    handle.write(data)


def write_text_atomic(path: Place, text: str) -> None:
    """Put ``text`` at ``path`` as UTF-8, all or nothing."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_parquet_atomic(path: Place, table: pa.Table) -> str:
    """The SHA-256 of the file, after ``table`` was put at ``path`` as Parquet (zstd), all or nothing."""
    return write_parquet_stream_atomic(path, table.schema, [table])


def write_parquet_stream_atomic(path: Place, schema: pa.Schema, tables: Iterable[pa.Table]) -> str:
    """The SHA-256 of the file, after ``tables``, all of ``schema``, were put below each other at ``path``.

    Parquet (zstd) with a checksum in each page, all or nothing. Each table is written before the next is asked for,
    as row groups of its own (empty ones are left out). An iterator that raises leaves what was at ``path``.
    """
    import pyarrow.parquet as pq

    digest = hashlib.sha256()

    def write(handle: IO[bytes]) -> None:
        digested: Any = _Digested(handle, digest)
        with pq.ParquetWriter(digested, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in tables:
                if table.num_rows:
                    writer.write_table(table)

    write_atomic(path, write)
    return digest.hexdigest()


class _Digested:
    """A handle to write to from beginning to end that digests what passes; pyarrow asks for these methods."""

    closed = False

    def __init__(self, handle: IO[bytes], digest: hashlib._Hash) -> None:
        self._handle = handle
        self._digest = digest

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return self._handle.write(data)

    def tell(self) -> int:
        return self._handle.tell()

    def flush(self) -> None:
        self._handle.flush()

    def close(self) -> None:
        """Nothing: the handle is closed by whoever opened it."""


def file_digest(path: Place) -> str:
    """The SHA-256 of a file's bytes as 64 hex digits, read in pieces."""
    digest = hashlib.sha256()
    with open_binary(path) as handle:
        while piece := handle.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def open_binary(path: Place) -> IO[bytes]:
    """The file, open to be read from its beginning to its end."""
    return path.reader(_AHEAD) if is_remote(path) else path.open("rb")


@contextmanager
def local_copy(path: Place) -> Iterator[Path]:
    """The file on a local disk: itself, or for as long as it is used a copy, of the same name, of one in a bucket.

    For readers that jump to and fro (archives, videos). Raises FileNotFoundError if it is gone.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="fashion-assets-") as folder:
        copy = Path(folder) / path.name
        path.fs.get_file(path.path, str(copy))
        yield copy
