"""Pictures for publication: small JPEG tiles of garments, or a neutral tile where there is none.

A page must never show a face. The media package's garment crops hold garment pixels only (transparent elsewhere)
and are laid on a plain ground; its person crops hold faces, and a report takes them only where that is asked for
(`gather`'s `blank_faces=False`). A whole picture is taken only together with its garment mask, everything above
the garment is blanked, and the tile shows the garment's surroundings no further than a small margin.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

TILE_SIZE = (96, 128)  # width, height in pixels: ten tiles side by side fill a report's column
GROUND = (244, 242, 238)  # warm grey that suits light and dark pages alike
JPEG_QUALITY = 82
MARGIN = 0.04  # of the tile's sides, kept free around a garment
MASK_MARGIN = 0.03  # of the mask's box, kept of a whole picture's surroundings
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
    path: Path,
    size: tuple[int, int] = TILE_SIZE,
    *,
    image_id: str | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
) -> Thumb:
    """A JPEG tile of exactly `size` (width, height), the picture whole and centred on a plain ground.

    Without `mask` the file must be a garment crop of the media package. With `mask` (h, w; True on garment,
    of the upright picture) the file is a whole picture: everything above the garment is blanked
    (`media.privacy.blank_above_garment`) and the rest is cut to the garment's box. A file that is missing,
    broken, too big or does not fit its mask, and an empty mask, give the neutral tile. `image_id` defaults
    to the file name.
    """
    from PIL import Image, UnidentifiedImageError

    identity = image_id if image_id is not None else path.name
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return placeholder(identity, size)
            picture = _upright(opened)
        if mask is not None:
            cut = _garment_of_whole_picture(picture, mask)
            if cut is None:
                return placeholder(identity, size)
            picture = cut
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


def _garment_of_whole_picture(picture: Image.Image, mask: npt.NDArray[np.bool_]) -> Image.Image | None:
    from PIL import Image

    from fashion_assets.media.privacy import blank_above_garment

    garment = np.asarray(mask, dtype=bool)
    if garment.shape != (picture.height, picture.width) or not garment.any():
        return None
    rgb = np.asarray(picture.convert("RGB"), dtype=np.uint8)
    blanked = Image.fromarray(np.asarray(blank_above_garment(rgb, garment), dtype=np.uint8))
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    pad_x = round(MASK_MARGIN * (columns[-1] - columns[0] + 1))
    pad_y = round(MASK_MARGIN * (rows[-1] - rows[0] + 1))
    return blanked.crop(
        (
            max(int(columns[0]) - pad_x, 0),
            int(rows[0]),  # no margin upwards: what lies above the garment is not ours to show
            min(int(columns[-1]) + 1 + pad_x, picture.width),
            min(int(rows[-1]) + 1 + pad_y, picture.height),
        )
    )


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
