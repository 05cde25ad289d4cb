"""Pictures and videos of ``incoming/media`` into the lake: by content, listed by post, nothing decoded."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pandas as pd

from fashion_assets.posts.archives import Member, open_zip, zip_members
from fashion_assets.posts.landed import (
    forget_digests,
    read_media_manifest,
    read_media_seen,
    write_media_manifest,
    write_media_seen,
)
from fashion_assets.posts.media_names import readable, suffix_of
from fashion_assets.posts.schemas import MEDIA_MANIFEST, MEDIA_SEEN
from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import local_copy, open_binary, open_temporary, write_atomic
from fashion_assets.storage.places import Place, Stamp, inside, is_remote

#: A post's video has at most some hundred MB; a member beyond this is a mistake or a trap.
MAX_MEDIA_BYTES = 4 << 30

#: Media are compressed already, so an archive of them unpacks to little more than its own size. Members beyond
#: this many times that size (or beyond the floor, for small archives) would only fill the disk.
MAX_EXPANSION = 100
MIN_UNPACKED = 64 << 20

_CHUNK = 1 << 20
#: Waiting, not computing: more threads than cores.
_SYNC_THREADS = 16
#: Threads that bring files from and to a bucket, and how many files are on their way, each way.
_BUCKET_THREADS = 16
_ON_THEIR_WAY = 32
#: Objects up to this size are fetched in one request.
_FETCHED_BYTES = 8 << 20


@dataclass
class MediaLanding:
    """What happened: files that came in, posts whose media changed, and remarks by file name."""

    added: int = 0
    posts: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    archives: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: Files that were left for the next landing.
    remaining: int = 0
    #: Whether the manifest was written.
    changed: bool = False


@dataclass
class _Content:
    """The bytes of a file, read once, and what they are; or the fault of reading them."""

    handle: IO[bytes] | None = None
    digest: str = ""
    n_bytes: int = 0
    head: bytes = b""
    fault: Exception | None = None


def land_media(
    incoming: Place,
    lake: Place,
    candidates: Mapping[Place, Stamp | None],
    salt: bytes,
    mask: Callable[..., str],
    *,
    max_files: int | None = None,
) -> MediaLanding:
    """Copy what is new to ``lake/media/<d[:2]>/<digest><suffix>`` and list it in the manifest by post.

    Links, ways out of an archive and empty files are recorded with a reason and not copied. ``mask`` takes
    author ids out of names. A file with the size and time it had the last time is not read again. At most
    ``max_files`` are read.
    """
    book = _Book(lake, salt, mask, max_files)
    found = [(path, readable(inside(incoming, path).as_posix()), stamp) for path, stamp in candidates.items()]
    fresh = [
        path
        for path, relative, stamp in found
        if stamp is not None and _is_fresh(path, relative, stamp, book)
    ]
    coming = set(fresh)
    openers = [partial(_opened, path, candidates[path]) for path in fresh[:max_files]]
    contents = _contents(openers, is_remote(incoming))
    for path, relative, stamp in found:
        parts = PurePosixPath(relative).parts[1:]
        if path in coming:
            if stamp is not None and book.has_room():
                name = "_".join(parts[1:])
                book.take(parts[0], name, relative, "", stamp.n_bytes, stamp.text, next(contents))
        elif _is_link(path):
            if len(parts) > 1:
                reason = f"{relative} is a link; put the file itself there."
                book.refuse(parts[0], "_".join(parts[1:]), relative, reason)
            else:
                book.result.refused[relative] = f"{relative} is a link; put the folder itself there."
        elif stamp is not None and _is_archive(path, relative):
            _land_archive(path, relative, stamp, book)
        elif stamp is not None and len(parts) < 2:
            book.result.refused[relative] = (
                f"{relative} lies beside the folders of the posts; expected media/<post_id>/{parts[-1]}."
            )
    book.close()
    refused = book.result.refused
    book.result.refused = {mask(place): mask(reason) for place, reason in refused.items()}
    return book.result


def _is_fresh(path: Place, relative: str, stamp: Stamp, book: _Book) -> bool:
    """Whether this is a file in a post's folder that was not looked at since it changed."""
    return (
        len(PurePosixPath(relative).parts) > 2
        and not book.is_seen(relative, "", stamp.n_bytes, stamp.text)
        and not _is_link(path)
        and not _is_archive(path, relative)
    )


def _is_link(path: Place) -> bool:
    return not is_remote(path) and path.is_symlink()


def _is_archive(path: Place, relative: str) -> bool:
    return path.suffix.lower() == ".zip" and len(PurePosixPath(relative).parts) <= 2


