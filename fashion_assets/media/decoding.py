"""Files as upright RGB pixels, or a refusal that says why."""

from __future__ import annotations

import io
import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.errors import MediaError
from fashion_assets.media.jpeg_scans import MAX_SCANS, has_too_many_scans
from fashion_assets.media.kinds import HEADER_BYTES, KINDS, declared_kinds, detect_kind
from fashion_assets.storage.places import Place, is_remote

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]

#: 50 million pixels are 150 MB of RGB: more than any phone's picture in a crawl, and still safe in a few
#: threads.
MAX_PIXELS: Final = 50_000_000

#: Raised when the same bytes would give other pixels: hashes and crops of another number are made again,
#: because a hash must not depend on when a picture came in.
DECODING: Final = 3

#: What is fetched of a picture in a bucket, which is held in memory while it is decoded.
MAX_FETCHED: Final = 256 << 20

#: libjpeg decodes at 1/2, 1/4 or 1/8 as long as this long side is left. Stopping at the 256 that hashes take
#: saves a third of the time again, but moves ``local:visual`` below a cosine of .995 ("reduced to 1/4" in
#: benchmarks/decoding.py).
REDUCED_SIDE: Final = 512

#: Transparent pixels show this: shops cut garments out for white pages.
BACKGROUND: Final = (255, 255, 255)

#: Modes with more than 8 bits per channel; their values are spread over 0-255.
_DEEP_MODES: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


#: Rows of such a picture that are spread at a time.
_BAND_ROWS: Final = 256


@dataclass(frozen=True)
class DecodedImage:
    """A picture: ``rgb`` uint8 (h, w, 3), and the ``width`` and ``height`` of the upright file in pixels.

    ``rgb`` is smaller than ``height`` x ``width`` where a ``max_side`` was asked for.
    """

    rgb: Pixels
    width: int
    height: int


