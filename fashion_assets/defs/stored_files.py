"""What a materialisation tells of the file that it stored, and whether that file is still the one.

Belongs here: SHA-256 and stamp in the metadata, and their comparison with what lies there. Does not: when that is asked
(``planning``), checksums of single pages, which every read compares (``storage.parquet_files``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fashion_assets.storage.files import file_digest
from fashion_assets.storage.places import Place, Stamp

#: Metadata of a materialisation: digest of the file, and its size with its time of change (in a bucket: its ETag).
SHA256, STAMP = "sha256", "file_stamp"


def stored_file(path: Place, digest: str | None = None) -> dict[str, str]:
    """Metadata of the file at ``path``, which was written just now; ``digest``: its SHA-256 where that is known."""
    stamp = Stamp.of(path)
    return {SHA256: digest or file_digest(path), STAMP: "" if stamp is None else _text(stamp)}


def is_as_stored(path: Place, stamp: Stamp, metadata: Mapping[str, Any]) -> bool:
    """Whether the file is the one that the materialisation with this ``metadata`` stored.

    A file with the stamp of then is. Any other is read: it may have been copied, or written once more with the same
    content. Times are told apart, never put in order, so that a clock that goes back does no harm. Without a
    digest (materialisations of earlier versions) every file is.
    """
    if SHA256 not in metadata or metadata.get(STAMP) == _text(stamp):
        return True
    return file_digest(path) == metadata[SHA256]


def _text(stamp: Stamp) -> str:
    # A bucket tells times in other precision when it lists than when it is asked for one object.
    return f"{stamp.n_bytes} bytes {stamp.tag or stamp.changed_ns}"
