"""Outfit pictures drawn by code: a figure in garments on a background, and the share that they cover.

Belongs here: turning a look, colours and a random generator into pixels. Which post gets which look is
in `pictures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fashion_assets.sample import backgrounds, garments
from fashion_assets.sample.canvas import Canvas, Field, Image, Pose, finish, jittered_colour
from fashion_assets.sample.styles import Look

PICTURE_SHAPE: Final = (320, 240)
"""Rows, columns of a post's picture."""
SKINS: Final = ((238, 206, 184), (226, 188, 162), (244, 216, 198), (206, 164, 136), (232, 196, 176))
HAIRS: Final = ((38, 30, 28), (62, 44, 36), (96, 66, 48), (28, 26, 32), (132, 94, 62))
SHOE_COLOURS: Final = ((34, 32, 34), (246, 244, 240), (122, 82, 54), (70, 46, 36), (214, 196, 176))
PRINTED_CUTS: Final = frozenset({"knit", "vest", "tee", "polo", "crop_top", "crop_knit", "hoodie", "fleece"})


@dataclass(frozen=True)
class Drawing:
    """A finished picture: RGB (h, w, 3) and the share of its pixels that garments cover, 0-1."""

    pixels: Image
    garment_share: float


def random_pose(rng: np.random.Generator, shape: tuple[int, int], small: bool = False) -> Pose:
    """A standing pose; `small` puts the figure far away, its garments below 2 % of the picture."""
    height = shape[0] * (rng.uniform(0.2, 0.3) if small else rng.uniform(0.9, 1.12))
    middle = shape[0] * 0.62 if small else max(0.5 * shape[0], 0.5 * height + 6) + rng.uniform(-4, 10)
    centre = (shape[1] * rng.uniform(0.25, 0.75) if small else shape[1] * rng.uniform(0.45, 0.55), middle)
    elbows, hands = [], []
    for side in (-1.0, 1.0):
        elbow = (side * rng.uniform(0.145, 0.19), rng.uniform(0.33, 0.37))
        kind = rng.random()
        if kind < 0.75:
            hand = (side * rng.uniform(0.14, 0.2), rng.uniform(0.49, 0.53))
        elif kind < 0.92:
            hand = (side * rng.uniform(0.08, 0.11), rng.uniform(0.42, 0.46))
        else:
            hand = (side * rng.uniform(0.1, 0.16), rng.uniform(0.22, 0.27))
        elbows.append((float(elbow[0]), float(elbow[1])))
        hands.append((float(hand[0]), float(hand[1])))
    return Pose(
        float(height),
        (float(centre[0]), float(middle)),
        float(rng.normal(0, 0.025)),
        (elbows[0], elbows[1]),
        (hands[0], hands[1]),
        float(rng.uniform(0.0, 0.02)),
    )


def _limbs(canvas: Canvas, skin: Field, shoes: str) -> None:
    stride = canvas.pose.stride
    shoe = jittered_colour(SHOE_COLOURS[int(canvas.rng.integers(len(SHOE_COLOURS)))], canvas.rng)
    for side in (-1.0, 1.0):
        foot = side * (0.045 + stride)
        leg = ((side * 0.05, 0.50), (side * 0.05, 0.72), (foot, 0.955))
        canvas.shape_of(leg[:2], skin, width=0.074)
        canvas.shape_of(leg[1:], skin, width=0.05)
        if shoes == "boots":
            canvas.shape_of(((side * 0.048, 0.80), (foot, 0.955)), shoe, width=0.064)
        tip = (foot + side * 0.012, 0.985 if shoes != "heels" else 0.99)
        canvas.ellipse(tip, (0.036 if shoes in ("sneakers", "boots") else 0.028, 0.02), shoe)


def _torso(canvas: Canvas, skin: Field) -> None:
    half = np.asarray(
        (
            (0.026, 0.12),
            (0.03, 0.16),
            (0.104, 0.186),
            (0.098, 0.26),
            (0.072, 0.38),
            (0.104, 0.5),
            (0.06, 0.56),
        )
    )
    canvas.shape_of(garments.rounded(np.concatenate([half, (half * (-1, 1))[::-1]])), skin)


