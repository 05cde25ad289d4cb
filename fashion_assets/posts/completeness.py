"""What a delivery says of itself: ``_SUCCESS`` when all is there, ``_manifest.json`` what all is.

A manifest lists the files beside and below it::

    {"files": [{"name": "2024-03/posts_1.csv", "bytes": 18230, "sha256": "…"}]}

``sha256`` may be left out. A file that is listed lands when it has that size (and digest); until then it waits,
and so does its absence show. While a manifest is not valid, all beside and below it waits. ``_SUCCESS`` says that
every file beside and below it is whole that is no younger than itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from fashion_assets.posts.settling import MANIFEST_NAME, SUCCESS_NAME
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place, Stamp, is_remote

#: A line per file; a million of them is a mistake.
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Listed:
    """What a manifest says of one file."""

    n_bytes: int
    sha256: str | None = None


@dataclass
class Deliveries:
    """The markers of ``incoming/``, read once for a landing."""

    #: Folder -> when its ``_SUCCESS`` was written (nanoseconds).
    successes: dict[Place, int] = field(default_factory=dict)
    #: Every file that a manifest lists.
    listed: dict[Place, Listed] = field(default_factory=dict)
    #: Folder -> what is wrong of its manifest: what lies beside and below it waits, other deliveries do not.
    faults: dict[Place, str] = field(default_factory=dict)

    @classmethod
    def of(cls, markers: Mapping[Place, Stamp]) -> Deliveries:
        found = cls()
        for path, stamp in markers.items():
            if path.name == SUCCESS_NAME:
                found.successes[path.parent] = stamp.changed_ns
            elif path.name == MANIFEST_NAME:
                try:
                    found.listed |= _read_manifest(path, stamp)
                except UserError as fault:  # also one that is being written
                    found.faults[path.parent] = str(fault)
        return found

    def says_whole(self, path: Place, stamp: Stamp, incoming: Place) -> bool:
        """Whether a marker says that the file is there to its end."""
        listed = self.listed.get(path)
        if listed is not None:
            return stamp.n_bytes == listed.n_bytes
        if not self.successes:
            return False
        folder = path.parent
        while True:
            written = self.successes.get(folder)
            if written is not None and written >= stamp.changed_ns:
                return True
            if folder in (incoming, folder.parent):
                return False
            folder = folder.parent

    def contradiction(self, path: Place, stamp: Stamp | None, digest: str | None = None) -> str | None:
        """A sentence where the file is not (yet) what its manifest lists, or a manifest above it cannot be read."""
        listed = self.listed.get(path)
        if listed is None:
            return next((fault for folder, fault in self.faults.items() if folder in path.parents), None)
        if stamp is None:
            return f"{path.name} is listed in {MANIFEST_NAME} and not there yet."
        if stamp.n_bytes != listed.n_bytes:
            return (
                f"{path.name} has {stamp.n_bytes:,} of the {listed.n_bytes:,} bytes that {MANIFEST_NAME} lists; "
                "it lands when it has all of them."
            )
        if digest is not None and listed.sha256 is not None and digest != listed.sha256:
            return (
                f"{path.name} has the size that {MANIFEST_NAME} lists but other content (SHA-256 "
                f"{digest[:12]}…, listed {listed.sha256[:12]}…); copy it again."
            )
        return None


def _read_manifest(path: Place, stamp: Stamp) -> dict[Place, Listed]:
    if stamp.n_bytes > _MAX_BYTES:
        raise UserError(f"{path} is larger than a list of files can be ({stamp.n_bytes:,} bytes).")
    try:
        content = json.loads(path.read_bytes())
        rows = content["files"]
        listed = {}
        for row in rows:
            name, n_bytes, sha256 = row["name"], row["bytes"], row.get("sha256")
            if not isinstance(name, str) or name.startswith("/") or ".." in name.split("/"):
                raise ValueError(f"the name {name!r} is not a path below the manifest's folder")
            listed[path.parent / name] = Listed(int(n_bytes), None if sha256 is None else str(sha256).lower())
    except OSError as fault:
        if is_remote(path) and not isinstance(fault, FileNotFoundError):
            raise
        raise UserError(f"{path} cannot be read ({fault.strerror or type(fault).__name__}).") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as fault:
        raise UserError(
            f'{path} is not valid ({type(fault).__name__}: {fault}); expected {{"files": [{{"name": …, "bytes": …}}]}}.'
        ) from None
    return listed
