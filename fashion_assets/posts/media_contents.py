"""The bytes of a media file, read once: in memory if they are few, else in a local file; some ahead from a bucket."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import IO

from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.files import open_binary
from fashion_assets.storage.places import Place, Stamp, is_remote

#: A post's video has at most some hundred MB; a member beyond this is a mistake or a trap.
MAX_MEDIA_BYTES = 4 << 30
_TOO_LARGE = f"it has more than {MAX_MEDIA_BYTES:,} bytes"

#: Threads that bring files from and to a bucket, and how many files are on their way, each way.
BUCKET_THREADS = 16
ON_THEIR_WAY = 32
_CHUNK = 1 << 20
#: Objects up to this size are fetched in one request.
_FETCHED_BYTES = 8 << 20


@dataclass
class Content:
    """The bytes of a file, read once, and what they are; or the fault of reading them."""

    handle: IO[bytes] | None = None
    digest: str = ""
    n_bytes: int = 0
    head: bytes = b""
    fault: Exception | None = None


def open_media(path: Place, stamp: Stamp | None) -> IO[bytes]:
    """A media file, open to be read once. OSError if it is larger than ``MAX_MEDIA_BYTES``."""
    if stamp is not None and stamp.n_bytes > MAX_MEDIA_BYTES:
        raise OSError(_TOO_LARGE)
    if is_remote(path) and stamp is not None and stamp.n_bytes <= _FETCHED_BYTES:
        return io.BytesIO(path.read_bytes(stamp.n_bytes))  # to open it would be a request more
    return open_binary(path)


def contents_of(openers: Iterable[Callable[[], IO[bytes]]], remote: bool) -> Iterator[Content]:
    """The content of each file, in order; of files in a bucket some are read ahead."""
    if not remote:
        yield from map(read_media, openers)
        return
    waiting = iter(openers)
    with ThreadPoolExecutor(BUCKET_THREADS, thread_name_prefix="fetch-media") as pool:
        ahead = deque(pool.submit(read_media, opened) for opened in islice(waiting, ON_THEIR_WAY))
        while ahead:
            content = ahead.popleft().result()
            ahead.extend(pool.submit(read_media, opened) for opened in islice(waiting, 1))
            yield content


def read_media(opened: Callable[[], IO[bytes]]) -> Content:
    """The file's bytes, in memory if less than ``_CHUNK``, else in a local file; or why they cannot be read."""
    digest = hashlib.sha256()
    total, head = 0, b""
    content: IO[bytes] | None = None
    try:
        with opened() as handle:
            while piece := handle.read(_CHUNK):
                if content is None:
                    head = piece[:16]
                    content = io.BytesIO() if len(piece) < _CHUNK else _local_file()
                digest.update(piece)
                content.write(piece)
                total += len(piece)
                if total > MAX_MEDIA_BYTES:
                    raise OSError(_TOO_LARGE)
    except ARCHIVE_FAULTS as fault:
        if content is not None:
            content.close()
        return Content(fault=fault)
    content = io.BytesIO() if content is None else content
    content.seek(0)
    return Content(content, digest.hexdigest(), total, head)


def _local_file() -> IO[bytes]:
    """Closed, and so removed, by whoever takes the content."""
    return tempfile.TemporaryFile()
