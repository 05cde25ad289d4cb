"""Posts that no style reaches, and whether some of them are a style of their own.

Belongs here: finding compact groups among the residuals. Does not: what the group is called or came from
(`continuation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.valley import unit_mean

MAX_RESIDUALS = 4_000
"""Residuals that are compared pair by pair: 64 MB of float32; of more a sample is searched."""

MAX_SEEDS = 12
"""Groups that are tried: each try takes its posts out, so a stray seed costs little."""

GROUP_ROUNDS = 10
"""Rounds of mean and members until the group stands; it mostly does after three."""


@dataclass(frozen=True)
class Group:
    """Rows of a group among the recent posts, its direction (d,), and its separation.

    `separation`: the mean over its posts of (b - a) / max(a, b), with a the cosine distance to the mean of the *other*
    posts of the group and b that to the nearest style: a silhouette that a post cannot improve by itself.
    """

    rows: npt.NDArray[np.intp]
    centroid: npt.NDArray[np.float32]
    separation: float


def find_groups(
    unit: npt.NDArray[np.float32],
    distance: npt.NDArray[np.float32],
    residual: npt.NDArray[np.bool_],
    *,
    reach: float,
    min_posts: int,
    seed: int,
) -> list[Group]:
    """Groups of at least `min_posts` unit rows (n, d) around residuals, the densest first.

    `distance` (n,) is the cosine distance to the nearest style, `residual` (n,) whether no style reaches the row. A
    group takes the rows within `reach` of its mean that are nearer to it than to any style, residual or not.
    """
    candidates = np.flatnonzero(residual)
    if len(candidates) > MAX_RESIDUALS:
        generator = np.random.default_rng(seed)
        candidates = np.sort(generator.choice(candidates, MAX_RESIDUALS, replace=False))
    groups: list[Group] = []
    free = np.ones(len(unit), dtype=bool)
    for _ in range(MAX_SEEDS):
        candidates = candidates[free[candidates]]
        if len(candidates) < min_posts:
            break
        rows = unit[candidates]
        similar = np.partition(rows @ rows.T, -min_posts, axis=1)[:, -min_posts:].sum(axis=1)
        densest = int(similar.argmax())
        nearest = np.argsort(-(rows @ rows[densest]), kind="stable")[:min_posts]
        centroid = unit_mean(rows[nearest])
        members = np.zeros(0, np.intp)
        for _ in range(GROUP_ROUNDS):
            to_group = 1.0 - unit @ centroid
            taken = np.flatnonzero(free & (to_group <= reach) & (to_group < distance))
            if np.array_equal(taken, members) or len(taken) < min_posts:
                members = taken
                break
            members, centroid = taken, unit_mean(unit[taken])
        free[candidates[densest]] = False
        free[members] = False
        if len(members) >= min_posts:
            groups.append(Group(members, centroid, _separation(unit[members], distance[members])))
    return groups


def _separation(rows: npt.NDArray[np.float32], to_style: npt.NDArray[np.float32]) -> float:
    others = unit_rows(rows.sum(axis=0, dtype=np.float64) - rows.astype(np.float64))
    own = 1.0 - np.einsum("ij,ij->i", rows, others)
    return float(((to_style - own) / np.maximum(np.maximum(to_style, own), 1e-12)).mean())
