"""Pictures for publication: small JPEG tiles of garments, or a neutral tile where there is none.

A page must never show a face. The media package's garment crops hold garment pixels only (transparent elsewhere)
and are laid on a plain ground; its person crops hold faces, and a report takes them only where that is asked for
(`gather`'s `blank_faces=False`). Whole pictures are never taken.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fashion_assets.storage.places import Place, is_remote

if TYPE_CHECKING:
    from PIL import Image

TILE_SIZE = (96, 128)  # width, height in pixels: ten tiles side by side fill a report's column
GROUND = (244, 242, 238)  # warm grey that suits light and dark pages alike
JPEG_QUALITY = 82
MARGIN = 0.04  # of the tile's sides, kept free around a garment
MAX_PIXELS = 80_000_000  # a bigger picture is refused before it is decoded (memory)


@dataclass(frozen=True)
class Thumb:
    """A JPEG ready to publish. `missing` marks the neutral tile of a picture that could not be shown."""

    jpeg: bytes
    image_id: str
    width: int = TILE_SIZE[0]
    height: int = TILE_SIZE[1]
    missing: bool = False

    @property
    def data_uri(self) -> str:
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


def load_thumbnail(
    path: Place,
    size: tuple[int, int] = TILE_SIZE,
    *,
    image_id: str | None = None,
) -> Thumb:
    """A JPEG tile of exactly `size` (width, height), the picture whole and centred on a plain ground.

    The file is a crop of the media package. One that is missing, broken or too big gives the neutral tile.
    `image_id` defaults to the file name.
    """
    from PIL import Image, UnidentifiedImageError

    identity = image_id if image_id is not None else path.name
    try:
        with Image.open(io.BytesIO(path.read_bytes()) if is_remote(path) else path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return placeholder(identity, size)
            picture = _upright(opened)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
        return placeholder(identity, size)
    return Thumb(_tile(picture, size), identity, size[0], size[1])


def placeholder(image_id: str, size: tuple[int, int] = TILE_SIZE) -> Thumb:
    """The neutral tile: a hanger on plain ground."""
    return Thumb(_placeholder_jpeg(size), image_id, size[0], size[1], missing=True)


def shrink(thumb: Thumb, max_bytes: int) -> Thumb:
    """The same picture in at most about `max_bytes`, by lower quality and then by fewer pixels."""
    from PIL import Image

    if len(thumb.jpeg) <= max_bytes:
        return thumb
    with Image.open(io.BytesIO(thumb.jpeg)) as opened:
        picture = opened.convert("RGB")
    for scale, quality in ((1.0, 70), (1.0, 50), (0.75, 60), (0.5, 60), (0.25, 50)):
        width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        jpeg = _encode(picture.resize((width, height)), quality)
        if len(jpeg) <= max_bytes:
            break
    return Thumb(jpeg, thumb.image_id, width, height, thumb.missing)


def _upright(picture: Image.Image) -> Image.Image:
    """RGBA, turned as the camera's orientation note says; all other metadata (place, time) stays behind."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture).convert("RGBA")


def _tile(picture: Image.Image, size: tuple[int, int]) -> bytes:
    from PIL import Image

    room = (max(1, round(size[0] * (1 - 2 * MARGIN))), max(1, round(size[1] * (1 - 2 * MARGIN))))
    scale = min(room[0] / picture.width, room[1] / picture.height)
    fitted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    tile = Image.new("RGB", size, GROUND)
    # Pillow resizes RGBA with premultiplied alpha, so hidden colours do not bleed into the garment's edge.
    small = picture.resize(fitted, Image.Resampling.LANCZOS)
    corner = ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2)
    tile.paste(small, corner, small if small.mode == "RGBA" else None)
    return _encode(tile, JPEG_QUALITY)


def _encode(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


@lru_cache(maxsize=8)
def _placeholder_jpeg(size: tuple[int, int]) -> bytes:
    from PIL import Image, ImageDraw

    factor = 4  # drawn large and reduced: Pillow's lines have no smoothing of their own
    width, height = size[0] * factor, size[1] * factor
    tile = Image.new("RGB", (width, height), GROUND)
    pen = ImageDraw.Draw(tile)
    colour, stroke = (196, 193, 186), max(2, width // 60)
    middle, neck, foot, half = width / 2, height * 0.44, height * 0.56, width * 0.27
    hook = width * 0.055
    pen.line(
        [(middle, neck), (middle - half, foot), (middle + half, foot), (middle, neck)],
        colour,
        stroke,
        "curve",
    )
    pen.line([(middle, neck), (middle, neck - hook)], colour, stroke)
    pen.arc((middle - hook, neck - 3 * hook, middle + hook, neck - hook), 180, 90, colour, stroke)
    return _encode(tile.resize(size, Image.Resampling.LANCZOS), JPEG_QUALITY)
