"""The posts that show a style: near its centre, and not ten times the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CENTRALITY = 0.5
"""What nearness to the centre counts against likeness to the posts chosen before (lambda of Carbonell & Goldstein
1998). At 1 the nearest posts are taken whatever they repeat; at a half a copy of a chosen post gains nothing. The
candidates are near the centre already, so diversity cannot lead away from the style."""


def diverse(
    unit: npt.NDArray[np.float32], closeness: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.intp]:
    """The indices of at most `count` rows, by maximal marginal relevance, the most central first.

    `unit` (n, d) are unit rows or zeros, `closeness` (n,) their cosines with the centre. Each next row maximises
    `CENTRALITY * closeness - (1 - CENTRALITY) * (largest cosine with a chosen row)`; equal ones by index.
    """
    chosen: list[int] = []
    likeness = np.full(len(unit), -np.inf)
    left = np.ones(len(unit), dtype=bool)
    while len(chosen) < min(count, len(unit)):
        repeats = np.where(np.isfinite(likeness), likeness, 0.0)
        score = np.where(left, CENTRALITY * closeness - (1 - CENTRALITY) * repeats, -np.inf)
        best = int(score.argmax())
        chosen.append(best)
        left[best] = False
        likeness = np.maximum(likeness, unit @ unit[best])
    return np.asarray(chosen, dtype=np.intp)
