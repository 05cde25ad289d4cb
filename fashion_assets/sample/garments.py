"""Outlines of garments in body coordinates. Data and small geometry only; pixels are in `canvas`.

Body coordinates: y runs from 0 (crown) to 1 (soles), x from the middle of the body to its right, in body
heights.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Outline = tuple[tuple[float, float], ...]

HALF_OUTLINES: Final[dict[str, Outline]] = {
    # uppers
    "tee": ((0.04, 0.172), (0.112, 0.188), (0.128, 0.235), (0.108, 0.26), (0.104, 0.40), (0.112, 0.51)),
    "polo": ((0.04, 0.165), (0.112, 0.186), (0.122, 0.235), (0.102, 0.26), (0.094, 0.40), (0.104, 0.49)),
    "shirt": ((0.04, 0.165), (0.114, 0.186), (0.12, 0.24), (0.104, 0.28), (0.09, 0.40), (0.102, 0.50)),
    "knit": ((0.05, 0.155), (0.122, 0.178), (0.15, 0.25), (0.138, 0.36), (0.146, 0.50), (0.118, 0.545)),
    "hoodie": ((0.055, 0.155), (0.126, 0.18), (0.15, 0.25), (0.136, 0.38), (0.14, 0.52), (0.118, 0.55)),
    "fleece": ((0.045, 0.148), (0.122, 0.178), (0.142, 0.25), (0.13, 0.40), (0.13, 0.535)),
    "vest": ((0.035, 0.185), (0.09, 0.18), (0.108, 0.24), (0.106, 0.40), (0.112, 0.50)),
    "crop_top": ((0.03, 0.215), (0.068, 0.178), (0.092, 0.235), (0.084, 0.335)),
    "crop_knit": ((0.04, 0.178), (0.108, 0.186), (0.12, 0.25), (0.096, 0.33), (0.092, 0.385)),
    "mandarin": ((0.035, 0.146), (0.052, 0.168), (0.116, 0.188), (0.118, 0.26), (0.096, 0.38), (0.122, 0.52)),
    # dresses
    "qipao": (
        (0.033, 0.143),
        (0.05, 0.168),
        (0.108, 0.186),
        (0.1, 0.27),
        (0.078, 0.385),
        (0.112, 0.50),
        (0.094, 0.84),
    ),
    "tea_dress": ((0.06, 0.185), (0.108, 0.184), (0.1, 0.27), (0.078, 0.375), (0.14, 0.56), (0.19, 0.80)),
    "slip_dress": ((0.03, 0.22), (0.066, 0.18), (0.092, 0.24), (0.08, 0.38), (0.112, 0.52), (0.13, 0.84)),
    "slip_dress_short": (
        (0.03, 0.22),
        (0.066, 0.18),
        (0.092, 0.24),
        (0.078, 0.38),
        (0.112, 0.50),
        (0.106, 0.60),
    ),
    "lolita_dress": (
        (0.05, 0.168),
        (0.106, 0.184),
        (0.1, 0.26),
        (0.07, 0.365),
        (0.19, 0.46),
        (0.245, 0.62),
        (0.25, 0.69),
    ),
    "knit_dress": ((0.05, 0.15), (0.12, 0.178), (0.136, 0.26), (0.118, 0.38), (0.134, 0.55), (0.13, 0.82)),
    # lowers
    "a_skirt": ((0.076, 0.385), (0.12, 0.52), (0.185, 0.78)),
    "long_skirt": ((0.08, 0.39), (0.116, 0.54), (0.14, 0.90)),
    "pleated_long": ((0.08, 0.385), (0.145, 0.58), (0.205, 0.91)),
    "pleated_mini": ((0.08, 0.40), (0.128, 0.49), (0.166, 0.625)),
    "mini_skirt": ((0.08, 0.40), (0.115, 0.48), (0.13, 0.60)),
    "pencil": ((0.08, 0.40), (0.112, 0.50), (0.106, 0.58), (0.096, 0.69)),
    "tutu": ((0.075, 0.395), (0.175, 0.45), (0.225, 0.545), (0.215, 0.585)),
    # outers, hanging open: the right panel, from the neck round the outside to the hem and up the front
    "coat_long": (
        (0.03, 0.158),
        (0.132, 0.18),
        (0.155, 0.27),
        (0.15, 0.50),
        (0.185, 0.84),
        (0.062, 0.85),
        (0.045, 0.50),
        (0.038, 0.34),
    ),
    "blazer": (
        (0.03, 0.16),
        (0.134, 0.178),
        (0.15, 0.26),
        (0.124, 0.40),
        (0.142, 0.575),
        (0.04, 0.59),
        (0.018, 0.43),
        (0.03, 0.30),
    ),
    "shell": (
        (0.035, 0.145),
        (0.13, 0.18),
        (0.156, 0.26),
        (0.146, 0.40),
        (0.148, 0.555),
        (0.02, 0.56),
        (0.014, 0.40),
    ),
    "jacket": (
        (0.03, 0.158),
        (0.132, 0.18),
        (0.152, 0.26),
        (0.14, 0.38),
        (0.13, 0.485),
        (0.045, 0.49),
        (0.032, 0.35),
    ),
    "utility_vest": (
        (0.03, 0.172),
        (0.098, 0.178),
        (0.114, 0.25),
        (0.122, 0.50),
        (0.016, 0.51),
        (0.014, 0.32),
    ),
}

LEG_OUTLINES: Final[dict[str, Outline]] = {
    # right trouser leg: from the waist in the middle, round the outside, to the hem and back up the inside
    "trousers_wide": (
        (0.0, 0.385),
        (0.08, 0.385),
        (0.118, 0.50),
        (0.15, 0.95),
        (0.022, 0.955),
        (0.008, 0.57),
    ),
    "trousers_flare": (
        (0.0, 0.415),
        (0.088, 0.415),
        (0.112, 0.52),
        (0.082, 0.72),
        (0.138, 0.965),
        (0.018, 0.965),
        (0.028, 0.72),
        (0.006, 0.57),
    ),
    "trousers_slim": (
        (0.0, 0.39),
        (0.08, 0.39),
        (0.112, 0.50),
        (0.084, 0.72),
        (0.07, 0.92),
        (0.022, 0.92),
        (0.01, 0.57),
    ),
    "leggings": (
        (0.0, 0.37),
        (0.078, 0.37),
        (0.11, 0.49),
        (0.082, 0.68),
        (0.066, 0.92),
        (0.03, 0.92),
        (0.008, 0.56),
    ),
    "cargo": (
        (0.0, 0.40),
        (0.088, 0.40),
        (0.124, 0.51),
        (0.142, 0.70),
        (0.122, 0.90),
        (0.078, 0.945),
        (0.028, 0.935),
        (0.014, 0.70),
        (0.006, 0.58),
    ),
    "shorts": ((0.0, 0.395), (0.084, 0.395), (0.12, 0.50), (0.13, 0.635), (0.018, 0.645), (0.008, 0.57)),
}

OPEN_FRONT: Final = frozenset({"coat_long", "blazer", "shell", "jacket", "utility_vest"})
PLEATED: Final = frozenset({"pleated_long", "pleated_mini", "tutu", "lolita_dress"})
SLEEVE_WIDTH: Final[dict[str, float]] = {
    "knit": 0.072,
    "hoodie": 0.072,
    "knit_dress": 0.066,
    "fleece": 0.068,
    "coat_long": 0.072,
    "shell": 0.074,
    "jacket": 0.072,
    "blazer": 0.062,
    "mandarin": 0.072,
    "lolita_dress": 0.066,
}
DEFAULT_SLEEVE_WIDTH: Final = 0.056
SHARP_COSINE: Final = 0.55
"""Bends of more than about 57 degrees are hems, necks and waists, which stay corners."""


def rounded(points: Points) -> Points:
    """The closed outline, gentle bends cut round (Chaikin 1974), sharp corners kept, shape (m, 2)."""
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    sharp = (before * after).sum(axis=1) < SHARP_COSINE * lengths
    points = np.repeat(
        points, np.where(sharp, 3, 1), axis=0
    )  # a point on itself three times survives the cutting
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        points = np.stack(
            [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1
        ).reshape(-1, 2)
    return points


def pieces_of(cut: str, width: float, length: float) -> list[Points]:
    """Outlines of the pieces of a cut, each (n, 2) in body coordinates; KeyError for an unknown cut.

    `width` and `length` are jitter factors near 1: how far it stands off the body, how far it falls.
    """
    if cut in LEG_OUTLINES:
        panels = [np.asarray(LEG_OUTLINES[cut], dtype=np.float64)]
    else:
        half = np.asarray(HALF_OUTLINES[cut], dtype=np.float64)
        panels = [half] if cut in OPEN_FRONT else [np.concatenate([half, (half * [-1.0, 1.0])[::-1]])]
    if cut in LEG_OUTLINES or cut in OPEN_FRONT:
        panels.append(panels[0] * [-1.0, 1.0])
    top = min(float(panel[:, 1].min()) for panel in panels)
    return [
        rounded(np.column_stack([panel[:, 0] * width, top + (panel[:, 1] - top) * length]))
        for panel in panels
    ]