def decode_image(
    source: Place | bytes,
    *,
    name: str | None = None,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> DecodedImage:
    """The picture upright (EXIF rotation applied), in RGB, its long side at most ``max_side`` pixels.

    ``source`` is a file, or what a file holds (a member of an archive); ``name`` stands for it in refusals and
    tells by its suffix what it should be. The first frame of an animation is taken; transparency is laid on
    white. Raises MediaError, in a sentence, for a file that is missing, empty, truncated, not a picture,
    another kind than its suffix says, or of more than ``max_pixels`` pixels (told by the header, before
    anything is decoded).
    """
    name = _name_of(source, name)
    source = _fetched(source, name)
    kind = picture_kind(source, name)
    with _refusing_what_decoders_raise(name, kind):
        upright, width, height = _open(source, name, kind, max_side, max_pixels)
        return DecodedImage(_resampled(_rgb(upright), _fitted(width, height, max_side)), width, height)


def decode_cut_out(
    source: Place | bytes,
    *,
    name: str | None = None,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """uint8 (h, w, 4) RGBA where the file holds transparency, else (h, w, 3); else as ``decode_image``."""
    name = _name_of(source, name)
    source = _fetched(source, name)
    kind = picture_kind(source, name)
    with _refusing_what_decoders_raise(name, kind):
        upright, width, height = _open(source, name, kind, max_side, max_pixels)
        size = _fitted(width, height, max_side)
        return _rgba(upright, size) if upright.mode == "RGBA" else _resampled(_rgb(upright), size)


def _name_of(source: Place | bytes, name: str | None) -> str:
    return name or ("the picture" if isinstance(source, bytes) else source.name)


def _fetched(source: Place | bytes, name: str) -> Path | bytes:
    """``source``, or what an object in a bucket holds: decoders jump to and fro, and each jump would be a request."""
    if not is_remote(source):
        return source
    try:
        content = source.read_bytes(MAX_FETCHED + 1)
    except FileNotFoundError:
        raise MediaError(f"{name} is not there; expected a file at {source}") from None
    if len(content) > MAX_FETCHED:
        raise MediaError(f"{name} has more than the {MAX_FETCHED:,} bytes that are read of a picture")
    return content


def picture_kind(source: Path | bytes, name: str) -> str:
    """The kind of picture that ``source`` holds. Raises MediaError if it is none or is not as named."""
    kind = file_kind(source, name)
    if kind is None or KINDS[kind][0] != "picture":
        what = f"a {kind} file" if kind else "of no known kind"
        raise MediaError(
            f"{name} is {what}, not a picture; expected JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
        )
    return kind


def file_kind(source: Path | bytes, name: str) -> str | None:
    """A key of ``KINDS``, or None. Raises MediaError if the file is missing, empty or not as named."""
    header = source[:HEADER_BYTES] if isinstance(source, bytes) else _first_bytes(source, name)
    if not header:
        raise MediaError(f"{name} is empty (0 bytes); fetch it again")
    kind = detect_kind(header)
    declared = declared_kinds(name)
    if declared and kind not in declared:
        found = f"the bytes of a {kind} file" if kind else "bytes of no known kind"
        raise MediaError(
            f"{name} is named like a {' or '.join(declared)} file but holds {found}; "
            f"fetch it again or give it its right suffix"
        )
    return kind


def _first_bytes(path: Path, name: str) -> bytes:
    require_regular(path, name)
    try:
        with path.open("rb") as handle:
            return handle.read(HEADER_BYTES)
    except OSError as fault:
        raise MediaError(f"{name} cannot be opened: {fault.strerror or fault}") from fault


def require_regular(path: Path, name: str) -> None:
    """Nothing for a file; MediaError for what is not there and for a folder, pipe or device.

    To be asked before anything is opened: opening a pipe waits for a writer, perhaps for ever.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise MediaError(f"{name} is not there; expected a file at {path}") from None
    except OSError as fault:
        raise MediaError(f"{name} cannot be opened: {fault.strerror or fault}") from fault
    if not stat.S_ISREG(mode):
        raise MediaError(f"{name} cannot be opened: it is a folder, pipe or device; expected a file")


@contextmanager
def _refusing_what_decoders_raise(name: str, kind: str) -> Iterator[None]:
    """Turns what a decoder raises on damaged bytes into a MediaError.

    Decoders meet hostile bytes, and nearly every built-in exception has come out of one at some time; each of
    them means the same to the month: this file cannot be used.
    """
    try:
        yield
    except MediaError:
        raise
    except MemoryError as fault:
        raise MediaError(f"{name} needs more memory than there is; make the {kind} file smaller") from fault
    except Exception as fault:
        text = str(fault).strip() or type(fault).__name__
        if any(
            word in text.lower()
            for word in ("truncated", "unexpected end", "broken data stream", "end of file")
        ):
            raise MediaError(
                f"{name} is truncated: the {kind} data end early ({text}); fetch it again"
            ) from fault
        raise MediaError(f"{name} is a {kind} file that cannot be read ({text}); fetch it again") from fault


def _open(
    source: Path | bytes, name: str, kind: str, max_side: int | None, max_pixels: int
) -> tuple[Image.Image, int, int]:
    """The picture upright in RGB or RGBA, less than twice ``max_side`` (JPEG: or ``REDUCED_SIDE``) long, with
    the width and height of the upright file.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if kind == "HEIC":
        _register_heif(name)
    opened_from = io.BytesIO(source) if isinstance(source, bytes) else source
    pillow_format = KINDS[kind][1]
    # JPEG files of phones may be MPO (several pictures); Pillow finds that by itself from JPEG.
    try:
        opened = Image.open(opened_from, formats=[pillow_format] if pillow_format else None)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
        raise MediaError(f"{name} is refused as a decompression bomb: {fault}") from fault
    except UnidentifiedImageError as fault:
        # Pillow's own sentence names the place on disk and not the fault.
        raise MediaError(f"{name} is a {kind} file with a damaged or cut header; fetch it again") from fault
    with opened:
        check_pixels(name, opened.width, opened.height, max_pixels)
        if kind == "JPEG" and has_too_many_scans(source):
            raise MediaError(
                f"{name} paints its picture in more than {MAX_SCANS} scans, each a pass over all pixels; it may be a "
                "decompression bomb. Save it again with an ordinary encoder"
            )
        # Orientation must be read before draft mode: it says which side is which in the full file.
        turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        width, height = (opened.height, opened.width) if turned else opened.size
        if max_side is not None:
            share = min(1.0, max(max_side, REDUCED_SIDE) / max(opened.size))
            opened.draft(None, (math.ceil(opened.width * share), math.ceil(opened.height * share)))
        opened.load()
        ImageOps.exif_transpose(opened, in_place=True)
        upright = _in_colour(opened)
    if max_side is not None and (step := max(upright.size) // max_side) > 1:
        # Whole steps by averaging, which is quick and free of moiré; ``_resampled`` does the rest.
        upright = upright.reduce(step)
    return upright, width, height


def _has_alpha(picture: Image.Image) -> bool:
    return "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info


def check_pixels(name: str, width: int, height: int, max_pixels: int) -> None:
    """Nothing if the size can be decoded. Raises MediaError for no pixels or more than ``max_pixels``."""
    if width < 1 or height < 1:
        raise MediaError(f"{name} says that it is {width} x {height} pixels; expected at least one")
    if width * height > max_pixels:
        raise MediaError(
            f"{name} says that it is {width} x {height} pixels, {width * height / 1e6:,.0f} million; at most "
            f"{max_pixels / 1e6:,.0f} million are decoded, because more may be a decompression bomb"
        )


def _register_heif(name: str) -> None:
    try:
        import pillow_heif  # type: ignore[import-not-found]  # optional
    except ImportError:
        raise MediaError(
            f'{name} is a HEIC picture, which cannot be read here; pip install "fashion-assets[heic]"'
        ) from None
    pillow_heif.register_heif_opener()


def _in_colour(picture: Image.Image) -> Image.Image:
    """RGBA where the picture holds transparency, else RGB; deep greys spread over their own range."""
    from PIL import Image

    if picture.mode in _DEEP_MODES:
        deep = np.asarray(picture)
        # Some rows at a time: as doubles a whole picture of ``MAX_PIXELS`` takes a gigabyte.
        bands = [slice(top, top + _BAND_ROWS) for top in range(0, len(deep), _BAND_ROWS)]
        most = (
            65535.0 if picture.mode.startswith("I;16") else max(1.0, *(_finite(deep[b]).max() for b in bands))
        )
        grey = np.empty(deep.shape, dtype=np.uint8)
        for band in bands:
            grey[band] = np.clip(_finite(deep[band]) * (255.0 / most), 0, 255)
        return Image.fromarray(grey).convert("RGB")
    mode = "RGBA" if _has_alpha(picture) else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)


def _rgb(picture: Image.Image) -> Pixels:
    """uint8 (h, w, 3) of an RGB picture, or of an RGBA one on white."""
    from PIL import Image

    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        picture = Image.alpha_composite(ground, picture).convert("RGB")
    # A copy: arrays over Pillow's memory are read-only, and cv2 wants to write.
    return np.array(picture, dtype=np.uint8)


def _rgba(picture: Image.Image, size: tuple[int, int]) -> Pixels:
    """uint8 (h, w, 4) of an RGBA picture at ``size`` (width, height)."""
    from PIL import Image

    if picture.size == size:
        return np.array(picture, dtype=np.uint8)
    # Colours count by their alpha: what a file holds under transparent pixels must not bleed into the edge.
    weighed = _resampled(np.array(picture.convert("RGBa"), dtype=np.uint8), size)
    return np.array(Image.frombytes("RGBa", size, weighed.tobytes()).convert("RGBA"), dtype=np.uint8)


def _fitted(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height at the same aspect, the larger at most ``max_side``."""
    if max_side is None or max(width, height) <= max_side:
        return width, height
    scale = max_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resampled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The pixels at ``size`` (width, height), which is more than half of theirs."""
    import cv2

    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    # Pillow takes about as long for this as for the decoding itself.
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
