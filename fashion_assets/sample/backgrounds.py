"""What stands behind the figure: walls, streets, rooms, textures, a park; and pictures without a figure.

Belongs here: whole-picture fields, (h, w, 3) float32 RGB 0-255. Colours are drawn freely and tell
nothing of the style.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
KINDS: Final = ("wall", "street", "room", "texture", "park")
WALLS: Final = (
    (226, 221, 213),
    (205, 212, 216),
    (232, 226, 224),
    (196, 189, 178),
    (214, 205, 196),
    (184, 194, 190),
    (224, 212, 200),
    (168, 172, 180),
)


def _flat(shape: tuple[int, int], colour: tuple[float, ...]) -> Field:
    return np.full((*shape, 3), np.asarray(colour, dtype=np.float32), dtype=np.float32)


def _gradient(shape: tuple[int, int], top: tuple[float, ...], bottom: tuple[float, ...]) -> Field:
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    rows = np.asarray(top, dtype=np.float32) * (1 - t) + np.asarray(bottom, dtype=np.float32) * t
    return np.ascontiguousarray(np.broadcast_to(rows, (*shape, 3)), dtype=np.float32)


def smooth_noise(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> Field:
    """Noise of unit spread at the corners of cells of `cell` pixels, smooth between them, (h, w)."""
    import cv2

    small = rng.standard_normal((shape[0] // cell + 2, shape[1] // cell + 2)).astype(np.float32)
    return np.asarray(
        cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )


def _pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> tuple[float, ...]:
    base = np.asarray(colours[int(rng.integers(len(colours)))], dtype=np.float32) + rng.uniform(-12, 12, 3)
    return tuple(float(c) for c in np.clip(base, 0, 255))


def _wall(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    colour = _pick(rng, WALLS)
    picture = _gradient(shape, colour, tuple(c * float(rng.uniform(0.82, 1.0)) for c in colour))
    floor = int(shape[0] * rng.uniform(0.84, 0.95))
    picture[floor:] *= np.float32(rng.uniform(0.72, 0.9))
    return picture


def _street(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    import cv2

    height, width = shape
    picture = _gradient(shape, (196, 214, 230), (228, 226, 220))
    left = 0
    while left < width:
        span = int(rng.integers(28, 72))
        top = int(height * rng.uniform(0.05, 0.42))
        colour = _pick(
            rng, ((188, 170, 150), (150, 156, 164), (206, 196, 182), (168, 138, 122), (128, 136, 140))
        )
        cv2.rectangle(picture, (left, top), (left + span, height), colour, -1)
        for window_top in range(top + 8, int(height * 0.72), 22):
            for window_left in range(left + 5, left + span - 8, 16):
                dark = tuple(c * 0.72 for c in colour)
                cv2.rectangle(
                    picture, (window_left, window_top), (window_left + 8, window_top + 12), dark, -1
                )
        left += span
    ground = int(height * rng.uniform(0.76, 0.9))
    picture[ground:] = _gradient((height - ground, width), (150, 148, 146), (178, 176, 172))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.2), dtype=np.float32)


def _room(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    import cv2

    height, width = shape
    picture = _gradient(shape, _pick(rng, WALLS), _pick(rng, WALLS))
    floor = int(height * rng.uniform(0.80, 0.9))
    picture[floor:] = _gradient((height - floor, width), (176, 146, 116), (150, 122, 96))
    left = int(rng.integers(0, width - 70))
    cv2.rectangle(picture, (left, 24), (left + 64, 118), (236, 240, 242), -1)
    cv2.rectangle(picture, (left, 24), (left + 64, 118), (142, 120, 100), 4)
    plant = int(rng.choice([18, width - 18]))
    for _ in range(14):
        tip = (int(plant + rng.normal(0, 20)), int(floor - rng.uniform(20, 110)))
        cv2.line(picture, (plant, floor), tip, (86, 122, 84), 3, cv2.LINE_AA)
        cv2.circle(picture, tip, int(rng.integers(4, 10)), (98, 140, 92), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.6), dtype=np.float32)


def _texture(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    picture = _flat(shape, _pick(rng, WALLS))
    picture += (9 * smooth_noise(shape, 3, rng) + 7 * smooth_noise(shape, 24, rng))[..., None]
    if rng.random() < 0.5:
        rows = np.arange(shape[0])[:, None] // 14
        columns = (np.arange(shape[1])[None, :] + 15 * (rows % 2)) % 30
        joints = (np.arange(shape[0])[:, None] % 14 < 2) | (columns < 2)
        picture[joints] *= np.float32(0.88)
    return picture


def _park(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    import cv2

    height, width = shape
    picture = _gradient(shape, (188, 210, 222), (152, 178, 138))
    for _ in range(26):
        centre = (int(rng.integers(0, width)), int(height * rng.uniform(0.1, 0.62)))
        shade = float(rng.uniform(0.75, 1.15))
        cv2.circle(picture, centre, int(rng.integers(14, 42)), (118 * shade, 150 * shade, 104 * shade), -1)
    picture[int(height * 0.8) :] = _flat((height - int(height * 0.8), width), (146, 166, 116))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 4.0), dtype=np.float32)


def background(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Field (h, w, 3) of one of `KINDS`; ValueError for another kind."""
    makers = {"wall": _wall, "street": _street, "room": _room, "texture": _texture, "park": _park}
    if kind not in makers:
        raise ValueError(f"background {kind!r} is unknown; known are {', '.join(KINDS)}")
    return makers[kind](shape, rng)


def landscape(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Hills under a sky: a picture with no garment in it."""
    import cv2

    height, width = shape
    picture = _gradient(shape, (126, 172, 214), (244, 222, 196))
    cv2.circle(picture, (int(rng.integers(30, width - 30)), 60), 18, (255, 240, 205), -1, cv2.LINE_AA)
    for layer in range(3):
        crest = height * (0.5 + 0.15 * layer) + 16 * smooth_noise((1, width), 38, rng)[0]
        below = np.arange(height)[:, None] > crest[None, :]
        picture[below] = np.asarray((112, 148, 150), dtype=np.float32) * np.float32(1.0 - 0.2 * layer)
    return picture


def food(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """A plate and a cup on a table: a picture with no garment in it."""
    import cv2

    height, width = shape
    picture = _flat(shape, _pick(rng, ((188, 150, 112), (226, 218, 206), (120, 98, 82))))
    picture += (6 * smooth_noise(shape, 6, rng))[..., None]
    centre = (width // 2 + int(rng.integers(-20, 20)), height // 2 + int(rng.integers(-30, 30)))
    cv2.circle(picture, centre, 84, (244, 243, 240), -1, cv2.LINE_AA)
    cv2.circle(picture, centre, 66, (230, 228, 224), 2, cv2.LINE_AA)
    for _ in range(16):
        spot = (int(centre[0] + rng.normal(0, 22)), int(centre[1] + rng.normal(0, 22)))
        colour = _pick(rng, ((214, 92, 60), (232, 190, 92), (112, 156, 82), (156, 96, 62)))
        cv2.circle(picture, spot, int(rng.integers(7, 17)), colour, -1, cv2.LINE_AA)
    cv2.circle(picture, (width - 40, 48), 30, (238, 236, 232), -1, cv2.LINE_AA)
    cv2.circle(picture, (width - 40, 48), 22, (112, 76, 52), -1, cv2.LINE_AA)
    return picture