def _land_archive(path: Place, relative: str, stamp: Stamp, book: _Book) -> None:
    if book.is_seen(relative, "", stamp.n_bytes, stamp.text):
        book.result.archives[relative] = ("already landed", 0)
        return
    before, left_before = book.result.added, book.result.remaining
    try:
        with local_copy(path) as copy, open_zip(copy) as archive:
            members = list(zip_members(archive, MAX_MEDIA_BYTES))
            skip = _folders_around(members)
            room = max(MIN_UNPACKED, MAX_EXPANSION * stamp.n_bytes)
            taken: set[str] = set()
            for member in members:
                parts = PurePosixPath(member.name).parts[skip:]
                place = f"{relative}/{member.name}"
                name, entry = "_".join(parts[1:]), member.entry
                reason = member.reason
                if reason is None and entry.file_size > room:
                    reason = (
                        f"{place} unpacks to {entry.file_size:,} bytes, more than an archive of "
                        f"{stamp.n_bytes:,} bytes is allowed; it may be a bomb. Put the file itself there."
                    )
                if reason and (
                    len(parts) < 2
                    or ".." in parts
                    or PurePosixPath(member.name).is_absolute()
                    # The picture of this name came in; a refusal in the manifest would take its place.
                    or member.name in taken
                ):
                    book.result.refused[place] = f"{relative}: {reason}"
                elif reason:
                    book.refuse(parts[0], name, place, reason)
                elif len(parts) < 2:
                    book.result.refused[place] = (
                        f"{place} lies in no post's folder; expected <post_id>/{member.name}."
                    )
                else:
                    room -= entry.file_size
                    taken.add(member.name)
                    stamped = f"crc:{entry.CRC:08x}"
                    fresh = not book.is_seen(relative, member.name, entry.file_size, stamped)
                    if fresh and book.has_room():
                        content = _read(partial(archive.open, entry))
                        book.take(parts[0], name, relative, member.name, entry.file_size, stamped, content)
    except UserError as fault:
        book.result.refused[relative] = f"{relative} was refused: {fault}."
        return
    except FileNotFoundError:
        return  # taken away since it was listed
    if book.result.remaining == left_before:
        book.mark_seen(relative, "", stamp.n_bytes, stamp.text, None, None)
    book.result.archives[relative] = ("landed", book.result.added - before)


def _folders_around(members: list[Member]) -> int:
    """How many folders all members have in common above the posts' own ("media/<post_id>/1.jpg" has one)."""
    paths = [PurePosixPath(member.name).parts for member in members if not member.reason]
    if not paths:
        return 0
    skip = 0
    while all(len(parts) > skip + 2 for parts in paths) and len({parts[skip] for parts in paths}) == 1:
        skip += 1
    # A file that lies loose in the folder of that name must not make the folder a post.
    if all(len(parts) > skip + 1 and parts[skip].lower() == "media" for parts in paths):
        skip += 1
    return skip


