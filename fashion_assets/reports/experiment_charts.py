"""Charts of one way of finding styles: where its posts lie, what each month holds, and all ways side by side.

SVG for the page, PNG for asset metadata. Clusters are numbered by falling size and keep their colour in both charts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fashion_assets.reports import svg
from fashion_assets.reports.palette import LIGHT, css_colour
from fashion_assets.reports.png_charts import blank_figure, nothing_png, to_png
from fashion_assets.reports.wording import clip, percent

STACKED = 16
"""Clusters with a segment of their own in a month's column; the smaller ones are one grey segment."""

LEVEL_SLOTS = {"passes": 2, "doubtful": 4, "fails": 6, "none": 7}
"""Green, ochre, red, grey of the palette."""

_GREY = "#c4c2bc"
INK, MUTED, _RULE = "#1c1d1f", "#62666d", "#dcdad5"


def scatter_svg(
    x: Sequence[float],
    y: Sequence[float],
    clusters: Sequence[int],
    *,
    width: float = 300,
    height: float = 230,
) -> str:
    """Posts as dots in the colour of their cluster, noise in grey, both axes on one scale."""
    title = "Posts by cluster"
    if not len(x):
        return svg.document(width, 40, title, "no posts", [svg.text(0, 24, "No posts.", colour=svg.MUTED)])
    across, down = _on_one_scale(np.asarray(x), np.asarray(y), width, height)
    ranks = np.asarray(clusters)
    parts = []
    for rank in sorted({*clusters}, key=lambda one: (one >= 0, -one)):
        own = np.flatnonzero(ranks == rank)
        dots = "".join(f"M{across[i]:.1f},{down[i]:.1f}h0" for i in own)
        colour = svg.GHOST if rank < 0 else css_colour(rank)
        parts.append(
            f'<path d="{dots}" style="fill:none;stroke:{colour};stroke-width:{2.4 if rank < 0 else 3.2};'
            f'stroke-linecap:round;stroke-opacity:{_opacity(rank)}"/>'
        )
    noise = int((ranks < 0).sum())
    described = f"{len(ranks)} posts in {len(set(clusters) - {-1})} clusters, {noise} in none"
    return svg.document(width, height, title, described, parts)


def month_columns_svg(
    months: Sequence[str],
    shares: Sequence[Sequence[float]],
    posts: Sequence[int],
    *,
    width: float = 300,
    height: float = 230,
) -> str:
    """One column per month, cut into the shares of the clusters, the largest cluster at the bottom."""
    title = "Share of each cluster by month"
    top, bottom, left = 6.0, height - 24.0, 34.0
    y = svg.Scale(0.0, 1.0, bottom, top)
    parts = [
        piece
        for tick in (0.0, 0.5, 1.0)
        for piece in (
            svg.line(left, y(tick), width, y(tick)),
            svg.text(left - 6, y(tick) + 4, percent(tick, 0), anchor="end", colour=svg.MUTED, size=11),
        )
    ]
    step = (width - left) / max(len(months), 1)
    every = max(1, math.ceil(len(months) * 50 / (width - left)))
    for column, (month, own, count) in enumerate(zip(months, shares, posts, strict=True)):
        start = left + column * step + step * 0.09
        floor = 0.0
        for rank, share in enumerate(own[:STACKED]):
            colour = f"fill:{css_colour(rank)};fill-opacity:{_opacity(rank)}"
            parts.append(_block(start, step * 0.82, y(floor + share), y(floor), colour, month, rank, share))
            floor += share
        if count and floor < 0.9995:
            rest = f"{month}: {percent(1 - floor)} in {len(own) - STACKED} smaller clusters"
            parts.append(
                f'<rect x="{svg.number(start)}" y="{svg.number(top)}" width="{svg.number(step * 0.82)}" '
                f'height="{svg.number(max(y(floor) - top, 0.1))}" style="fill:{svg.GHOST}">'
                f"<title>{svg.escape(rest)}</title></rect>"
            )
        if (len(months) - 1 - column) % every == 0:
            middle = start + step * 0.41
            parts.append(svg.text(middle, height - 6, month, anchor="middle", colour=svg.MUTED, size=11))
    return svg.document(width, height, title, f"{len(months)} months", parts)


