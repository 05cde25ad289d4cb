"""Near-duplicate pictures: perceptual hashes, and groups of pictures that show the same.

A 64-bit hash alone merges what must stay apart: two garments of one cut on plain backgrounds differ in few of
the low frequencies that it keeps. So every pair that the hash proposes is confirmed by the pictures'
thumbprints.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: Sides of the grey copy and of the kept corner of its DCT (the widespread "pHash" choice, 64 bits).
_GREY_SIDE: Final = 32
_KEPT: Final = 8

#: Coefficients below this share of the largest kept one count as 0. Symmetric garments on plain grounds have
#: half of them near 0, where noise flips the bits: at .001 a drawn copy is up to 22 bits away, at .02 up to
#: 4, and on catalogue pictures 2 % also joins the fewest different ones. The floor, in grey levels, is the
#: rounding of pixels.
_NOISE_SHARE: Final = 0.02
_NOISE_FLOOR: Final = 2.0

#: Bits in which the hashes of two copies may differ: 99 % of copies that were cut by up to 3 pixels a side,
#: resized and saved again at JPEG quality 60 to 78 stay within (benchmarks/near_duplicates.py).
MAX_DISTANCE: Final = 8

#: Smallest cosine between the thumbprints of two copies. The same copies reach .988 in 99 % of cases. Of
#: 2,000 different catalogue pictures the hash alone merges 1,093 into others, .985 merges 29: dark wallets
#: and shoes of one form.
MIN_COSINE: Final = 0.985

#: Cells per side of a thumbprint, and the side of the copy whose edges are measured: 8 pixels to a cell see
#: stripes.
_THUMB_CELLS: Final = 12
_EDGE_SIDE: Final = 96
#: Edges are stored times this, as bytes: their average in a cell seldom passes 32 grey levels.
_EDGE_SCALE: Final = 8.0
#: Colour differences count this many times as much as light, or on white ground all garments of one cut look
#: alike.
_CHROMA_WEIGHT: Final = 3.0
_LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601

#: A picture whose thumbprint's colours vary by less than this (root mean square, grey levels) shows nothing
#: to compare.
_MIN_CONTRAST: Final = 2.0

#: Pairs looked at in one step; 4 million pairs of 8 bytes stay in a core's cache and below 100 MB with their
#: masks.
_PAIRS_A_STEP: Final = 4_000_000


@lru_cache(maxsize=1)
def _dct_rows() -> npt.NDArray[np.float64]:
    """Rows 1..8 of the orthonormal DCT-II of length 32, (8, 32): without the mean, which is brightness."""
    k = np.arange(1, _KEPT + 1)[:, None]
    n = np.arange(_GREY_SIDE)[None, :]
    return np.asarray(np.sqrt(2 / _GREY_SIDE) * np.cos(np.pi * (2 * n + 1) * k / (2 * _GREY_SIDE)))


def perceptual_hash(rgb: Pixels) -> str:
    """64 bits as 16 hex digits: which of the 8 x 8 lowest DCT frequencies of the grey picture lie above their
    median.

    Equal for equal pixels; close for re-compressed or resized copies. ``0000000000000000`` for a plain
    picture.
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_GREY_SIDE, _GREY_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    rows = _dct_rows()
    low = rows @ small @ rows.T
    low[np.abs(low) <= max(_NOISE_SHARE * np.abs(low).max(), _NOISE_FLOOR)] = 0.0
    bits = (low > np.median(low)).ravel()
    return np.packbits(bits).tobytes().hex()


