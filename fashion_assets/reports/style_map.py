"""The scatter of all posts by style as one PNG: the still of the interactive map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fashion_assets.reports.fonts import find_han_font, readable_label
from fashion_assets.reports.label_anchors import core_ranks
from fashion_assets.reports.palette import LIGHT
from fashion_assets.reports.png_charts import GHOST, INK, MUTED, blank_figure, nothing_png, text_font, to_png
from fashion_assets.reports.wording import clip, style_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

NAMED_STYLES = 24  # more names cover the points
LABEL_CHARACTERS = 14
LABEL_OFFSET = 5  # points from the post that a name stands at up to the foot of its letters
_SHAPES = ("o", "s", "^", "D", "v")  # in the order of the interactive map: a second cue after eight colours


def style_map_png(points: pd.DataFrame, *, width: float = 1000, height: float = 800) -> bytes:
    """PNG bytes: a dot per post in its style's colour and shape, the largest styles named where they are densest.

    `points` holds `style_id`, `style_name`, `x`, `y`; rows without a finite place are left out and counted below the
    picture. Posts without a style are grey.
    """
    from matplotlib import patheffects

    placed = points[np.isfinite(points["x"].astype(float)) & np.isfinite(points["y"].astype(float))]
    title = "Posts by style"
    if placed.empty:
        return nothing_png(width, 120, title, "No post has a style and a place on the map.")
    figure, axes = blank_figure(width, height, title)
    sizes = placed["style_id"].value_counts()
    order = sorted(sizes.index, key=lambda style: (style < 0, -int(sizes[style]), int(style)))
    x, y = (placed[name].to_numpy(dtype=float) for name in ("x", "y"))
    heart = core_ranks(x, y, placed["style_id"].to_numpy(np.int64)) == 0
    font, names = find_han_font(), []
    for rank, style in enumerate(order):
        mine = (placed["style_id"] == style).to_numpy()
        own = placed[mine]
        axes.scatter(
            own["x"],
            own["y"],
            s=float(np.clip(20_000 / len(placed), 4, 22)),
            marker=_SHAPES[rank // len(LIGHT) % len(_SHAPES)],
            color=GHOST if style < 0 else LIGHT[rank % len(LIGHT)],
            alpha=0.75,
            linewidths=0,
        )
        if rank < NAMED_STYLES and style >= 0:
            name = clip(style_label(own["style_name"].iloc[0], int(style)), LABEL_CHARACTERS)
            label = readable_label(name, f"Style {style}", font)
            words = axes.annotate(
                label,
                (float(x[heart & mine][0]), float(y[heart & mine][0])),
                (0, LABEL_OFFSET),
                textcoords="offset points",
                ha="center",
                fontsize=9.5,
                color=INK,
                parse_math=False,
                path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
                **text_font(label),
            )
            names.append(words)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    left_out = (
        f", {len(points) - len(placed):,} without a place left out" if len(points) > len(placed) else ""
    )
    below = f"UMAP of the posts' vectors, no unit: near means alike. {len(placed):,} posts{left_out}"
    axes.set_xlabel(below, color=MUTED, fontsize=9)
    _hide_covered(figure, names)
    return to_png(figure)


def _hide_covered(figure: Figure, names: Sequence[Annotation]) -> None:
    """Hide each name that would stand on an earlier one, of a larger style."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    kept: list[Bbox] = []
    for name in names:
        box = name.get_window_extent(canvas.get_renderer())
        name.set_visible(not box.count_overlaps(kept))
        if name.get_visible():
            kept.append(box)
