"""What must be gone from a picture before it is published."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.segmentation import GARMENT
from fashion_assets.media.skin import skin_and_chin

Pixels = npt.NDArray[np.uint8]

#: What blanked pixels show: a light grey that reads as "left out", not as part of the picture.
BLANK: Final = (236, 236, 236)


def blank_above_garment(rgb: Pixels, mask: npt.NDArray[Any]) -> Pixels:
    """A copy of the picture with every row above the garment blanked; wholly blank if there is no garment.

    ``rgb`` uint8 (h, w, 3), ``mask`` (h, w): True on garment, or the classes of a ``SegmentResult``. The garment
    begins at the mask's first row, or under the chin where the mask still holds a face (a segmenter that knows
    only figures may leave one). A head that is lower than a garment's top (someone lying, several people) is not
    found by this rule. Raises ValueError if the shapes do not fit.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or mask.shape != rgb.shape[:2]:
        raise ValueError(
            f"the picture is {rgb.shape} and the mask {mask.shape}; expected (h, w, 3) and (h, w)"
        )
    out = rgb.copy()
    out[: garment_top(rgb, mask)] = BLANK
    return out


def garment_top(rgb: Pixels, mask: npt.NDArray[Any]) -> int:
    """The row at which the garment begins; the picture's height if there is none."""
    garment = (np.asarray(mask) == GARMENT).astype(np.uint8)
    rows = np.flatnonzero(garment.any(axis=1))
    if len(rows) == 0:
        return int(rgb.shape[0])
    _, chin = skin_and_chin(rgb, garment)
    return int(rows[0]) if chin is None else max(int(rows[0]), chin)
