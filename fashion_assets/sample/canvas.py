"""A picture in the making: body coordinates, painting with masks and light, and the camera at the end.

Belongs here: everything that figures (`drawing`) and products (`product_drawing`) are painted with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fashion_assets.sample import backgrounds, garments, patterns

Image = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """Where and how the figure stands; `height`, `centre` in pixels, angle in radians, arms in body units."""

    height: float
    centre: Pair
    angle: float
    elbows: tuple[Pair, Pair]
    hands: tuple[Pair, Pair]
    stride: float

    def to_pixels(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Body coordinates (n, 2) as pixel coordinates (n, 2), x first."""
        x, y = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - (0.0, 0.5)).T * self.height
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.column_stack([self.centre[0] + cos * x - sin * y, self.centre[1] + sin * x + cos * y])

    def grid(self, shape: tuple[int, int]) -> tuple[Field, Field]:
        """Body coordinates of every pixel: x and y, each (h, w)."""
        rows = (np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(self.centre[1])) / np.float32(
            self.height
        )
        columns = (np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(self.centre[0])) / np.float32(
            self.height
        )
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return cos * columns + sin * rows, -sin * columns + cos * rows + np.float32(0.5)


class Canvas:
    """A picture in the making: `field` (h, w, 3), the garment mask, and the light that falls on cloth."""

    def __init__(self, field: Field, pose: Pose, rng: np.random.Generator) -> None:
        self.field = field
        self.shape = (field.shape[0], field.shape[1])
        self.pose = pose
        self.rng = rng
        self.x, self.y = pose.grid(self.shape)
        self.garment: Mask = np.zeros(self.shape, dtype=np.uint8)
        folds = backgrounds.smooth_noise(self.shape, max(4, int(0.06 * pose.height)), rng)
        self.light: Field = 1.02 - 1.6 * self.x * self.x - 0.35 * np.abs(self.x) + 0.045 * folds

    def _mask(self, points: npt.ArrayLike, thickness: float | None = None) -> Mask:
        import cv2

        mask = np.zeros(self.shape, dtype=np.uint8)
        pixels = np.round(self.pose.to_pixels(points) * 16).astype(np.int32)[:, None, :]
        if thickness is None:
            cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, 4)
        else:
            width = max(1, round(thickness * self.pose.height))
            cv2.polylines(mask, [pixels], False, 255, width, cv2.LINE_AA, 4)
        return mask

    def _blend(self, mask: Mask, colour: Field, lit: bool) -> None:
        import cv2

        left, top, width, height = cv2.boundingRect(mask)
        if width == 0 or height == 0:
            return
        window = (slice(top, top + height), slice(left, left + width))
        alpha = mask[window].astype(np.float32)[..., None] / 255.0
        paint = colour[window] if colour.ndim == 3 else colour
        if lit:
            paint = paint * self.light[window][..., None]
        self.field[window] += alpha * (paint - self.field[window])

    def shape_of(
        self, points: npt.ArrayLike, colour: Field, *, width: float | None = None, cloth: bool = False
    ) -> Mask:
        """Paints an outline, or a line of `width` body units; `cloth` counts as garment and takes light."""
        mask = self._mask(points, width)
        self._blend(mask, colour, cloth)
        if cloth:
            np.maximum(self.garment, mask, out=self.garment)
        return mask

    def ellipse(self, centre: Pair, radii: Pair, colour: Field, cloth: bool = False) -> None:
        """Paints an ellipse given in body units."""
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        outline = np.column_stack([centre[0] + radii[0] * np.cos(turn), centre[1] + radii[1] * np.sin(turn)])
        self.shape_of(outline, colour, cloth=cloth)

    def fabric(self, pattern: str, colours: Field) -> Field:
        """The pattern over the whole canvas, in body units."""
        return patterns.paint(pattern, self.x, self.y, colours, self.pose.height, self.rng)

    def garment_pieces(self, cut: str, fabric: Field, seam: Field) -> None:
        """Paints a cut with its pleats, pockets and seams."""
        width, length = float(self.rng.normal(1.0, 0.035)), float(self.rng.normal(1.0, 0.025))
        if cut in garments.PLEATED:
            pleats = 1.0 + 0.09 * np.sin(self.x / (0.35 + 0.65 * np.maximum(self.y, 0.3)) * 190).astype(
                np.float32
            )
            fabric = np.where((self.y > 0.38)[..., None], fabric * pleats[..., None], fabric)
        for piece in garments.pieces_of(cut, width, length):
            self.shape_of(piece, fabric, cloth=True)
            self.shape_of(np.concatenate([piece, piece[:1]]), seam, width=0.004)


def jittered_colour(rgb: tuple[int, int, int], rng: np.random.Generator, spread: float = 6.0) -> Field:
    jitter = np.asarray(rgb, dtype=np.float32) + rng.normal(0, spread, 3).astype(np.float32)
    clipped: Field = np.clip(jitter, 0, 255).astype(np.float32)
    return clipped


def palette_colours(palette: tuple[str, str, str], rng: np.random.Generator, spread: float = 7.0) -> Field:
    """Rows main, second, accent (3, 3) of RGB floats, a little off the palette's hex colours."""
    rgb = np.asarray([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in palette], dtype=np.float32)
    jittered: Field = np.clip(rgb + rng.normal(0, spread, (3, 3)), 0, 255).astype(np.float32)
    return jittered


@lru_cache(maxsize=1)
def _sensor_noise() -> Field:
    """Unit noise that all pictures take a window of: drawing it anew would be a tenth of the work."""
    return np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)


def finish(field: Field, rng: np.random.Generator) -> Image:
    """8-bit pixels after light, colour temperature, vignette and sensor noise."""
    height, width = field.shape[:2]
    warm = rng.normal(0, 0.02)
    gain = rng.uniform(0.9, 1.08) * np.asarray((1 + warm, 1.0, 1 - warm), dtype=np.float32)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1.0 - np.float32(rng.uniform(0.0, 0.16)) * (rows * rows + columns * columns) / 2
    top, left = int(rng.integers(512 - height)), int(rng.integers(512 - width))
    noise = _sensor_noise()[top : top + height, left : left + width] * np.float32(rng.uniform(1.0, 2.6))
    lit = field * vignette[..., None]
    lit *= gain.astype(np.float32)
    lit += noise[..., None]
    pixels: Image = np.clip(lit, 0, 255, out=lit).astype(np.uint8)
    return pixels