def hamming(first: str, second: str) -> int:
    """The number of bits (0 to 64) in which two hashes of 16 hex digits differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def thumbprint(rgb: Pixels) -> str:
    """What confirms a pair: 12 x 12 mean colours and edge strengths (across, down), 720 bytes in base64."""
    import cv2

    rgb = np.ascontiguousarray(rgb)
    cells = (_THUMB_CELLS, _THUMB_CELLS)
    colours = cv2.resize(rgb, cells, interpolation=cv2.INTER_AREA)
    shrinks = min(rgb.shape[:2]) >= _EDGE_SIDE
    copy = cv2.resize(
        rgb, (_EDGE_SIDE, _EDGE_SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    # The blur takes out what JPEG adds.
    grey = cv2.GaussianBlur(cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8)
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    edges = cv2.resize(np.dstack([across, down]), cells, interpolation=cv2.INTER_AREA) * _EDGE_SCALE
    both = np.concatenate([np.asarray(colours), np.clip(np.rint(edges), 0, 255)], axis=2).astype(np.uint8)
    return base64.b64encode(both.tobytes()).decode("ascii")


def thumbprint_vectors(thumbprints: Sequence[str]) -> Floats:
    """(n, 720) float32 unit rows: half colours less their mean, half edges. All-zero for a plain picture.

    The mean colour is taken off, because what most pictures share is a light ground; the edges tell stripes
    from checks and plain cloth where a cell's average colour is the same.
    """
    n, cells = len(thumbprints), _THUMB_CELLS * _THUMB_CELLS
    if n == 0:
        return np.empty((0, 5 * cells), dtype=np.float32)
    raw = b"".join(base64.b64decode(text) for text in thumbprints)
    values = np.frombuffer(raw, dtype=np.uint8).reshape(n, cells, 5).astype(np.float32)
    rgb, edges = values[:, :, :3], np.sqrt(values[:, :, 3:])
    luma = rgb @ np.array(_LUMA, dtype=np.float32)
    chroma = _CHROMA_WEIGHT * (rgb[:, :, (0, 2)] - luma[:, :, None])
    colours = np.concatenate([luma[:, :, None], chroma], axis=2)
    colours -= colours.mean(axis=1, keepdims=True)
    plain = np.sqrt((colours**2).sum(axis=2).mean(axis=1)) < _MIN_CONTRAST
    halves = np.concatenate([_unit_rows(colours.reshape(n, -1)), _unit_rows(edges.reshape(n, -1))], axis=1)
    halves[plain] = 0
    return np.asarray(halves / np.sqrt(2), dtype=np.float32)


def _unit_rows(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def group_near_duplicates(
    phashes: Sequence[str],
    max_distance: int = MAX_DISTANCE,
    *,
    confirm: npt.NDArray[np.floating[Any]] | None = None,
    min_cosine: float = MIN_COSINE,
) -> npt.NDArray[np.int64]:
    """(n,) the index of the first member of each picture's group; a picture alone is its own group.

    Two pictures are joined if their hashes differ in at most ``max_distance`` bits and, where ``confirm`` (n,
    d) of unit rows is given (``thumbprint_vectors`` or an encoder's vectors), the cosine of their rows is at
    least ``min_cosine``. Groups are the connected components of these pairs; every pair is looked at (in
    blocks, with the processor's popcount: 0.1 s for 10,000 pictures).
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(phashes)
    if confirm is not None and len(confirm) != n:
        raise ValueError(f"confirm has {len(confirm)} rows for {n} hashes; expected one row for each")
    if n == 0:
        return np.empty(0, dtype=np.int64)
    codes = np.array([int(text, 16) for text in phashes], dtype=np.uint64)
    rows = None if confirm is None else np.asarray(confirm, dtype=np.float32)
    first, second = _close_pairs(codes, max_distance, rows, min_cosine)
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    _, leaders, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(leaders[inverse], dtype=np.int64)


def _close_pairs(
    codes: npt.NDArray[np.uint64], max_distance: int, rows: Floats | None, min_cosine: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The confirmed pairs (i, j), i < j, as two index arrays."""
    n = len(codes)
    step = max(1, _PAIRS_A_STEP // n)
    firsts, seconds = [], []
    for start in range(0, n, step):
        block = codes[start : start + step]
        close = np.bitwise_count(block[:, None] ^ codes[None, start:]) <= max_distance
        i, j = np.nonzero(close)
        ahead = i < j  # both count from ``start``: this is the upper triangle
        i, j = i[ahead] + start, j[ahead] + start
        if rows is not None and len(i):
            alike = _cosines(rows, i, j) >= min_cosine
            i, j = i[alike], j[alike]
        firsts.append(i)
        seconds.append(j)
    return np.concatenate(firsts).astype(np.int64), np.concatenate(seconds).astype(np.int64)


def _cosines(rows: Floats, i: npt.NDArray[np.intp], j: npt.NDArray[np.intp]) -> Floats:
    out = np.empty(len(i), dtype=np.float32)
    step = max(1, _PAIRS_A_STEP // rows.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        out[part] = np.einsum("nd,nd->n", rows[i[part]], rows[j[part]])
    return out
