"""A picture item (path or array) as the RGB pixels that a network sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

#: Background behind the garment region: catalogue networks were trained on white.
WHITE = 255


def is_pillow_image(item: object) -> bool:
    """Whether the item is a picture that Pillow has opened."""
    from PIL import Image

    return isinstance(item, Image.Image)


def pixels_of_image(image: Any) -> npt.NDArray[np.uint8]:
    """(h, w, 3) RGB or, if it has transparency, (h, w, 4) RGBA of a Pillow image, EXIF rotation applied."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    has_alpha = "A" in upright.getbands() or "transparency" in upright.info
    return np.asarray(upright.convert("RGBA" if has_alpha else "RGB"))


def picture_on_white(item: Any) -> npt.NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB; alpha is blended onto white; EXIF rotation is applied to files.

    Raises UserError if the file cannot be read as a picture or the array has another shape or type.
    """
    if isinstance(item, Path):
        return _read_file(item)
    if isinstance(item, np.ndarray):
        return _from_array(item)
    raise UserError(
        f"a picture item is a {type(item).__name__}; expected a Path or a uint8 array (h, w, 3) or (h, w, 4)"
        + (" (wrap file names in Path: a str is a text)" if isinstance(item, str) else "")
    )


def _from_array(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
        raise UserError(
            f"a picture array has shape {pixels.shape} and type {pixels.dtype}; "
            "expected uint8 (h, w, 3) or (h, w, 4)"
        )
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    alpha = pixels[:, :, 3:].astype(np.uint16)
    blended = (pixels[:, :, :3] * alpha + WHITE * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)


def _read_file(path: Path) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(path) as opened:
            return _from_array(pixels_of_image(opened))
    except FileNotFoundError:
        raise UserError(f"the picture {path} does not exist") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"the picture {path} cannot be read: {error}") from error