class _Book:
    """The manifest and the list of seen files while a landing adds to them."""

    def __init__(self, lake: Place, salt: bytes, mask: Callable[..., str], max_files: int | None) -> None:
        self._lake, self._salt, self._mask = lake, salt, mask
        self._room = max_files
        self.result = MediaLanding()
        manifest = read_media_manifest(lake).to_dict("records")
        self._rows: dict[tuple[str, str], dict[Any, Any]] = {
            (row["post_id"], row["name"]): row for row in manifest
        }
        seen = read_media_seen(lake).to_dict("records")
        self._seen: dict[str, dict[Any, Any]] = {row["key"]: row for row in seen}
        self._changed = False
        self._unsynced: list[Path] = []
        self._uploads: deque[Future[None]] = deque()
        self._uploaders: ThreadPoolExecutor | None = None

    def _key(self, source: str, member: str) -> str:
        return hmac.new(self._salt, f"{source}\0{member}".encode(), hashlib.sha256).hexdigest()[:32]

    def has_room(self) -> bool:
        """Whether one more file may be read; one that may not is counted."""
        if self._room == 0:
            self.result.remaining += 1
            return False
        if self._room is not None:
            self._room -= 1
        return True

    def is_seen(self, source: str, member: str, n_bytes: int, stamp: str) -> bool:
        row = self._seen.get(self._key(source, member))
        return row is not None and (row["n_bytes"], row["stamp"]) == (n_bytes, stamp)

    def mark_seen(
        self, source: str, member: str, n_bytes: int, stamp: str, post_id: str | None, name: str | None
    ) -> None:
        key = self._key(source, member)
        values = (key, n_bytes, stamp, post_id, name)
        self._seen[key] = dict(zip(MEDIA_SEEN.names, values, strict=True))
        self._changed = True

    def refuse(self, post_id: str, name: str, source: str, reason: str) -> None:
        """Record a file that is not copied."""
        post_id, name, source = self._mask(post_id, "post_id"), self._mask(name), self._mask(source)
        reason = self._mask(reason)
        row = dict(zip(MEDIA_MANIFEST.names, (post_id, name, None, None, 0, reason, source), strict=True))
        known = self._rows.get((post_id, name))
        if known is not None and (known["source"] != source or known["reason"] == reason):
            return
        self._rows[(post_id, name)] = row
        self.result.posts.add(post_id)
        self.result.refused[source] = reason
        self._changed = True

    def take(
        self,
        post_id: str,
        name: str,
        source: str,
        member: str,
        n_bytes: int,
        stamp: str,
        content: _Content,
    ) -> None:
        """Copy one file that was not seen, and list it."""
        post_id, name = self._mask(post_id, "post_id"), self._mask(name)
        place = self._mask(f"{source}/{member}" if member else source)
        old = self._seen.get(self._key(source, member))
        if content.handle is None:
            self.refuse(post_id, name, place, f"{place} is damaged ({content.fault}); copy it again.")
            return
        digest, read_bytes = content.digest, content.n_bytes
        suffix = suffix_of(name, content.head)
        reason = None
        if read_bytes == 0:
            reason = f"{place} is empty (0 bytes); crawl it again."
        elif suffix is None:
            reason = f"{place} is no picture or video by its name; expected e.g. .jpg, .png, .webp or .mp4."
        if old is not None and old["name"]:
            former = self._rows.get((post_id, old["name"]))
            if former is not None and former["source"] == place:
                del self._rows[(post_id, old["name"])]
                self.result.posts.add(post_id)
        known = self._rows.get((post_id, name))
        if known is not None and known["digest"] != digest:
            # Another source has another picture of this name: both stay, told apart by content.
            pure = PurePosixPath(name)
            name = f"{pure.stem}~{digest[:8]}{pure.suffix}"
            known = self._rows.get((post_id, name))
        stored = False
        if known is None:
            path = None if reason else f"{digest[:2]}/{digest}{suffix}"
            values = (post_id, name, path, digest, read_bytes, reason, place)
            if path is not None:
                self._store(content.handle, self._lake / "media" / path, read_bytes)
                stored = True
            self._rows[(post_id, name)] = dict(zip(MEDIA_MANIFEST.names, values, strict=True))
            self.result.posts.add(post_id)
            self.result.added += reason is None
            if reason:
                self.result.refused[place] = reason
        if not stored:
            content.handle.close()
        self.mark_seen(source, member, n_bytes, stamp, post_id, name)

    def _store(self, content: IO[bytes], target: Place, n_bytes: int) -> None:
        """Copy the content, which is closed then; what is not there at once is by ``close``, before the manifest."""
        if is_remote(target):
            if self._uploaders is None:
                self._uploaders = ThreadPoolExecutor(_BUCKET_THREADS, thread_name_prefix="upload-media")
            self._uploads.append(self._uploaders.submit(_upload, content, target, n_bytes))
            while len(self._uploads) > _ON_THEIR_WAY:
                self._uploads.popleft().result()
            return
        with content:
            if target.exists() and target.stat().st_size == n_bytes:
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = open_temporary(target)
            try:
                with os.fdopen(descriptor, "wb") as handle:
                    shutil.copyfileobj(content, handle, _CHUNK)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            self._unsynced.append(target)

    def close(self) -> None:
        """Write both lists if they changed; the manifest first: a seen file is not looked at again."""
        if self._uploaders is not None:
            with self._uploaders:
                for upload in self._uploads:
                    upload.result()
        if not self._changed:
            return
        # One by one thousands of files would wait some ms each; side by side they share commits.
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            list(pool.map(_sync, [*self._unsynced, *{path.parent for path in self._unsynced}]))
        if self.result.posts:
            forget_digests(self._lake)
        write_media_manifest(
            self._lake, pd.DataFrame(list(self._rows.values()), columns=MEDIA_MANIFEST.names)
        )
        write_media_seen(self._lake, pd.DataFrame(list(self._seen.values()), columns=MEDIA_SEEN.names))
        self.result.changed = True


def _opened(path: Place, stamp: Stamp | None) -> IO[bytes]:
    if is_remote(path) and stamp is not None and stamp.n_bytes <= _FETCHED_BYTES:
        return io.BytesIO(path.read_bytes(stamp.n_bytes))  # to open it would be a request more
    return open_binary(path)


def _upload(content: IO[bytes], target: Place, n_bytes: int) -> None:
    with content:
        there = Stamp.of(target)
        if there is None or there.n_bytes != n_bytes:
            write_atomic(target, lambda handle: shutil.copyfileobj(content, handle, _CHUNK))


def _contents(openers: Iterable[Callable[[], IO[bytes]]], remote: bool) -> Iterator[_Content]:
    """The content of each file, in order; of files in a bucket some are read ahead."""
    if not remote:
        yield from map(_read, openers)
        return
    waiting = iter(openers)
    with ThreadPoolExecutor(_BUCKET_THREADS, thread_name_prefix="fetch-media") as pool:
        ahead = deque(pool.submit(_read, opened) for opened in islice(waiting, _ON_THEIR_WAY))
        while ahead:
            content = ahead.popleft().result()
            ahead.extend(pool.submit(_read, opened) for opened in islice(waiting, 1))
            yield content


def _read(opened: Callable[[], IO[bytes]]) -> _Content:
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
                    raise OSError(f"it has more than {MAX_MEDIA_BYTES:,} bytes")
    except ARCHIVE_FAULTS as fault:
        if content is not None:
            content.close()
        return _Content(fault=fault)
    content = io.BytesIO() if content is None else content
    content.seek(0)
    return _Content(content, digest.hexdigest(), total, head)


def _local_file() -> IO[bytes]:
    """Closed, and so removed, by whoever takes the content."""
    return tempfile.TemporaryFile()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
