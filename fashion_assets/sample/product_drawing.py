"""Product-only pictures: one garment, shoe, bag or hat on a light ground, no person."""

from __future__ import annotations

from typing import Final

import numpy as np

from fashion_assets.sample import garments
from fashion_assets.sample.canvas import Canvas, Field, Image, Pose, finish

PRODUCT_SHAPE: Final = (240, 180)
"""Rows, columns of a product picture."""

OBJECTS: Final[dict[str, tuple[tuple[tuple[float, float], ...], ...]]] = {
    # closed outlines in units of the picture's smaller half, (0, 0.5) is the middle
    "boot": (((-0.16, 0.2), (0.06, 0.2), (0.07, 0.6), (0.22, 0.68), (0.24, 0.78), (-0.17, 0.78)),),
    "sneaker": (
        ((-0.28, 0.42), (-0.12, 0.4), (0.02, 0.5), (0.22, 0.55), (0.3, 0.62), (0.3, 0.7), (-0.3, 0.7)),
    ),
    "heel": (
        (
            (-0.28, 0.36),
            (-0.18, 0.38),
            (0.0, 0.56),
            (0.28, 0.64),
            (0.28, 0.7),
            (0.1, 0.7),
            (-0.14, 0.56),
            (-0.23, 0.5),
            (-0.24, 0.72),
            (-0.27, 0.72),
        ),
    ),
    "tote": (((-0.24, 0.42), (0.24, 0.42), (0.29, 0.82), (-0.29, 0.82)),),
    "backpack": (
        ((-0.18, 0.26), (0.18, 0.26), (0.25, 0.4), (0.26, 0.8), (-0.26, 0.8), (-0.25, 0.4)),
        ((-0.16, 0.56), (0.16, 0.56), (0.16, 0.74), (-0.16, 0.74)),
    ),
    "hat": (
        ((-0.14, 0.36), (0.14, 0.36), (0.19, 0.55), (-0.19, 0.55)),
        ((-0.19, 0.53), (0.19, 0.53), (0.31, 0.64), (-0.31, 0.64)),
    ),
    "scarf": (
        ((-0.16, 0.2), (0.12, 0.2), (0.15, 0.34), (-0.19, 0.34)),
        ((-0.12, 0.3), (0.02, 0.3), (0.05, 0.82), (-0.13, 0.82)),
        ((0.02, 0.3), (0.12, 0.3), (0.2, 0.7), (0.06, 0.72)),
    ),
}
HANDLES: Final = frozenset({"tote", "backpack"})
FILL: Final = 0.8
"""Share of the picture's height or width that the product takes."""


def _pose(top: float, bottom: float, half_width: float, rng: np.random.Generator) -> Pose:
    rows, columns = PRODUCT_SHAPE
    height = FILL * min(rows / (bottom - top), columns / (2 * half_width)) * rng.uniform(0.88, 1.05)
    centre = (
        columns / 2 + rng.uniform(-4, 4),
        rows / 2 - ((top + bottom) / 2 - 0.5) * height + rng.uniform(-4, 4),
    )
    angle = float(rng.normal(0, 0.03))
    still = (0.0, 0.0)
    return Pose(
        float(height), (float(centre[0]), float(centre[1])), angle, (still, still), (still, still), 0.0
    )


def _sleeves(canvas: Canvas, cut: str, sleeve: str, fabric: Field, seam: Field) -> None:
    width = garments.SLEEVE_WIDTH.get(cut, garments.DEFAULT_SLEEVE_WIDTH) * 1.1
    for side in (-1.0, 1.0):
        shoulder, elbow, cuff = (side * 0.098, 0.21), (side * 0.165, 0.35), (side * 0.19, 0.48)
        if sleeve == "puff":
            canvas.ellipse((side * 0.118, 0.23), (0.052, 0.05), fabric, cloth=True)
        elif sleeve == "short":
            canvas.shape_of((shoulder, (side * 0.145, 0.285)), fabric, width=width, cloth=True)
        elif sleeve == "long":
            canvas.shape_of((shoulder, elbow, cuff), fabric, width=width, cloth=True)
            canvas.shape_of((shoulder, elbow), seam, width=0.004)


def draw_product(shape: str, sleeve: str, colours: Field, pattern: str, rng: np.random.Generator) -> Image:
    """RGB picture (240, 180, 3) of one product; KeyError for an unknown shape."""
    outlines = OBJECTS.get(shape)
    pieces = (
        [garments.rounded(np.asarray(one)) for one in outlines]
        if outlines
        else garments.pieces_of(shape, 1.0, 1.0)
    )
    points = np.concatenate(pieces)
    reach = (
        0.23 if sleeve == "long" else float(np.abs(points[:, 0]).max()) + (0.05 if sleeve != "none" else 0.0)
    )
    pose = _pose(
        float(points[:, 1].min()),
        float(points[:, 1].max()),
        max(reach, float(np.abs(points[:, 0]).max())),
        rng,
    )
    ground = np.full((*PRODUCT_SHAPE, 3), rng.uniform(228, 252) + rng.uniform(-4, 4, 3), dtype=np.float32)
    canvas = Canvas(ground, pose, rng)
    fabric = canvas.fabric(pattern, colours)
    seam = np.asarray(colours[0] * 0.7, dtype=np.float32)
    shadow = np.asarray(ground[0, 0] * 0.86, dtype=np.float32)
    for piece in pieces:
        canvas.shape_of(piece + np.asarray((0.015, 0.015)), shadow)
    if shape in garments.OPEN_FRONT:
        # The lining shows between the panels, from the neck to the hem.
        top, bottom = float(points[:, 1].min()) + 0.02, float(points[:, 1].max()) - 0.01
        canvas.shape_of(((-0.06, top), (0.06, top), (0.08, bottom), (-0.08, bottom)), seam * 0.85, cloth=True)
    if shape in HANDLES:
        turn = np.linspace(np.pi, 2 * np.pi, 20)
        top = float(points[:, 1].min())
        canvas.shape_of(
            np.column_stack([0.12 * np.cos(turn), top + 0.02 + 0.16 * np.sin(turn)]), seam, width=0.025
        )
    _sleeves(canvas, shape, sleeve, fabric, seam)
    if outlines:
        for piece in pieces:
            canvas.shape_of(piece, fabric, cloth=True)
            canvas.shape_of(np.concatenate([piece, piece[:1]]), seam, width=0.006)
        if shape == "sneaker":
            canvas.shape_of(
                ((-0.3, 0.685), (0.3, 0.685)), np.asarray((245, 245, 242), dtype=np.float32), width=0.04
            )
    else:
        canvas.garment_pieces(shape, fabric, seam)
    return finish(canvas.field, rng)
