"""Names of media files: as text that can be stored, and the suffix that the lake keeps."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

PICTURE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".avif",
    ".heic",
    ".heif",
    ".tif",
    ".tiff",
)
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv")

# First bytes of the kinds that crawlers save without a suffix.
_MAGIC = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"\x1a\x45\xdf\xa3", ".webm"),
)
# Brands of the ISO base media format that hold still pictures; any other is a video.
_STILL_BRANDS = {b"avif": ".avif", b"avis": ".avif"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), ".heif"
)


def readable(name: str) -> str:
    """The name as text that can be stored: bytes that are no UTF-8 as ``\\xff``, so that names stay different."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def suffix_of(name: str, head: bytes) -> str | None:
    """The suffix of a media file: the name's, else what its first bytes say, else None."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES or suffix in VIDEO_SUFFIXES:
        return suffix
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[4:8] == b"ftyp":
        return _STILL_BRANDS.get(head[8:12], ".mp4")
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
