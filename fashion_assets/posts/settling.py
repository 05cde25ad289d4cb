"""Which files in ``incoming/`` are ready to be read, and which are still being written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fashion_assets.posts.mapping import MAPPING_NAME
from fashion_assets.storage.files import open_binary
from fashion_assets.storage.places import Place, Stamp, entries, files_below, inside, is_remote

#: Names that downloads carry until they are whole.
UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
#: Folders of incoming/ that hold something else than crawl files.
MEDIA_FOLDER = "media"
OTHER_FOLDERS = (MEDIA_FOLDER, "products", "taxonomy")
MEDIA_ARCHIVE = "media.zip"
#: Written last by whoever delivers a folder: what lies beside and below it, and is no younger, is whole.
SUCCESS_NAME = "_SUCCESS"
#: Lists what a delivery holds (``completeness``).
MANIFEST_NAME = "_manifest.json"
#: Kinds that are packed, and how much longer than their bytes they take: text packs to about an eighth.
_PACKED_SUFFIXES = (".gz", ".zip", ".xlsx", ".parquet", ".pq")
_UNPACKS_TO = 8

_SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini"})
_CHUNK = 1 << 20


@dataclass
class Arrivals:
    """The files of ``incoming/`` by what they are, each kind in path order with their stamps."""

    #: May be crawl files: not media, products, taxonomies, mappings or hidden ones.
    crawls: dict[Place, Stamp] = field(default_factory=dict)
    #: Files and links under ``media/``, and ``media.zip``.
    media: dict[Place, Stamp | None] = field(default_factory=dict)
    #: ``columns.yaml`` and ``<file>.columns.yaml``.
    mappings: set[Place] = field(default_factory=set)
    #: ``_SUCCESS`` and ``_manifest.json``.
    markers: dict[Place, Stamp] = field(default_factory=dict)
    #: Folders that may not be read, with the system's word.
    closed: dict[Place, str] = field(default_factory=dict)


def look_around(incoming: Place) -> Arrivals:
    """What lies in ``incoming/`` now; nothing is read."""
    arrivals = Arrivals()
    top, folders = entries(incoming)
    files: dict[Place, Stamp] = dict(top)
    for folder in folders:
        if folder.name == MEDIA_FOLDER:
            _look_at_media(folder, incoming, arrivals)
        elif folder.name not in OTHER_FOLDERS and not folder.name.startswith("."):
            files |= files_below(folder, closed=arrivals.closed)
    for path, stamp in sorted(files.items()):
        relative = inside(incoming, path)
        if any(part.startswith(".") for part in relative.parts) or path.name in _SYSTEM_FILES:
            continue
        if path.name in (SUCCESS_NAME, MANIFEST_NAME):
            arrivals.markers[path] = stamp
        elif path.name == MAPPING_NAME or path.name.endswith(f".{MAPPING_NAME}"):
            arrivals.mappings.add(path)
        elif relative.as_posix() == MEDIA_ARCHIVE:
            arrivals.media[path] = stamp
        elif path.name not in OTHER_FOLDERS:
            arrivals.crawls[path] = stamp
    arrivals.media = dict(sorted(arrivals.media.items()))
    return arrivals


def _look_at_media(folder: Place, incoming: Place, arrivals: Arrivals) -> None:
    found: dict[Place, Stamp | None] = dict(files_below(folder, closed=arrivals.closed))
    if not is_remote(folder):
        # A link is refused by name, wherever it leads.
        found |= {path: Stamp.of(path) for path in folder.rglob("*") if path.is_symlink()}
    for path, stamp in found.items():
        if path.name in (SUCCESS_NAME, MANIFEST_NAME):
            if stamp is not None:
                arrivals.markers[path] = stamp
        elif path.name not in _SYSTEM_FILES and not any(
            part.startswith(".") or part == "__MACOSX" for part in inside(incoming, path).parts
        ):
            arrivals.media[path] = stamp


def unfinished_download(path: Place) -> str | None:
    """A sentence where the name says that a download goes on."""
    if path.name.lower().endswith(UNFINISHED_SUFFIXES):
        return f"{path.name} has the name of an unfinished download; it lands when it is renamed."
    return None


def still_written(
    files: Mapping[Place, Stamp | None], settle_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> dict[Place, str]:
    """The local files that are not ready, each with a sentence.

    Not ready is what was changed less than ``settle_seconds`` ago and changes again while we wait that long, once
    for all files. Old files cost no waiting; an object in a bucket appears when its upload has ended.
    """
    young = {
        path: stamp
        for path, stamp in files.items()
        if not is_remote(path) and stamp is not None and time.time() - stamp.changed_ns / 1e9 < settle_seconds
    }
    if young:
        sleep(settle_seconds)
    waiting: dict[Place, str] = {}
    for path, before in young.items():
        after = Stamp.of(path)
        if after != before:
            waiting[path] = grown_sentence(path.name, before, after)
    return waiting


def grown_sentence(name: str, before: Stamp | None, after: Stamp | None) -> str:
    """Why a file is left for the next time."""
    old, new = (f"{stamp.n_bytes:,}" if stamp else "0" for stamp in (before, after))
    return f"{name} is still being written ({old} bytes, then {new}); it lands the next time it is looked at."


def bytes_to_read(path: Place, stamp: Stamp) -> int:
    """About how many bytes of text a crawl file holds."""
    return stamp.n_bytes * (_UNPACKS_TO if path.name.lower().endswith(_PACKED_SUFFIXES) else 1)


def digest_of_beginning(path: Place, n_bytes: int) -> str:
    """The SHA-256 of the first ``n_bytes`` of a file: an older digest, if the file was only added to."""
    digest = hashlib.sha256()
    with open_binary(path) as handle:
        while n_bytes > 0 and (piece := handle.read(min(_CHUNK, n_bytes))):
            digest.update(piece)
            n_bytes -= len(piece)
    return digest.hexdigest()
