"""Which files in ``incoming/`` are ready to be read, and which are still being written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fashion_assets.posts.mapping import MAPPING_NAME

#: Names that downloads carry until they are whole.
UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
#: Folders of incoming/ that hold something else than crawl files.
OTHER_FOLDERS = ("media", "products", "taxonomy")
MEDIA_ARCHIVE = "media.zip"

_SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini"})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file: if both stayed, nobody has written to it."""

    n_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """The stamp of a file, None if it is gone."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns)


def crawl_candidates(incoming: Path) -> list[Path]:
    """Every file that may be a crawl file, in path order: not media, products, taxonomy, mappings or hidden files."""
    found = []
    for path in incoming.rglob("*"):
        relative = path.relative_to(incoming)
        if relative.parts[0] in OTHER_FOLDERS or relative.as_posix() == MEDIA_ARCHIVE:
            continue
        if any(part.startswith(".") for part in relative.parts) or path.name in _SYSTEM_FILES:
            continue
        if path.name == MAPPING_NAME or path.name.endswith(f".{MAPPING_NAME}") or not path.is_file():
            continue
        found.append(path)
    return sorted(found)


def media_candidates(incoming: Path) -> list[Path]:
    """Every file and link under ``incoming/media`` and ``incoming/media.zip``, in path order."""
    folder = incoming / "media"
    found = (
        [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()] if folder.is_dir() else []
    )
    archive = incoming / MEDIA_ARCHIVE
    if archive.is_file():
        found.append(archive)
    return sorted(
        path
        for path in found
        if path.name not in _SYSTEM_FILES
        and not any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(incoming).parts)
    )


def still_written(
    paths: Iterable[Path], settle_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> dict[Path, str]:
    """The files that are not ready, each with a sentence.

    Not ready is what has a download's name, and what was changed less than ``settle_seconds`` ago and changes
    again while we wait that long, once for all files. Old files cost no waiting.
    """
    waiting: dict[Path, str] = {}
    young: dict[Path, Stamp] = {}
    for path in paths:
        stamp = Stamp.of(path)
        if path.name.lower().endswith(UNFINISHED_SUFFIXES):
            waiting[path] = (
                f"{path.name} has the name of an unfinished download; it lands when it is renamed."
            )
        elif stamp is not None and time.time() - stamp.changed_ns / 1e9 < settle_seconds:
            young[path] = stamp
    if young:
        sleep(settle_seconds)
    for path, before in young.items():
        after = Stamp.of(path)
        if after != before:
            waiting[path] = grown_sentence(path.name, before, after)
    return waiting


def grown_sentence(name: str, before: Stamp | None, after: Stamp | None) -> str:
    """Why a file is left for the next time."""
    old, new = (f"{stamp.n_bytes:,}" if stamp else "0" for stamp in (before, after))
    return f"{name} is still being written ({old} bytes, then {new}); it lands the next time it is looked at."


def digest_whole_file(path: Path) -> tuple[str, Stamp] | None:
    """(SHA-256 of the bytes, stamp), or None if the file changed while it was read."""
    before = Stamp.of(path)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_CHUNK):
                digest.update(piece)
    except FileNotFoundError:
        return None
    if before is None or Stamp.of(path) != before:
        return None
    return digest.hexdigest(), before


def digest_of_beginning(path: Path, n_bytes: int) -> str:
    """The SHA-256 of the first ``n_bytes`` of a file: an older digest, if the file was only added to."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while n_bytes > 0 and (piece := handle.read(min(_CHUNK, n_bytes))):
            digest.update(piece)
            n_bytes -= len(piece)
    return digest.hexdigest()
