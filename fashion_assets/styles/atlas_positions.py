"""Where each post stands on a two-dimensional map of all months."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import has_direction

#: A map of more points than this is drawn from an even, seeded sample: a browser's canvas stays quick.
MAX_POINTS = 20_000

#: UMAP needs more rows than neighbours; below this the two leading principal components are drawn.
_MIN_UMAP_ROWS = 20


def sample_rows(count: int, seed: int, limit: int = MAX_POINTS) -> npt.NDArray[np.intp]:
    """The sorted indices of at most ``limit`` of ``count`` rows, the same for the same seed."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def map_positions(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    """(n, 2) positions by cosine UMAP (McInnes et al. 2018), scaled to [0, 1]; by PCA for a handful of rows.

    NaN for a row of no direction: it is at cosine distance 1 from every other, so any place would say that it is like
    the posts around it.
    """
    directed = has_direction(vectors)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    places[directed] = _positions(vectors[directed], seed)
    return places


def _positions(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    if len(vectors) < _MIN_UMAP_ROWS:
        centred = vectors - vectors.mean(axis=0) if len(vectors) else vectors
        left, scale, _ = np.linalg.svd(centred, full_matrices=False)
        flat = (left * scale)[:, :2]
        positions = np.zeros((len(vectors), 2), np.float32)
        positions[:, : flat.shape[1]] = flat
    else:
        import umap

        neighbours = min(15, len(vectors) - 1)
        positions = umap.UMAP(
            n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1
        ).fit_transform(vectors)
    low, high = positions.min(axis=0, initial=0.0), positions.max(axis=0, initial=0.0)
    return ((positions - low) / np.where(high > low, high - low, 1.0)).astype(np.float32)
