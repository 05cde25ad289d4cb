"""Where a style's name stands on the map of posts.

A style's points are a dense place and stragglers that lie among other styles. A quantile of the coordinates is a
straggler's where a style has few points (3 % of 34 points is one point), and the means and medians of two coordinates
meet where the style may have no point at all. So the name stands at the densest place of the style's own points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Cells along each side of the map on which densities are counted: 1 % of the map's width.
CELLS = 100
#: Standard deviation of the smoothing in cells: what lies within about 4 % of the map's width counts together.
SMOOTHING = 2.0

FloatArray = npt.NDArray[np.float64]


def core_ranks(x: FloatArray, y: FloatArray, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) each point's rank within its group: 0 stands where the group is densest, and its name belongs there.

    `x`, `y` (n,) are finite places in any unit. The density of a group is a smoothed histogram (a kernel estimate with
    a Gaussian on a grid, Silverman 1982), so a map costs its points and not their pairs. Ties of one cell go to the
    point nearest to the medians of the group's coordinates. A page that shows only some months names a style at the
    shown point of the lowest rank.
    """
    from scipy.ndimage import gaussian_filter

    ranks = np.zeros(len(x), np.int64)
    if not len(x):
        return ranks
    size = max(float(np.ptp(x)), float(np.ptp(y))) or 1.0
    columns, rows = (np.floor((axis - axis.min()) / size * (CELLS - 1)).astype(np.int64) for axis in (x, y))
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        counts = np.zeros((CELLS, CELLS))
        np.add.at(counts, (columns[own], rows[own]), 1.0)
        density = gaussian_filter(counts, SMOOTHING, mode="constant")[columns[own], rows[own]]
        away = np.hypot(x[own] - np.median(x[own]), y[own] - np.median(y[own]))
        ranks[own[np.lexsort((away, -density.round(9)))]] = np.arange(len(own))
    return ranks
