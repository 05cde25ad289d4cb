"""The media manifest and the list of seen files while a landing adds to them, and the copies in the lake.

Belongs here: what is recorded and stored of one file, and the order of writing. Does not: finding files
(``media_landing``) and reading them (``media_contents``).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pandas as pd

from fashion_assets.posts.landed import (
    read_media_manifest,
    read_media_seen,
    write_media_manifest,
    write_media_seen,
)
from fashion_assets.posts.media_contents import BUCKET_THREADS, ON_THEIR_WAY, Content
from fashion_assets.posts.media_names import suffix_of
from fashion_assets.posts.month_digests import forget_digests
from fashion_assets.posts.schemas import MEDIA_MANIFEST, MEDIA_SEEN
from fashion_assets.posts.slices import Slice
from fashion_assets.storage.files import open_temporary, write_atomic
from fashion_assets.storage.places import Place, Stamp, is_remote

_CHUNK = 1 << 20
#: Waiting, not computing: more threads than cores.
_SYNC_THREADS = 16
#: Begins the stamp of what could not be read.
_FAILED = "failed "


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


class MediaBook:
    """The manifest and the list of seen files while a landing adds to them."""

    def __init__(
        self,
        lake: Place,
        salt: bytes,
        mask: Callable[..., str],
        room: Slice,
        confirm: Callable[[], None],
    ) -> None:
        self._lake, self._salt, self._mask = lake, salt, mask
        self._room, self._confirm = room, confirm
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

    def has_room(self, n_bytes: int, *, again: bool = False) -> bool:
        """Whether one more file, of this size, may be read; one that may not is counted, if not read in vain before."""
        if self._room.takes(n_bytes):
            return True
        self.result.remaining += not again
        return False

    def is_seen(self, source: str, member: str, n_bytes: int, stamp: str) -> bool:
        row = self._seen.get(self._key(source, member))
        return row is not None and (row["n_bytes"], row["stamp"]) == (n_bytes, stamp)

    def has_failed(self, source: str, member: str, n_bytes: int, stamp: str) -> bool:
        """Whether this could not be read as it is now."""
        return self.is_seen(source, member, n_bytes, _FAILED + stamp)

    def mark_failed(
        self,
        source: str,
        member: str,
        n_bytes: int,
        stamp: str,
        post_id: str | None = None,
        name: str | None = None,
    ) -> None:
        """It is looked at again, but after the others: what cannot be read must not take their room for ever."""
        if not self.has_failed(source, member, n_bytes, stamp):
            self.mark_seen(source, member, n_bytes, _FAILED + stamp, post_id, name)

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
        content: Content,
        archive: str = "",
    ) -> None:
        """Copy one file that was not seen, and list it. ``archive`` is the stamp of the one that it lies in."""
        post_id, name = self._mask(post_id, "post_id"), self._mask(name)
        place = self._mask(f"{source}/{member}" if member else source)
        old = self._seen.get(self._key(source, member))
        if content.handle is None:
            self.refuse(post_id, name, place, f"{place} is damaged ({content.fault}); copy it again.")
            name = old["name"] if old is not None and old["name"] else name
            self.mark_failed(source, member, n_bytes, stamp + archive, post_id, name)
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
                self._uploaders = ThreadPoolExecutor(BUCKET_THREADS, thread_name_prefix="upload-media")
            self._uploads.append(self._uploaders.submit(_upload, content, target, n_bytes))
            while len(self._uploads) > ON_THEIR_WAY:
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
        self._confirm()
        if self.result.posts:
            forget_digests(self._lake)
        write_media_manifest(
            self._lake, pd.DataFrame(list(self._rows.values()), columns=MEDIA_MANIFEST.names)
        )
        write_media_seen(self._lake, pd.DataFrame(list(self._seen.values()), columns=MEDIA_SEEN.names))
        self.result.changed = True


def _upload(content: IO[bytes], target: Place, n_bytes: int) -> None:
    with content:
        there = Stamp.of(target)
        if there is None or there.n_bytes != n_bytes:
            write_atomic(target, lambda handle: shutil.copyfileobj(content, handle, _CHUNK))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
