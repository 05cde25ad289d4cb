"""What ``local:visual`` measures on one picture: named blocks, each a float32 vector of length 1.

Belongs here: pure functions from pixels to numbers, with the constants that shape them. Does not belong here:
the blocks' weights and everything about files and batches (``local_visual``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

#: Side of the square views that shape and texture are measured on.
SIDE: Final = 64
#: Larger pictures are first shrunk to this long side: four times the views' is all that they can show.
_WORKING_SIDE: Final = 256
#: HOG (Dalal and Triggs 2005) with 8 x 8 cells and 9 unsigned bins, in the compact form of Felzenszwalb et
#: al. 2010 (the four block normalisations averaged: 576 numbers, on catalogue pictures as good as the usual
#: 1,764).
_CELL: Final = 8
_BINS: Final = 9
_CLIP: Final = 0.2
#: Added under the root of a block's energy, in grey levels squared: gradients of noise stay small.
_FLOOR: Final = 400.0
#: DCT frequencies kept per axis of the cell grid: 6 of 8 keep the neighbours (purity .892 -> .891) in 56 % of
#: the size.
_FREQUENCIES: Final = 6
#: Blur before gradients, in pixels: gains .006 of neighbour purity, JPEG's blocks vanish.
_BLUR: Final = 1.0
_HUES: Final = 12
_GREYS: Final = 6


@dataclass(frozen=True)
class Views:
    """A picture as the blocks see it; all pixels off the garment are white.

    ``frame`` uint8 (64, 64, 3) is the picture as it was framed, ``tight`` the garment's box stretched to the
    square, both with their masks (64, 64) float32 0-1; ``kept`` and ``kept_mask`` the box with its aspect
    kept. ``height``/``width`` are the box's; ``share`` is the garment's of the whole picture.
    """

    frame: Pixels
    tight: Pixels
    tight_mask: Floats
    kept: Pixels
    kept_mask: Floats
    height: int
    width: int
    share: float


def views_of(pixels: Pixels) -> Views:
    """The views of a uint8 (h, w, 3) RGB or (h, w, 4) RGBA picture; alpha says where the garment is.

    Without alpha, what differs from the border's usual colour is the garment: right for catalogue pictures.
    """
    import cv2

    pixels = _shrink(np.ascontiguousarray(pixels))
    cut_out = pixels.shape[2] == 4
    rgb = np.ascontiguousarray(pixels[:, :, :3])
    mask = (pixels[:, :, 3] > 127).astype(np.uint8) if cut_out else _unlike_border(rgb)
    if not mask.any():
        mask[:] = 1
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    white = np.where(mask[:, :, None] > 0, rgb, np.uint8(255))
    height, width = mask[box].shape
    soft = mask[box].astype(np.float32)
    tight, tight_mask = _resize(white[box], SIDE, SIDE), _resize(soft, SIDE, SIDE)
    kept, kept_mask = _padded(white[box], soft)
    # A crop's frame is its box, which says nothing; its aspect does. A photograph's frame says where and how
    # large.
    frame = kept if cut_out else cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Views(
        frame=np.asarray(frame, dtype=np.uint8),
        tight=tight.astype(np.uint8),
        tight_mask=tight_mask,
        kept=kept,
        kept_mask=kept_mask,
        height=height,
        width=width,
        share=float(mask.mean()),
    )


def _shrink(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    return _resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def _resize(pixels: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    import cv2

    shrinks = pixels.shape[0] > height or pixels.shape[1] > width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method))


def _padded(white: Pixels, soft: Floats) -> tuple[Pixels, Floats]:
    """The box on a white square, its aspect kept, and its mask."""
    height, width = soft.shape
    scale = SIDE / max(height, width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (SIDE - inner[0]) // 2, (SIDE - inner[1]) // 2
    window = (slice(top, top + inner[0]), slice(left, left + inner[1]))
    picture = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    mask = np.zeros((SIDE, SIDE), dtype=np.float32)
    picture[window], mask[window] = _resize(white, *inner), _resize(soft, *inner)
    return picture, mask


#: Distance in Lab from the border's median colour that is at least needed, and in units of the border's
#: spread.
_MIN_UNLIKE: Final = 8.0
_SPREADS: Final = 3.0
#: Parts smaller than this share of all that is unlike are specks, and a speck must not move the garment's
#: box.
_MIN_PART: Final = 0.02


def _unlike_border(rgb: Pixels) -> npt.NDArray[np.uint8]:
    import cv2

    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    rim = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    usual = np.median(rim, axis=0)
    spread = float(np.median(np.abs(rim - usual).max(axis=1)))
    distance = np.sqrt(((lab - usual) ** 2).sum(axis=2))
    unlike = (distance > max(_MIN_UNLIKE, _SPREADS * spread)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unlike, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= _MIN_PART * unlike.sum()
    large[0] = False
    return large[labels].astype(np.uint8)


def _grey(rgb: Pixels) -> Floats:
    import cv2

    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def unit(values: npt.NDArray[Any]) -> Floats:
    """The vector at length 1; zeros stay zeros."""
    flat = np.asarray(values, dtype=np.float32).ravel()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 1e-12 else np.zeros_like(flat)


@lru_cache(maxsize=4)
def _dct_rows(n: int, k: int) -> Floats:
    """The first k rows of the orthonormal DCT-II of length n."""
    rows = np.sqrt(2 / n) * np.cos(np.pi * (2 * np.arange(n)[None, :] + 1) * np.arange(k)[:, None] / (2 * n))
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


def gradients(rgb: Pixels) -> Floats:
    """(324,) HOG of a square view: 8 x 8 cells x 9 bins, square-rooted, as 6 x 6 DCT frequencies per bin."""
    import cv2

    grey = cv2.GaussianBlur(_grey(rgb), (0, 0), _BLUR)
    gx, gy = np.zeros_like(grey), np.zeros_like(grey)
    gx[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    gy[1:-1] = grey[2:] - grey[:-2]
    strength, angle = cv2.cartToPolar(gx, gy)
    at = np.mod(angle, np.pi) * (_BINS / np.pi) - 0.5
    low = np.floor(at)
    part = at - low
    first = low.astype(np.int64) % _BINS
    cells = grey.shape[0] // _CELL
    number = np.arange(grey.shape[0]) // _CELL
    place = (number[:, None] * cells + number[None, :]) * _BINS
    size = cells * cells * _BINS
    histogram = np.bincount((place + first).ravel(), (strength * (1 - part)).ravel(), size)
    histogram += np.bincount((place + (first + 1) % _BINS).ravel(), (strength * part).ravel(), size)
    grid = histogram.reshape(cells, cells, _BINS).astype(np.float32)
    energy = np.pad((grid**2).sum(axis=2), 1, mode="edge")
    block = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
    normal = np.zeros_like(grid)
    for y in (0, 1):
        for x in (0, 1):
            around = block[y : y + cells, x : x + cells, None]
            normal += np.minimum(grid / np.sqrt(around + _FLOOR), _CLIP)
    rows = _dct_rows(cells, _FREQUENCIES)
    # The square root (Hellinger) keeps one strong outline from drowning the rest.
    return np.einsum("ka,abf,lb->klf", rows, np.sqrt(normal / 4), rows).ravel().astype(np.float32)


def texture(rgb: Pixels, mask: Floats) -> Floats:
    """(10,) uniform local binary patterns (Ojala et al. 2002) on the garment, as roots of shares."""
    grey = _grey(rgb)
    centre = grey[1:-1, 1:-1]
    height, width = centre.shape
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    # Two grey levels more than the centre: flat cloth has no pattern, whatever its noise.
    above = np.stack([grey[y : y + height, x : x + width] > centre + 2 for y, x in ring])
    changes = (above != np.roll(above, 1, axis=0)).sum(axis=0)
    code = np.where(changes <= 2, above.sum(axis=0), 9)
    counts = np.bincount(code[mask[1:-1, 1:-1] > 0.5], minlength=10).astype(np.float64)
    return np.sqrt(counts / max(counts.sum(), 1.0)).astype(np.float32)


def colour(rgb: Pixels, mask: Floats) -> Floats:
    """(54,) soft shares of the garment's colours, rooted: 12 hues x 2 saturations x 2 values, and 6 greys.

    Every pixel is spread over neighbouring bins, and over hue and grey by its chroma, so that light and
    compression do not make it jump.
    """
    import cv2

    picked = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[mask > 0.5]
    if len(picked) == 0:
        return np.zeros(_HUES * 4 + _GREYS, dtype=np.float32)
    hue, saturation, value = picked.T
    coloured = np.clip((saturation * value - 0.06) / 0.14, 0, 1)
    at = hue * (_HUES / 360) - 0.5
    low = np.floor(at).astype(np.int64)
    part = at - low
    vivid, bright = np.clip((saturation - 0.25) / 0.4, 0, 1), np.clip((value - 0.35) / 0.4, 0, 1)
    shares = np.zeros(_HUES * 4)
    for bin_, in_bin in ((low % _HUES, 1 - part), ((low + 1) % _HUES, part)):
        for s, in_s in ((0, 1 - vivid), (1, vivid)):
            for v, in_v in ((0, 1 - bright), (1, bright)):
                shares += np.bincount(bin_ * 4 + 2 * s + v, coloured * in_bin * in_s * in_v, _HUES * 4)
    at = np.clip(value * (_GREYS - 1), 0, _GREYS - 1 - 1e-4)
    low = np.floor(at).astype(np.int64)
    part = at - low
    greys = np.bincount(low, (1 - coloured) * (1 - part), _GREYS)
    greys += np.bincount(low + 1, (1 - coloured) * part, _GREYS)
    both = np.concatenate([shares, greys])
    return np.sqrt(both / max(both.sum(), 1e-9)).astype(np.float32)


def layout(rgb: Pixels) -> Floats:
    """(64,) where it is light and dark: the view as 8 x 8 grey averages less their mean."""
    small = _resize(_grey(rgb), 8, 8)
    return (small - small.mean()).astype(np.float32)


def _near(value: float, low: float, high: float, n: int) -> npt.NDArray[np.float64]:
    """A number as its nearness to n evenly spaced points: close numbers share points, far ones none."""
    points = np.linspace(low, high, n)
    width = (high - low) / (n - 1)
    return np.asarray(np.exp(-0.5 * ((np.clip(value, low, high) - points) / width) ** 2))


def proportions(views: Views) -> Floats:
    """(25,) aspect (log) and fill of the box, and share of the picture, each as nearness to points."""
    parts = (
        _near(float(np.log(views.height / views.width)), -1.6, 1.6, 11),
        _near(float(views.tight_mask.mean()), 0.2, 1.0, 7),
        _near(float(np.sqrt(views.share)), 0.1, 1.0, 7),
    )
    return np.concatenate([unit(part) for part in parts]).astype(np.float32)
