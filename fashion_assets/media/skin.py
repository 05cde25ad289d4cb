"""Skin and head of a figure, told by the face's own colour."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]

#: Skin colours in YCrCb (Chai and Ngan 1999). The box includes camel, rose and brown cloth, so it only finds
#: faces.
_BOX_LOW: Final = (60, 132, 77)
_BOX_HIGH: Final = (255, 173, 127)
#: The share of a figure's height that is searched for its face; a head is 1/7 of a person, 1/4 of a
#: half-length one.
HEAD_ZONE: Final = 0.25
#: Share of the figure's pixels in that part that must be face-coloured. Cloth of such a colour that fills the
#: part (a camel coat on a hanger) is no face: hair and ground leave a face at most this much of it.
_MIN_FACE: Final = 0.10
_MAX_FACE: Final = 0.85
#: Distance in Lab (lightness halved) from the face's colour that is still skin: shadow on an arm is within
#: 10.
_SPREAD: Final = 10.0
#: More skin than this share of the figure is a coat of that colour under hair of that colour.
_MAX_SKIN: Final = 0.4
#: A face's height from hairline to chin over its width (anthropometry gives 1.2 to 1.4); the larger hides
#: more.
_FACE_RATIO: Final = 1.4
#: A head on shoulders, by outline alone: in the upper part the width goes from at most _NECK of the
#: shoulders' to the shoulders' within _STEP of the figure's height. Skirts and coats widen slowly, tops begin
#: wide.
_NECK: Final = 0.65
_STEP: Final = 0.1
_MIN_HEAD: Final = 0.05
_MAX_HEAD: Final = 0.4


def skin_and_chin(rgb: Pixels, figure: Mask) -> tuple[Mask, int | None]:
    """The figure's skin, uint8 (h, w), and the row under its chin; no skin and None if it shows no face.

    ``figure`` is uint8 (h, w), 1 on a person with clothes, or on clothes alone.
    """
    import cv2

    nothing = np.zeros_like(figure)
    rows = np.flatnonzero(figure.any(axis=1))
    if len(rows) == 0:
        return nothing, None
    ycrcb = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    box = (cv2.inRange(ycrcb, np.array(_BOX_LOW), np.array(_BOX_HIGH)) > 0) & (figure > 0)
    top = int(rows[0])
    zone = slice(top, top + max(3, round(HEAD_ZONE * (int(rows[-1]) - top + 1))))
    face = _largest_blob(box[zone].astype(np.uint8)) > 0
    if not max(6.0, _MIN_FACE * figure[zone].sum()) <= face.sum() <= _MAX_FACE * figure[zone].sum():
        return nothing, None
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    tone = np.median(lab[zone][face], axis=0)
    difference = (lab - tone) * np.array([0.5, 1.0, 1.0], dtype=np.float32)
    skin = ((np.sqrt((difference**2).sum(axis=2)) < _SPREAD) & box).astype(np.uint8)
    if skin.sum() > _MAX_SKIN * figure.sum():
        return nothing, None
    return skin, _chin(face, top)


def _largest_blob(mask: Mask) -> Mask:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count <= 1:
        return mask
    return (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)


def _chin(face: npt.NDArray[np.bool_], top: int) -> int:
    """The first row at which the face is as high as its width allows, or where its pixels end."""
    rows = np.flatnonzero(face.any(axis=1))
    widths = face[rows[0] :].sum(axis=1)
    heights = np.arange(1, len(widths) + 1)
    # The widest row so far: a neck and shoulders below the face come too late to count.
    full = heights >= _FACE_RATIO * np.maximum.accumulate(widths)
    end = int(np.argmax(full)) if full.any() else len(widths) - 1
    return top + int(min(rows[0] + end, rows[-1])) + 1


def shoulder_row(figure: Mask) -> int | None:
    """The row at which a head and neck widen to shoulders, by the figure's outline alone; None if none do."""
    rows = np.flatnonzero(figure.any(axis=1))
    if len(rows) == 0:
        return None
    top, height = int(rows[0]), int(rows[-1] - rows[0] + 1)
    widths = figure[top : top + height // 2].sum(axis=1)
    if len(widths) < 10:
        return None
    shoulders = 0.8 * widths.max()
    row = int(np.argmax(widths >= shoulders))
    neck = row - max(2, round(_STEP * height))
    if not _MIN_HEAD * height <= neck <= _MAX_HEAD * height:
        return None
    return top + neck if widths[: neck + 1].max() <= _NECK * shoulders / 0.8 else None
