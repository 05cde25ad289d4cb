"""A picture item (path, packed file or array) as the pixels that a descriptor or a network sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.decoding import decode_cut_out
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import is_place

Pixels = npt.NDArray[np.uint8]

#: Long side, in pixels, at which files are decoded: networks look at 224 to 384.
DECODE_SIDE: Final = 512


@dataclass(frozen=True)
class PackedPicture:
    """A picture file inside an archive: ``read`` fetches its bytes when they are needed, ``name`` is for sentences.

    ``read`` raises MediaError for bytes that cannot be had.
    """

    name: str
    read: Callable[[], bytes]


def is_pillow_image(item: object) -> bool:
    """Whether the item is a picture that Pillow has opened."""
    from PIL import Image

    return isinstance(item, Image.Image)


def is_picture(item: object) -> bool:
    """Whether the item is a picture as it stands in a list of items (``items.item_list``)."""
    return is_place(item) or isinstance(item, PackedPicture | np.ndarray)


def pixels_of_image(image: Any) -> Pixels:
    """(h, w, 3) RGB or, if it has transparency, (h, w, 4) RGBA of a Pillow image, EXIF rotation applied."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    has_alpha = "A" in upright.getbands() or "transparency" in upright.info
    return np.asarray(upright.convert("RGBA" if has_alpha else "RGB"))


def picture_pixels(item: Any, *, max_side: int = DECODE_SIDE) -> Pixels:
    """uint8 (h, w, 3) RGB, or (h, w, 4) RGBA where there is transparency; a file's long side at most ``max_side``.

    Raises MediaError for a file that cannot be read (``media.decoding``), UserError for an item that is no picture.
    """
    if is_place(item):
        return decode_cut_out(item, max_side=max_side)
    if isinstance(item, PackedPicture):
        return decode_cut_out(item.read(), name=item.name, max_side=max_side)
    if not isinstance(item, np.ndarray):
        raise UserError(
            f"a picture item is a {type(item).__name__}; expected a Path, a Pillow image or a uint8 array "
            "(h, w, 3 or 4)"
            + (" (wrap file names in Path: a str is a text)" if isinstance(item, str) else "")
        )
    if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] not in (3, 4) or 0 in item.shape:
        raise UserError(
            f"a picture array is {item.dtype} {item.shape}; expected uint8 (h, w, 3) or (h, w, 4)"
        )
    return item


def picture_on_white(item: Any, *, max_side: int = DECODE_SIDE) -> Pixels:
    """(h, w, 3) uint8 RGB of ``picture_pixels``, alpha blended onto white, as catalogue networks were trained.

    Raises as ``picture_pixels`` does.
    """
    pixels = picture_pixels(item, max_side=max_side)
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    return _on_white(pixels)


def _on_white(pixels: Pixels) -> Pixels:
    """(h, w, 3) of RGBA pixels: each channel times alpha / 255, rounded, plus what alpha leaves of white."""
    import cv2

    *colours, alpha = cv2.split(pixels)
    white = cv2.bitwise_not(alpha)
    blended = [cv2.add(cv2.multiply(colour, alpha, scale=1 / 255), white) for colour in colours]
    return np.asarray(cv2.merge(blended), dtype=np.uint8)
