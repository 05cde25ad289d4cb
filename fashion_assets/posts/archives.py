"""Compressed crawl files and archives: their members as bytes, and a sentence for each that is not read."""

from __future__ import annotations

import gzip
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fashion_assets.posts.allowance import Allowance
from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError

_READ_SIZE = 1 << 20
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800


@dataclass(frozen=True)
class Member:
    """One file of an archive: its relative name, its entry, and the reason to leave it if there is one."""

    name: str
    entry: zipfile.ZipInfo
    reason: str | None = None


def read_plain(path: Path, limit: int | Allowance | None = None) -> bytes:
    """The bytes of a file that is not packed; ``TooLarge`` if they are more than allowed."""
    allowance = Allowance.of(limit)
    allowance.announce(path.stat().st_size)
    with path.open("rb") as handle:
        return _read_counted(handle, allowance)


def read_gzip(path: Path, limit: int | Allowance | None = None) -> bytes:
    """The bytes of a .gz file; ``UserError`` (without file name) if it is damaged, cut off or too large.

    ``limit``: the bytes that it may have, by default those of a crawl file, or what is left of them.
    """
    try:
        with gzip.open(path, "rb") as handle:
            return _read_counted(handle, Allowance.of(limit))
    except UserError:
        raise
    except ARCHIVE_FAULTS as fault:
        raise UserError(f"it is not a whole gzip file ({fault}); copy it again") from None


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive, open for reading; ``UserError`` (without file name) if it is none or cut off."""
    try:
        return zipfile.ZipFile(path)
    except ARCHIVE_FAULTS as fault:
        raise UserError(f"it is not a whole zip archive ({fault}); copy it again") from None


def zip_members(archive: zipfile.ZipFile, limit: int | None = None) -> Iterator[Member]:
    """Every file of the archive by name, in name order; folders and file systems' own left-overs are passed
    over.

    A member that says that it has more bytes than ``limit`` has a reason to leave it; without one the reader counts.
    """
    seen: set[str] = set()
    for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
        name = _name(entry)
        parts = PurePosixPath(name).parts
        if (
            entry.filename.endswith("/")  # ``is_dir`` fails for a member without a name
            or "__MACOSX" in parts
            or (parts and parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini"))
        ):
            continue
        reason = _reason(entry, name, limit)
        if reason is None and name in seen:
            reason = f"{name} is in the archive twice; only the first is read."
        seen.add(name)
        yield Member(name, entry, reason)


def read_member(archive: zipfile.ZipFile, member: Member, limit: int | Allowance | None = None) -> bytes:
    """The bytes of a member; ``UserError`` with a sentence if they are damaged, ``TooLarge`` if they are too many."""
    allowance = Allowance.of(limit)
    allowance.announce(member.entry.file_size)
    try:
        with archive.open(member.entry) as handle:
            return _read_counted(handle, allowance)
    except UserError:
        raise
    except ARCHIVE_FAULTS as fault:
        raise UserError(
            f"{member.name} is damaged in the archive ({fault}); make the archive again."
        ) from None


def _read_counted(handle: IO[bytes] | gzip.GzipFile, allowance: Allowance) -> bytes:
    """All bytes, unless they are more than allowed: a header may say less than there is."""
    pieces: list[bytes] = []
    while piece := handle.read(_READ_SIZE):
        allowance.count(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _name(entry: zipfile.ZipInfo) -> str:
    """The member's name; one that an older Windows wrote in GBK is read as that and not as code page 437."""
    if entry.flag_bits & _UTF8_NAME or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return entry.filename


def _reason(entry: zipfile.ZipInfo, name: str, limit: int | None) -> str | None:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or ":" in name
        or "\x00" in name
        or not path.parts
    ):
        return f"{name!r} is not a plain relative name (a way out of the archive); it was left alone."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return f"{name} is a link; put the file itself into the archive."
    if entry.flag_bits & _ENCRYPTED:
        return f"{name} is encrypted; make the archive without a password."
    if limit is not None and entry.file_size > limit:
        return f"{name} has {entry.file_size:,} bytes, more than the {limit:,} that are read; split it."
    return None
