"""Where k-means starts: greedy k-means++ on a sample, and centroids moved from where they serve few rows.

Belongs here: choosing starting centroids. Does not: rounds (`kmeans_round.py`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.kmeans_round import Round, Rounds
from fashion_assets.styles.kmeans_rows import FloatRows, squared_lengths

POWER_STEPS = 4
"""Power iterations for a cluster's main axis; it only has to be a good direction to cut in."""

MAX_SPLIT_ROWS = 512
"""Rows of a cluster that its main axis is taken from."""


OUTLYING = 3.0
"""Rows with this many times the median squared distance do not vote on a cluster's cut: one outlier would be
a half of its own."""


def plus_plus(x: FloatRows, k: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """k rows of `x` (n, d) by greedy k-means++, (k, d): each the best of 2 + ln k rows drawn by their squared
    distance to the rows chosen so far (Arthur & Vassilvitskii 2007, section 5; as in scikit-learn).
    """
    n, trials = len(x), 2 + int(math.log(k))
    lengths = squared_lengths(x)
    chosen = [int(generator.integers(n))]
    nearest = np.maximum(lengths + lengths[chosen[0]] - 2.0 * (x @ x[chosen[0]]), 0.0)
    for _ in range(1, k):
        mass = np.cumsum(nearest, dtype=np.float64)
        drawn = np.searchsorted(mass, generator.random(trials) * mass[-1]).clip(0, n - 1)
        distances = x @ np.ascontiguousarray(-2.0 * x[drawn].T)
        distances += lengths[:, None]
        distances += lengths[drawn]
        np.clip(distances, 0.0, nearest[:, None], out=distances)
        best = int(distances.sum(axis=0, dtype=np.float64).argmin())
        chosen.append(int(drawn[best]))
        nearest = distances[:, best].copy()
    return x[chosen].astype(np.float64)


def relocated(
    x: FloatRows, unseen: int, done: Round, centroids: npt.NDArray[np.float64], rounds: Rounds
) -> tuple[npt.NDArray[np.float64], int]:
    """The centroids (k, d) with the useless ones moved into clusters that gain by a cut, and how many moved.

    What a centroid is worth is how much farther its rows lie from the next one (its utility; Fritzke 2020,
    "The breathing k-means algorithm", section 3), counted on the rows of `x` from `unseen` on: an outlier
    that drew a centroid to itself saves its whole distance among the rows that were fitted and nothing among
    others. A cut is worth what two halves along the cluster's main axis save. Neither of a moved centroid's
    neighbours is moved or cut as well. `done` is the round of `x` with `centroids`.
    """
    k = len(centroids)
    worth, neighbour = _utilities(x, unseen, done.labels, centroids, rounds)
    members = np.split(np.argsort(done.labels, kind="stable"), np.cumsum(done.counts)[:-1])
    cuts = [_halves(x[rows[:MAX_SPLIT_ROWS]]) for rows in members]
    gains = np.array([cut[0] for cut in cuts]) * done.counts
    held = np.zeros(k, dtype=bool)
    moved = centroids.copy()
    n_moved = 0
    richest = iter(np.argsort(-gains, kind="stable"))
    target = next(richest)
    for poor in np.argsort(worth, kind="stable"):
        if held[poor]:
            continue
        held[poor] = True
        while held[target]:
            following = next(richest, None)
            if following is None:
                return moved, n_moved
            target = following
        if gains[target] <= worth[poor]:
            break
        held[[target, neighbour[poor]]] = True
        _, moved[poor], moved[target] = cuts[target]
        n_moved += 1
    if rounds.spherical:
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return moved, n_moved


def _utilities(
    x: FloatRows,
    unseen: int,
    labels: npt.NDArray[np.int32],
    centroids: npt.NDArray[np.float64],
    rounds: Rounds,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """What each centroid saves (k,) on the rows from `unseen` on, as if on all, and its nearest centroid."""
    weights = np.ascontiguousarray(-2.0 * centroids.T, dtype=np.float32)
    squares = np.einsum("ij,ij->i", centroids, centroids)
    offsets = squares.astype(np.float32)
    rows, own = x[unseen:], labels[unseen:]

    def saved(part: slice) -> npt.NDArray[np.float32]:
        scores = rows[part] @ weights
        scores += offsets
        index = np.arange(len(scores))
        first = scores[index, own[part]].copy()
        scores[index, own[part]] = np.inf
        return np.asarray(scores.min(axis=1) - first)

    savings = np.concatenate(list(rounds.map_blocks(saved, len(rows))))
    between = squares[:, None] + squares - 2.0 * centroids @ centroids.T
    np.fill_diagonal(between, np.inf)
    worth = np.bincount(own, weights=savings, minlength=len(centroids)).astype(np.float64)
    return worth * (len(x) / len(rows)), np.asarray(between.argmin(axis=1))


def _halves(rows: FloatRows) -> tuple[float, FloatRows, FloatRows]:
    """What cutting a cluster across its main axis saves per row, and the means of the two halves."""
    if not len(rows):
        nowhere = np.zeros(rows.shape[1], np.float32)
        return 0.0, nowhere, nowhere
    lengths = squared_lengths(rows - rows.mean(axis=0))
    rows = rows[lengths <= OUTLYING * np.median(lengths)]
    mean = rows.mean(axis=0)
    centred = rows - mean
    axis = centred[int(squared_lengths(centred).argmax())]
    for _ in range(POWER_STEPS):
        axis = centred.T @ (centred @ axis)
        axis /= max(float(np.linalg.norm(axis)), float(np.finfo(np.float32).tiny))
    upper = centred @ axis > 0
    n_upper = int(upper.sum())
    if n_upper in (0, len(rows)):
        return 0.0, mean, mean
    high, low = rows[upper].mean(axis=0), rows[~upper].mean(axis=0)
    share = n_upper / len(rows)
    return share * (1.0 - share) * float(((high - low) ** 2).sum()), high, low
