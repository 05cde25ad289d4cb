"""Pictures and videos of ``incoming/media`` into the lake: by content, listed by post, nothing decoded."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pandas as pd

from fashion_assets.posts.archives import Member, open_zip, zip_members
from fashion_assets.posts.landed import (
    read_media_manifest,
    read_media_seen,
    write_media_manifest,
    write_media_seen,
)
from fashion_assets.posts.media_names import readable, suffix_of
from fashion_assets.posts.schemas import MEDIA_MANIFEST, MEDIA_SEEN
from fashion_assets.posts.settling import Stamp
from fashion_assets.storage.errors import UserError

#: A post's video has at most some hundred MB; a member beyond this is a mistake or a trap.
MAX_MEDIA_BYTES = 4 << 30

#: Media are compressed already, so an archive of them unpacks to little more than its own size. Members beyond
#: this many times that size (or beyond the floor, for small archives) would only fill the disk.
MAX_EXPANSION = 100
MIN_UNPACKED = 64 << 20

_CHUNK = 1 << 20
#: Waiting, not computing: more threads than cores.
_SYNC_THREADS = 16


@dataclass
class MediaLanding:
    """What happened: files that came in, posts whose media changed, and remarks by file name."""

    added: int = 0
    posts: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    archives: dict[str, tuple[str, int]] = field(default_factory=dict)


def land_media(
    incoming: Path, lake: Path, candidates: Collection[Path], salt: bytes, mask: Callable[..., str]
) -> MediaLanding:
    """Copy what is new to ``lake/media/<d[:2]>/<digest><suffix>`` and list it in the manifest by post.

    Links, ways out of an archive and empty files are recorded with a reason and not copied. ``mask`` takes
    author ids out of names. A file with the size and time it had the last time is not read again.
    """
    book = _Book(lake, salt, mask)
    for path in candidates:
        relative = readable(path.relative_to(incoming).as_posix())
        stamp = Stamp.of(path)
        if path.is_symlink():
            parts = PurePosixPath(relative).parts[1:]
            if len(parts) > 1:
                book.refuse(
                    parts[0],
                    "_".join(parts[1:]),
                    relative,
                    f"{relative} is a link; put the file itself there.",
                )
            else:
                book.result.refused[relative] = f"{relative} is a link; put the folder itself there."
        elif stamp is None:
            continue
        elif path.suffix.lower() == ".zip" and len(PurePosixPath(relative).parts) <= 2:
            _land_archive(path, relative, stamp, book)
        else:
            parts = PurePosixPath(relative).parts[1:]
            if len(parts) < 2:
                book.result.refused[relative] = (
                    f"{relative} lies beside the folders of the posts; expected media/<post_id>/{parts[-1]}."
                )
            else:
                text = f"mtime:{stamp.changed_ns}"
                book.take(
                    parts[0],
                    "_".join(parts[1:]),
                    relative,
                    "",
                    stamp.n_bytes,
                    text,
                    partial(_open, path),
                )
    book.close()
    refused = book.result.refused
    book.result.refused = {mask(place): mask(reason) for place, reason in refused.items()}
    return book.result


def _land_archive(path: Path, relative: str, stamp: Stamp, book: _Book) -> None:
    text = f"mtime:{stamp.changed_ns}"
    if book.is_seen(relative, "", stamp.n_bytes, text):
        book.result.archives[relative] = ("already landed", 0)
        return
    before = book.result.added
    try:
        with open_zip(path) as archive:
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
                    opened = partial(archive.open, entry)
                    book.take(parts[0], name, relative, member.name, entry.file_size, stamped, opened)
    except UserError as fault:
        book.result.refused[relative] = f"{relative} was refused: {fault}."
        return
    book.mark_seen(relative, "", stamp.n_bytes, text, None, None)
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

    def __init__(self, lake: Path, salt: bytes, mask: Callable[..., str]) -> None:
        self._lake, self._salt, self._mask = lake, salt, mask
        self.result = MediaLanding()
        manifest = read_media_manifest(lake).to_dict("records")
        self._rows: dict[tuple[str, str], dict[Any, Any]] = {
            (row["post_id"], row["name"]): row for row in manifest
        }
        seen = read_media_seen(lake).to_dict("records")
        self._seen: dict[str, dict[Any, Any]] = {row["key"]: row for row in seen}
        self._changed = False
        self._unsynced: list[Path] = []

    def _key(self, source: str, member: str) -> str:
        return hmac.new(self._salt, f"{source}\0{member}".encode(), hashlib.sha256).hexdigest()[:32]

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
        opened: Callable[[], IO[bytes]],
    ) -> None:
        """Copy one file unless it was seen, and list it."""
        if self.is_seen(source, member, n_bytes, stamp):
            return
        post_id, name = self._mask(post_id, "post_id"), self._mask(name)
        place = self._mask(f"{source}/{member}" if member else source)
        old = self._seen.get(self._key(source, member))
        try:
            digest, read_bytes, head = _digest(opened)
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            zlib.error,
            RuntimeError,
            NotImplementedError,
        ) as fault:
            self.refuse(post_id, name, place, f"{place} is damaged ({fault}); copy it again.")
            return
        suffix = suffix_of(name, head)
        reason = None
        if read_bytes == 0:
            reason = f"{place} is empty (0 bytes); crawl it again."
        elif suffix is None:
            reason = f"{place} is no picture or video by its name; expected e.g. .jpg, .png, .webp or .mp4."
        if old is not None and old["name"]:
            former = self._rows.get((post_id, old["name"]))
            if former is not None and former["source"] == place:
                del self._rows[(post_id, old["name"])]
        known = self._rows.get((post_id, name))
        if known is not None and known["digest"] != digest:
            # Another source has another picture of this name: both stay, told apart by content.
            pure = PurePosixPath(name)
            name = f"{pure.stem}~{digest[:8]}{pure.suffix}"
            known = self._rows.get((post_id, name))
        if known is None:
            path = None if reason else f"{digest[:2]}/{digest}{suffix}"
            values = (post_id, name, path, digest, read_bytes, reason, place)
            if path is not None:
                self._store(opened, self._lake / "media" / path, read_bytes)
            self._rows[(post_id, name)] = dict(zip(MEDIA_MANIFEST.names, values, strict=True))
            self.result.posts.add(post_id)
            self.result.added += reason is None
            if reason:
                self.result.refused[place] = reason
        self.mark_seen(source, member, n_bytes, stamp, post_id, name)

    def _store(self, opened: Callable[[], IO[bytes]], target: Path, n_bytes: int) -> None:
        """Copy under a temporary name and rename; made durable together by ``close``, before the manifest."""
        if target.exists() and target.stat().st_size == n_bytes:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with opened() as source, temporary.open("wb") as handle:
                shutil.copyfileobj(source, handle, _CHUNK)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self._unsynced.append(target)

    def close(self) -> None:
        """Write both lists if they changed; the manifest first: a seen file is not looked at again."""
        if not self._changed:
            return
        # One by one thousands of files would wait some ms each; side by side they share commits.
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            list(pool.map(_sync, [*self._unsynced, *{path.parent for path in self._unsynced}]))
        write_media_manifest(
            self._lake, pd.DataFrame(list(self._rows.values()), columns=MEDIA_MANIFEST.names)
        )
        write_media_seen(self._lake, pd.DataFrame(list(self._seen.values()), columns=MEDIA_SEEN.names))


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _digest(opened: Callable[[], IO[bytes]]) -> tuple[str, int, bytes]:
    """(SHA-256, bytes, the first of them); stops with OSError beyond ``MAX_MEDIA_BYTES``."""
    digest = hashlib.sha256()
    total, head = 0, b""
    with opened() as handle:
        while piece := handle.read(_CHUNK):
            head = head or piece[:16]
            digest.update(piece)
            total += len(piece)
            if total > MAX_MEDIA_BYTES:
                raise OSError(f"it has more than {MAX_MEDIA_BYTES:,} bytes")
    return digest.hexdigest(), total, head


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
