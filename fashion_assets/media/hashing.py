"""Near-duplicate pictures: perceptual hashes, and groups of pictures that show the same.

A 64-bit hash alone merges what must stay apart: two garments of one cut on plain backgrounds differ in few of the
low frequencies that it keeps. So every pair that the hash proposes is confirmed by the pictures' thumbprints.
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

#: Coefficients below this share of the largest kept one count as 0: the rounding of 8-bit pixels, not the picture.
_NOISE_SHARE: Final = 1e-3

#: Bits in which the hashes of two copies may differ. On catalogue pictures and drawn ones, copies re-sent at half
#: the size and JPEG quality 60 stay within 6 in 99.9 % of cases (benchmarks/near_duplicates.py).
MAX_DISTANCE: Final = 8

#: Side of a thumbprint: fine enough that stripes and dots of a small drawn garment differ, and 576 characters long.
THUMB_SIDE: Final = 12

#: Smallest cosine between the thumbprints of two copies (same script: copies .995 and more, different garments of one
#: cut below .98 in all but a handful of pairs).
MIN_COSINE: Final = 0.985

#: A picture whose thumbprint varies by less than this (standard deviation in grey levels) shows nothing to compare.
_MIN_CONTRAST: Final = 2.0

#: Pairs looked at in one step; 4 million pairs of 8 bytes stay in a core's cache and below 100 MB with their masks.
_PAIRS_A_STEP: Final = 4_000_000


@lru_cache(maxsize=1)
def _dct_rows() -> npt.NDArray[np.float64]:
    """Rows 1..8 of the orthonormal DCT-II of length 32, (8, 32): without the mean, which is only brightness."""
    k = np.arange(1, _KEPT + 1)[:, None]
    n = np.arange(_GREY_SIDE)[None, :]
    return np.asarray(np.sqrt(2 / _GREY_SIDE) * np.cos(np.pi * (2 * n + 1) * k / (2 * _GREY_SIDE)))


def perceptual_hash(rgb: Pixels) -> str:
    """64 bits as 16 hex digits: which of the 8 x 8 lowest DCT frequencies of the grey picture lie above their median.

    Equal for equal pixels; close for re-compressed or resized copies. ``0000000000000000`` for a plain picture.
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_GREY_SIDE, _GREY_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    rows = _dct_rows()
    low = rows @ small @ rows.T
    low[np.abs(low) <= max(_NOISE_SHARE * np.abs(low).max(), 1e-6)] = 0.0
    bits = (low > np.median(low)).ravel()
    return np.packbits(bits).tobytes().hex()


def hamming(first: str, second: str) -> int:
    """The number of bits (0 to 64) in which two hashes of 16 hex digits differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def thumbprint(rgb: Pixels) -> str:
    """The picture as 12 x 12 RGB averages, base64 (576 characters): what a pair's confirmation looks at."""
    import cv2

    small = cv2.resize(np.ascontiguousarray(rgb), (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
    return base64.b64encode(np.asarray(small, dtype=np.uint8).tobytes()).decode("ascii")


def thumbprint_vectors(thumbprints: Sequence[str]) -> Floats:
    """(n, 432) float32 unit rows: each thumbprint less its mean colour. All-zero for a plain picture.

    The mean is taken off per channel, because what most pictures share is a light ground; a garment in another
    colour still points elsewhere.
    """
    raw = b"".join(base64.b64decode(text) for text in thumbprints)
    cells = np.frombuffer(raw, dtype=np.uint8).reshape(len(thumbprints), THUMB_SIDE * THUMB_SIDE, 3).astype(np.float32)
    cells -= cells.mean(axis=1, keepdims=True)
    flat = cells.reshape(len(thumbprints), THUMB_SIDE * THUMB_SIDE * 3)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    plain = lengths < _MIN_CONTRAST * np.sqrt(flat.shape[1])
    return np.where(plain, np.float32(0), flat / np.maximum(lengths, 1e-9)).astype(np.float32)


def group_near_duplicates(
    phashes: Sequence[str],
    max_distance: int = MAX_DISTANCE,
    *,
    confirm: npt.NDArray[np.floating[Any]] | None = None,
    min_cosine: float = MIN_COSINE,
) -> npt.NDArray[np.int64]:
    """(n,) the index of the first member of each picture's group; a picture alone is its own group.

    Two pictures are joined if their hashes differ in at most ``max_distance`` bits and, where ``confirm`` (n, d)
    of unit rows is given (``thumbprint_vectors`` or an encoder's vectors), the cosine of their rows is at least
    ``min_cosine``. Groups are the connected components of these pairs; every pair is looked at (in blocks, with
    the processor's popcount: 0.1 s for 10,000 pictures).
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
