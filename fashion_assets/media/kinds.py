"""What a file is, told by its first bytes, and what its name says it is."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, Literal

Family = Literal["picture", "video", "other"]

#: Bytes that are read to tell the kind; the longest signature that is looked for ends at byte 40.
HEADER_BYTES: Final = 64

#: Kind -> (family, the decoder's own name for it: Pillow's format, FFmpeg's demuxer). No other decoder is ever
#: started, whatever a file's bytes suggest to it further on.
KINDS: Final[dict[str, tuple[Family, str | None]]] = {
    "JPEG": ("picture", "JPEG"),
    "PNG": ("picture", "PNG"),
    "GIF": ("picture", "GIF"),
    "WebP": ("picture", "WEBP"),
    "BMP": ("picture", "BMP"),
    "TIFF": ("picture", "TIFF"),
    "AVIF": ("picture", "AVIF"),
    "HEIC": ("picture", "HEIF"),
    "MP4 or QuickTime": ("video", "mov"),
    "Matroska or WebM": ("video", "matroska"),
    "AVI": ("video", "avi"),
    "HTML or XML": ("other", None),
    "PDF": ("other", None),
    "ZIP": ("other", None),
    "text": ("other", None),
}

#: Suffix -> the kinds that may stand behind it.
SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    ".jpg": ("JPEG",),
    ".jpeg": ("JPEG",),
    ".jpe": ("JPEG",),
    ".jfif": ("JPEG",),
    ".png": ("PNG",),
    ".gif": ("GIF",),
    ".webp": ("WebP",),
    ".bmp": ("BMP",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".avif": ("AVIF",),
    ".heic": ("HEIC",),
    ".heif": ("HEIC", "AVIF"),
    ".mp4": ("MP4 or QuickTime",),
    ".m4v": ("MP4 or QuickTime",),
    ".mov": ("MP4 or QuickTime",),
    ".mkv": ("Matroska or WebM",),
    ".webm": ("Matroska or WebM",),
    ".avi": ("AVI",),
}

#: Brands of the ISO base media format (the ``ftyp`` box) that hold still pictures.
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})


def detect_kind(header: bytes) -> str | None:
    """A key of ``KINDS`` for a file that starts with ``header``, or None if nothing known starts so."""
    if header.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if header.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if header[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI"}.get(header[8:12])
    if header.startswith(b"BM") and header[6:10] == b"\0\0\0\0":
        return "BMP"
    if header.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    if header[4:8] == b"ftyp":
        return _iso_media_kind(header)
    if header[4:8] in (b"moov", b"mdat", b"wide"):
        return "MP4 or QuickTime"
    if header.startswith(b"\x1a\x45\xdf\xa3"):
        return "Matroska or WebM"
    if header.startswith(b"%PDF-"):
        return "PDF"
    if header.startswith(b"PK\x03\x04"):
        return "ZIP"
    if header.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "HTML or XML"
    return "text" if _looks_like_text(header) else None


def _iso_media_kind(header: bytes) -> str:
    # The major brand may be the generic mif1; the compatible brands behind it then tell AVIF from HEIC.
    brands = {header[8:12], *(header[at : at + 4] for at in range(16, len(header) - 3, 4))}
    if header[8:12] in _AVIF_BRANDS or (header[8:12] in _HEIC_BRANDS and brands & _AVIF_BRANDS):
        return "AVIF"
    return "HEIC" if header[8:12] in _HEIC_BRANDS else "MP4 or QuickTime"


def _looks_like_text(header: bytes) -> bool:
    if not header or b"\0" in header:
        return False
    try:
        header.decode("utf-8")
    except UnicodeDecodeError as fault:
        # A multi-byte character that the header's end cuts in two is still text.
        return fault.start >= len(header) - 3 and fault.start > 0
    return all(byte >= 32 or byte in b"\t\r\n\f" for byte in header)


def declared_kinds(name: str) -> tuple[str, ...]:
    """The kinds that the suffix of ``name`` announces; empty if it has none or an unknown one."""
    return SUFFIXES.get(PurePath(name).suffix.lower(), ())


def is_video_name(name: str) -> bool:
    """True if the suffix of ``name`` announces a video."""
    kinds = declared_kinds(name)
    return bool(kinds) and KINDS[kinds[0]][0] == "video"
