"""Fabric: coloured fields for the patterns of the sample's garments.

Belongs here: pattern name -> pixels. Every field is made at picture size, in body units, and cut out by
a mask later.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Colours = npt.NDArray[np.float32]
"""Rows main, second, accent; RGB 0-255."""

PATTERNS: Final = (
    "plain",
    "stripes",
    "pinstripes",
    "side_stripe",
    "plaid",
    "gingham",
    "houndstooth",
    "argyle",
    "dots",
    "floral",
    "brocade",
    "leopard",
    "camo",
    "blocks",
    "ribs",
    "cables",
)


def _fraction(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Values modulo 1, several times faster than the % of numpy."""
    fraction: npt.NDArray[np.floating[Any]] = values - np.floor(values)
    return fraction


def _spots(x: Field, y: Field, period: float, radius: float) -> npt.NDArray[np.bool_]:
    row = np.floor(y / period)
    u = _fraction(x / period + _fraction(0.5 * row)) - 0.5
    v = _fraction(y / period) - 0.5
    inside: npt.NDArray[np.bool_] = (u * u + v * v) < (radius / period) ** 2
    return inside


def _blobs(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> Field:
    """Smooth noise in [0, 1] with blobs of about `cell` pixels."""
    import cv2

    small = rng.random((max(3, int(shape[0] / cell)), max(3, int(shape[1] / cell))), dtype=np.float32)
    return np.asarray(
        cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )


def paint(
    pattern: str, x: Field, y: Field, colours: Colours, height: float, rng: np.random.Generator
) -> Field:
    """RGB field (h, w, 3) float32 of a fabric; ValueError for an unknown pattern.

    `x`, `y` are body coordinates per pixel (h, w), `height` is the body height in pixels.
    """
    main, second, accent = colours
    scale = float(rng.uniform(0.85, 1.25))
    if pattern == "plain":
        index = np.zeros(x.shape, dtype=np.intp)
    elif pattern in ("stripes", "pinstripes"):
        period = (0.055 if pattern == "stripes" else 0.022) * scale
        along = y if pattern == "stripes" else x
        index = (_fraction(along / period) < (0.45 if pattern == "stripes" else 0.15)).astype(np.intp)
    elif pattern == "side_stripe":
        index = (((np.abs(x) > 0.075) & (np.abs(x) < 0.09)) | (np.abs(y - 0.30) < 0.012)).astype(np.intp) * 2
    elif pattern in ("plaid", "gingham"):
        return _plaid(x, y, colours, (0.06 if pattern == "plaid" else 0.028) * scale, pattern == "plaid")
    elif pattern == "houndstooth":
        period = 0.026 * scale
        index = ((_fraction((x + y) / period) < 0.5) ^ (_fraction((x - y) / period) < 0.5)).astype(np.intp)
    elif pattern == "argyle":
        period = 0.075 * scale
        u, v = (x + 0.6 * y) / period, (x - 0.6 * y) / period
        index = (_fraction(0.5 * (np.floor(u) + np.floor(v))) == 0).astype(np.intp)
        index[(np.abs(_fraction(u) - 0.5) < 0.05) | (np.abs(_fraction(v) - 0.5) < 0.05)] = 2
    elif pattern == "dots":
        index = _spots(x, y, 0.042 * scale, 0.012 * scale).astype(np.intp)
    elif pattern in ("floral", "brocade"):
        period = (0.06 if pattern == "floral" else 0.085) * scale
        warp = np.float32(0.4 * period) * (_blobs(x.shape, 0.08 * height, rng) - np.float32(0.5))
        index = _spots(x + warp, y + warp, period, 0.3 * period).astype(np.intp)
        index[_spots(x + warp, y + warp, period, 0.12 * period)] = 2
        shift = np.float32(period) * np.asarray((0.35, 0.25), dtype=np.float32)
        leaves = _spots(x + warp + shift[0], y + warp + shift[1], period, 0.13 * period)
        index[leaves] = 2 if pattern == "floral" else 1
    elif pattern == "leopard":
        noise = _blobs(x.shape, 0.024 * height, rng)
        main = np.asarray((198, 148, 88), dtype=np.float32)
        second = np.asarray((52, 36, 24), dtype=np.float32)
        index = (np.abs(noise - 0.5) < 0.13).astype(np.intp)
    elif pattern == "camo":
        noise = _blobs(x.shape, 0.05 * height, rng)
        index = np.digitize(noise, (0.42, 0.68)).astype(np.intp)
    elif pattern == "blocks":
        cut = 0.30 + float(rng.uniform(-0.03, 0.03))
        index = (y > cut).astype(np.intp)
        index[np.abs(y - cut) < 0.014] = 2
    elif pattern in ("ribs", "cables"):
        return _knitted(pattern, x, y, main, scale)
    else:
        raise ValueError(f"pattern {pattern!r} is unknown; known are {', '.join(PATTERNS)}")
    return np.stack([main, second, accent])[index]


def _plaid(x: Field, y: Field, colours: Colours, period: float, overcheck: bool) -> Field:
    u, v = _fraction(x / period), _fraction(y / period)
    across = (u < 0.5).astype(np.float32)
    down = (v < 0.5).astype(np.float32)
    weight = (0.5 * (across + down))[..., None]
    field: Field = (colours[0] * (1 - weight) + colours[1] * weight).astype(np.float32)
    if overcheck:
        lines = (np.abs(u - 0.75) < 0.06) | (np.abs(v - 0.75) < 0.06)
        field[lines] = colours[2]
    return field


def _knitted(pattern: str, x: Field, y: Field, main: Field, scale: float) -> Field:
    wave = np.sin(2 * np.pi * x / (0.026 * scale))
    if pattern == "cables":
        wave = np.sin(2 * np.pi * (x + 0.008 * np.sin(2 * np.pi * y / 0.05)) / (0.036 * scale)) * (
            0.7 + 0.3 * np.cos(2 * np.pi * y / 0.05)
        )
    light = (1.0 + 0.13 * wave).astype(np.float32)[..., None]
    field: Field = np.clip(main * light, 0, 255).astype(np.float32)
    return field