def _arm(canvas: Canvas, side: int, skin: Field, sleeve: str, cut: str, fabric: Field, seam: Field) -> None:
    sign = -1.0 if side == 0 else 1.0
    shoulder, elbow, hand = (sign * 0.1, 0.205), canvas.pose.elbows[side], canvas.pose.hands[side]
    canvas.shape_of((shoulder, elbow, hand), skin, width=0.036)
    canvas.ellipse(hand, (0.02, 0.024), skin)
    if sleeve == "none":
        return
    width = garments.SLEEVE_WIDTH.get(cut, garments.DEFAULT_SLEEVE_WIDTH)
    upper_half = (sign * 0.1 + 0.6 * (elbow[0] - sign * 0.1), 0.205 + 0.6 * (elbow[1] - 0.205))
    if sleeve == "puff":
        canvas.ellipse((sign * 0.118, 0.23), (0.05, 0.05), fabric, cloth=True)
    elif sleeve == "short":
        canvas.shape_of((shoulder, upper_half), fabric, width=width, cloth=True)
    else:
        cuff = (elbow[0] + 0.86 * (hand[0] - elbow[0]), elbow[1] + 0.86 * (hand[1] - elbow[1]))
        canvas.shape_of((shoulder, elbow, cuff), fabric, width=width, cloth=True)
        canvas.shape_of((shoulder, elbow), seam, width=0.003)


def _head(canvas: Canvas, skin: Field, hair: Field, bun: bool) -> None:
    canvas.ellipse((0.0, 0.078), (0.046, 0.06), skin)
    canvas.ellipse((0.0, 0.042), (0.05, 0.036), hair)
    if bun:
        canvas.ellipse((0.0, 0.004), (0.024, 0.022), hair)


def _details(canvas: Canvas, look: Look, colours: Field) -> None:
    """Collars, buttons, pockets, bows: what a person sees first about a cut."""
    _, second, accent = colours
    if look.upper in ("shirt", "polo") and not look.outer:
        for y in (0.22, 0.28, 0.34, 0.40):
            canvas.ellipse((0.0, y), (0.005, 0.005), accent)
    if look.upper in ("qipao", "mandarin"):
        canvas.shape_of(((0.0, 0.15), (0.03, 0.2), (0.085, 0.24)), accent, width=0.008)
        for x, y in ((0.012, 0.172), (0.04, 0.21), (0.075, 0.235)):
            canvas.shape_of(((x - 0.012, y), (x + 0.012, y)), accent, width=0.01)
    if look.upper == "hoodie":
        canvas.shape_of(((-0.02, 0.18), (-0.022, 0.27)), second, width=0.006)
        canvas.shape_of(((0.02, 0.18), (0.022, 0.27)), second, width=0.006)
        canvas.shape_of(((-0.06, 0.5), (-0.05, 0.43), (0.05, 0.43), (0.06, 0.5)), accent, width=0.005)
    if look.upper == "lolita_dress":
        canvas.shape_of(((-0.24, 0.675), (0.0, 0.69), (0.24, 0.675)), second, width=0.022, cloth=True)
        for side in (-1.0, 1.0):
            canvas.shape_of(((0, 0.2), (side * 0.04, 0.18), (side * 0.04, 0.225)), accent, cloth=True)
    if look.upper == "tea_dress":
        canvas.shape_of(((-0.078, 0.378), (0.078, 0.378)), accent, width=0.012, cloth=True)
    if look.lower == "cargo":
        for side in (-1.0, 1.0):
            box = ((0.07, 0.62), (0.132, 0.62), (0.136, 0.7), (0.074, 0.7))
            canvas.shape_of([(side * x, y) for x, y in box], colours[0] * 0.8, cloth=True)
    if look.outer in ("utility_vest", "jacket", "shell"):
        for side in (-1.0, 1.0):
            canvas.shape_of(
                [(side * x, y) for x, y in ((0.04, 0.3), (0.1, 0.3), (0.1, 0.35), (0.04, 0.35))], accent * 0.9
            )
    if look.upper == "vest":
        canvas.shape_of(((-0.03, 0.17), (0.0, 0.215), (0.03, 0.17)), second, cloth=True)
        canvas.shape_of(((0.0, 0.2), (0.0, 0.27)), accent, width=0.018, cloth=True)


