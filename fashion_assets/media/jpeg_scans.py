"""How often a JPEG file paints its picture: each scan costs a pass over all pixels, and may be a few bytes long."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Final

#: Encoders write about ten. libtiff draws the same line for the JPEG data that a TIFF holds.
MAX_SCANS: Final = 100
#: Tables, comments, EXIF data and colour profiles before and between the scans; some dozens are usual.
_MAX_SEGMENTS: Final = 10_000

#: A marker with a length behind it, or the end (D9): not a stuffed FF (00), a restart (D0 to D7), TEM (01), SOI (D8).
_MARKER: Final = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
_END: Final = 0xD9
_SCAN: Final = 0xDA
#: Frame headers (ITU-T T.81, table B.1), but for the tables that lie among them.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


def has_too_many_scans(source: Path | bytes) -> bool:
    """True if libjpeg would go over the first picture of the JPEG ``source`` more than ``MAX_SCANS`` times."""
    if isinstance(source, bytes):
        return _has_too_many(source)
    with source.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _has_too_many(data)


def _has_too_many(data: bytes | mmap.mmap) -> bool:
    scans, at, in_one_scan = 0, 0, b""
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or found[0][1] == _END:
            return False
        marker, at = found[0][1], found.end()
        if marker in _FRAMES:
            # A sequential picture whose first scan holds all its components ends with that one.
            in_one_scan = b"" if marker in _PROGRESSIVE else data[at + 7 : at + 8]
        if marker == _SCAN:
            scans += 1
            if scans > MAX_SCANS or (in_one_scan and data[at + 2 : at + 3] == in_one_scan):
                return scans > MAX_SCANS
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return True