def _block(
    x: float, width: float, top: float, bottom: float, style: str, month: str, rank: int, share: float
) -> str:
    if bottom - top < 0.05:
        return ""
    return (
        f'<rect x="{svg.number(x)}" y="{svg.number(top)}" width="{svg.number(width)}" '
        f'height="{svg.number(max(bottom - top - 0.6, 0.3))}" style="{style}">'
        f"<title>{svg.escape(f'{month}: cluster {rank + 1} holds {percent(share)}')}</title></rect>"
    )


def _opacity(rank: int) -> str:
    """Full for the eight largest; those after them have the same eight colours, paler."""
    return ".9" if 0 <= rank < len(LIGHT) else ".45"


def _on_one_scale(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], width: float, height: float
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Pixels of the points: as large as fits with the same scale on both axes, in the middle, y upwards."""
    margin = 5.0
    rooms = ((width - 2 * margin, np.ptp(x)), (height - 2 * margin, np.ptp(y)))
    # An axis without length sets no scale; two of them are one point.
    per_unit = min((room / length for room, length in rooms if length > 0), default=0.0)
    return (
        width / 2 + (x - (x.max() + x.min()) / 2) * per_unit,
        height / 2 - (y - (y.max() + y.min()) / 2) * per_unit,
    )


def scatter_png(
    x: Sequence[float],
    y: Sequence[float],
    clusters: Sequence[int],
    title: str = "",
    *,
    width: float = 560,
    height: float = 420,
) -> bytes:
    """`scatter_svg` for asset metadata."""
    if not len(x):
        return nothing_png(width, 120, title, "No posts.")
    figure, axes = blank_figure(width, height, title)
    ranks = np.asarray(clusters)
    for rank in sorted({*clusters}, key=lambda one: (one >= 0, -one)):
        own = ranks == rank
        axes.scatter(
            np.asarray(x)[own],
            np.asarray(y)[own],
            s=7,
            linewidths=0,
            color=_GREY if rank < 0 else LIGHT[rank % len(LIGHT)],
            alpha=float(_opacity(rank)),
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("first principal components of the clustered rows", color=MUTED, fontsize=9)
    return to_png(figure)


def leaderboard_png(
    names: Sequence[str],
    scores: Sequence[float],
    levels: Sequence[str],
    verdicts: Sequence[str],
    *,
    width: float = 1000,
    row_height: float = 26,
) -> bytes:
    """Silhouettes as bars in the colour of the verdict, best first, each with its verdict in words."""
    title = "Ways of finding styles: silhouette and verdict"
    if not len(names):
        return nothing_png(width, 120, title, "No variant has been tried.")
    figure, axes = blank_figure(width, max(130.0, len(names) * row_height + 80), title)
    rows = np.arange(len(names))[::-1]
    numbers = np.nan_to_num(np.asarray(scores, dtype=np.float64))
    colours = [LIGHT[LEVEL_SLOTS[level]] for level in levels]
    axes.barh(rows, numbers, height=0.62, color=colours)
    for row, value, score, level, verdict in zip(rows, numbers, scores, levels, verdicts, strict=True):
        told = verdict if level in ("none", verdict) else f"{level}: {verdict}"
        axes.annotate(
            clip(f"{score:.2f}  {told}" if math.isfinite(score) else told, 80),
            (max(value, 0.0), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=INK,
            parse_math=False,
        )
    axes.set_yticks(rows, [clip(name, 60) for name in names])
    axes.tick_params(axis="y", colors=INK, labelsize=9)
    axes.set_xlim(min(0.0, float(numbers.min()) * 1.1), max(float(numbers.max()), 0.1) * 1.9)
    axes.grid(axis="x", color=_RULE)
    axes.set_xlabel(
        "silhouette in the space that was clustered, posts in no cluster as 0", color=MUTED, fontsize=9
    )
    return to_png(figure)
