"""Training pictures turned a little and mirrored, each by its own seed: equal in any batch and on any thread."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: Degrees to either side; shop pictures hang straight, a label upside down would be another picture.
MAX_ROTATION: Final = 10.0


def augmented(picture: npt.NDArray[Any], *, seed: int, epoch: int, item: int) -> npt.NDArray[Any]:
    """(3, H, W) of the picture's dtype: mirrored every second time and rotated by up to ``MAX_ROTATION`` degrees.

    Corners that a rotation uncovers repeat the edge, which is the background of a product picture.
    """
    import cv2

    generator = np.random.default_rng([seed, epoch, item])
    mirror, angle = generator.random() < 0.5, generator.uniform(-MAX_ROTATION, MAX_ROTATION)
    rows = np.ascontiguousarray(picture.transpose(1, 2, 0))
    height, width = rows.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    if mirror:
        # x -> width - 1 - x after the rotation
        turn[0] = (0.0, 0.0, width - 1.0) - turn[0]
    turned = cv2.warpAffine(
        rows, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(np.asarray(turned).transpose(2, 0, 1))
