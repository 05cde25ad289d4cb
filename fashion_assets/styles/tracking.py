"""Centroids that follow their styles: spherical k-means started from last month's, newer posts first, strays left
out.

Belongs here: weights, reach of a style, the rounds. Does not: which styles there are (`continuation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.centroids import nearest_two
from fashion_assets.styles.living import LivingStyles, PostWindow

MAD_TO_SD = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""

FEW_POSTS = 20
"""Under this many posts a style's own spread is not known well enough, and that of all styles is taken."""


@dataclass(frozen=True)
class Tracked:
    """Rows against k centroids (k, d): nearest `labels` (n,), -1 for rows left out; its distance and the next one's
    (n,); whether the row is `within` the reach of its style (n,); `reach` (k,), a cosine distance.
    """

    centroids: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    distance: npt.NDArray[np.float32]
    second_distance: npt.NDArray[np.float32]
    within: npt.NDArray[np.bool_]
    reach: npt.NDArray[np.float64]


def recency_weights(ages: npt.NDArray[np.integer], half_life: float) -> npt.NDArray[np.float64]:
    """Weight (n,) of a post by its age in months: 1 now, one half after `half_life` months."""
    return np.asarray(0.5 ** (ages / half_life), dtype=np.float64)


def track(
    window: PostWindow,
    weights: npt.NDArray[np.float64],
    styles: LivingStyles,
    *,
    rounds: int,
    spreads: float,
) -> Tracked:
    """The centroids of `styles` after `rounds` of spherical k-means on the window with these weights (n,).

    A row further from its centroid than `spreads` robust standard deviations over the style's median does not move it;
    one of weight 0, or older than its style goes back, belongs to no style. A centroid without rows stays where it is.
    """
    centroids = styles.centroids
    for _ in range(rounds):
        found = _measured(window, weights, styles, centroids, spreads)
        moved = weighted_centroids(window.unit, np.where(found.within, found.labels, -1), weights, centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return _measured(window, weights, styles, centroids, spreads)


def weighted_centroids(
    unit: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    otherwise: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Unit weighted means (k, d) of the rows of each label 0..k-1; the row of `otherwise` (k, d) where there are
    none.
    """
    sums = np.zeros(otherwise.shape, dtype=np.float64)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(len(otherwise) + 1))
    for style in range(len(otherwise)):
        rows = order[bounds[style] : bounds[style + 1]]
        sums[style] = weights[rows] @ unit[rows].astype(np.float64)
    means = unit_rows(sums)
    return np.where(means.any(axis=1, keepdims=True), means, otherwise).astype(np.float32)


def _measured(
    window: PostWindow,
    weights: npt.NDArray[np.float64],
    styles: LivingStyles,
    centroids: npt.NDArray[np.float32],
    spreads: float,
) -> Tracked:
    nearest = nearest_two(window.unit, centroids)
    max_ages = np.append(
        np.asarray(styles.max_ages, dtype=np.int64), -1
    )  # index -1, no centroid, reads the last
    belongs = (weights > 0) & (window.ages <= max_ages[nearest.first])
    labels = np.where(belongs, nearest.first, -1).astype(np.int32)
    reach = _reach(nearest.distance, labels, len(centroids), spreads)
    within = belongs & (nearest.distance <= reach[labels])
    return Tracked(centroids, labels, nearest.distance, nearest.second_distance, within, reach)


def _reach(
    distance: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], k: int, spreads: float
) -> npt.NDArray[np.float64]:
    """Per style the median distance of its rows and `spreads` robust standard deviations more, (k,)."""
    medians, deviations = np.full(k, np.nan), np.full(k, np.nan)
    for style in range(k):
        own = distance[labels == style]
        if len(own) >= FEW_POSTS:
            medians[style] = np.median(own)
            deviations[style] = MAD_TO_SD * np.median(np.abs(own - medians[style]))
    if np.isnan(medians).all():
        own = distance[labels >= 0]
        middle = float(np.median(own)) if len(own) else 0.0
        spread = MAD_TO_SD * float(np.median(np.abs(own - middle))) if len(own) else 0.0
        return np.full(k, middle + spreads * spread)
    medians = np.where(np.isnan(medians), np.nanmedian(medians), medians)
    deviations = np.where(np.isnan(deviations), np.nanmedian(deviations), deviations)
    return np.asarray(medians + spreads * deviations)