def _dress_figure(canvas: Canvas, look: Look, colours: Field, pattern: str) -> None:
    rng = canvas.rng
    main, second, accent = colours
    printed, plain = canvas.fabric(pattern, colours), np.broadcast_to(main, canvas.field.shape)
    counter = np.broadcast_to(second, canvas.field.shape)
    skin = jittered_colour(SKINS[int(rng.integers(len(SKINS)))], rng)
    hair = jittered_colour(HAIRS[int(rng.integers(len(HAIRS)))], rng)
    bun = bool(rng.random() < 0.3)
    canvas.ellipse((0.0, 0.075), (0.062, 0.075), hair)
    if not bun:
        canvas.shape_of(((-0.05, 0.06), (0.05, 0.06), (0.066, 0.22), (-0.066, 0.22)), hair)
    _limbs(canvas, skin, look.shoes)
    _torso(canvas, skin)
    # The pattern sits on the upper or on the lower part; the other part is plain, as people dress.
    on_lower = bool(look.lower) and (look.upper not in PRINTED_CUTS or look.lower.startswith("pleated"))
    upper_cloth = printed if not on_lower else counter
    lower_cloth = printed if on_lower else (counter if look.upper in PRINTED_CUTS else plain)
    if look.outer:
        upper_cloth, lower_cloth = (
            counter,
            (printed if on_lower else np.broadcast_to(accent, canvas.field.shape)),
        )
    outer_cloth = plain if on_lower else printed
    sleeve_cloth, sleeve_cut = (outer_cloth, look.outer) if look.outer else (upper_cloth, look.upper)
    if look.upper == "vest" and not look.outer:
        sleeve_cloth = np.broadcast_to(
            second if not np.array_equal(upper_cloth[0, 0], second) else accent, printed.shape
        )
    if look.upper == "vest":
        canvas.garment_pieces("shirt", np.broadcast_to(second, printed.shape), second * 0.85)
        upper_cloth = printed if not on_lower else plain
    if look.outer == "utility_vest":
        sleeve_cloth, sleeve_cut = counter, look.upper
    over = look.upper in ("knit", "hoodie", "fleece", "vest", "tee", "mandarin")
    parts = (
        [(look.lower, lower_cloth), (look.upper, upper_cloth)]
        if over
        else [(look.upper, upper_cloth), (look.lower, lower_cloth)]
    )
    for cut, cloth in parts:
        if cut:
            canvas.garment_pieces(
                cut, cloth, np.asarray(np.median(cloth.reshape(-1, 3)[::97], axis=0) * 0.78, dtype=np.float32)
            )
    if look.outer:
        canvas.garment_pieces(look.outer, outer_cloth, main * 0.72)
    for side in (0, 1):
        _arm(canvas, side, skin, look.sleeve, sleeve_cut, sleeve_cloth, main * 0.75)
    _details(canvas, look, colours)
    _head(canvas, skin, hair, bun)
    if rng.random() < 0.35:
        hand = canvas.pose.hands[int(rng.integers(2))]
        canvas.shape_of(
            [
                (hand[0] + x, hand[1] + y)
                for x, y in ((-0.045, 0.03), (0.045, 0.03), (0.05, 0.12), (-0.05, 0.12))
            ],
            accent,
        )


def draw_outfit(
    look: Look, colours: Field, pattern: str, rng: np.random.Generator, *, small: bool = False
) -> Drawing:
    """A figure in the look; its garments cover 8-40 % of the picture, or under 2 % when `small`."""
    kind = backgrounds.KINDS[int(rng.integers(len(backgrounds.KINDS)))]
    pose = random_pose(rng, PICTURE_SHAPE, small)
    canvas = Canvas(backgrounds.background(kind, PICTURE_SHAPE, rng), pose, rng)
    _dress_figure(canvas, look, colours, pattern)
    return Drawing(finish(canvas.field, rng), float((canvas.garment > 127).mean()))


def draw_scene(rng: np.random.Generator) -> Drawing:
    """A landscape or a meal: no garment at all."""
    scene = backgrounds.landscape if rng.random() < 0.5 else backgrounds.food
    return Drawing(finish(scene(PICTURE_SHAPE, rng), rng), 0.0)
