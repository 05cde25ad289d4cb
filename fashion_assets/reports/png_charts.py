"""The same charts as PNG bytes for asset metadata, where a person looks at a run and not at a report.

matplotlib is used through Figure and FigureCanvasAgg only: no pyplot, no global state, safe in any thread.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.reports.fonts import find_han_font, readable_label
from fashion_assets.reports.palette import LIGHT, MATPLOTLIB_MARKERS, colour_slots
from fashion_assets.reports.share_series import share_series, split_highlighted
from fashion_assets.reports.svg import nice_ticks, spread
from fashion_assets.reports.wording import as_float, clip, percent, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

DPI = 100
PREVIEW_SCALES = (1.0, 0.75, 0.55, 0.4)  # below that nothing can be made out
LABEL_CHARACTERS = 18
MAX_METADATA_BYTES = 100_000  # the event log keeps metadata: a bigger picture belongs in a file
INK, MUTED, _RULE, GHOST = "#1c1d1f", "#62666d", "#dcdad5", "#c4c2bc"


def png_markdown(png: bytes, max_bytes: int = MAX_METADATA_BYTES) -> str | None:
    """A Markdown image with the PNG inside as a data URI, the whole string within `max_bytes`.

    A picture that is too big is reduced, first in colours and then in size; None if even that does not fit.
    """
    from PIL import Image, UnidentifiedImageError

    frame = "![chart](data:image/png;base64,{})"
    room = (max_bytes - len(frame.format(""))) // 4 * 3
    if len(png) > room:
        try:
            with Image.open(io.BytesIO(png)) as opened:
                picture = opened.convert("RGB")
        except (OSError, UnidentifiedImageError):
            return None
        for scale in PREVIEW_SCALES:
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            png = _few_colours(picture.resize(size, Image.Resampling.LANCZOS))
            if len(png) <= room:
                break
        else:
            return None
    return frame.format(base64.b64encode(png).decode("ascii"))


def _few_colours(picture: Image.Image) -> bytes:
    """The picture as a palette PNG: a third of the bytes, and charts look the same."""
    buffer = io.BytesIO()
    picture.quantize(128).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def blank_figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=9, length=3)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False, **text_font(title))
    return figure, axes


def text_font(text: str) -> dict[str, Any]:
    """The Han font where the text needs it; the default font otherwise."""
    from matplotlib.font_manager import FontProperties

    font = find_han_font()
    if font is None or text.isascii():
        return {}
    return {"fontproperties": FontProperties(fname=str(font.path))}


def to_png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _few_colours(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def nothing_png(width: float, height: float, title: str, sentence: str) -> bytes:
    figure, axes = blank_figure(width, height, title)
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, sentence, ha="center", va="center", color=MUTED, fontsize=11, transform=axes.transAxes
    )
    return to_png(figure)


def share_chart_png(
    history: pd.DataFrame, *, highlight: Sequence[int] | None = None, width: float = 900, height: float = 380
) -> bytes:
    """Share lines over the months of STYLE_PROFILES rows; see `svg_charts.share_chart_svg`."""
    title = "Share of posts per style"
    months, series = share_series(history)
    if not series:
        return nothing_png(width, height, title, "No month has styles yet.")
    coloured, others = split_highlighted(series, highlight)
    slots = colour_slots([one.style_id for one in coloured])
    figure, axes = blank_figure(width, height, title)
    positions = np.arange(len(months))
    for one in others[:24]:
        axes.plot(positions, one.share, color=GHOST, linewidth=0.8)
    for one in coloured:
        slot = slots[one.style_id]
        axes.fill_between(positions, one.low, one.high, color=LIGHT[slot], alpha=0.12, linewidth=0)
        axes.plot(
            positions,
            one.share,
            color=LIGHT[slot],
            linewidth=2,
            marker=MATPLOTLIB_MARKERS[slot],
            markersize=4.5,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value, 0 if axes.get_ylim()[1] > 0.05 else 1))
    axes.grid(axis="y", color=_RULE)
    step = max(1, math.ceil(len(months) / 10))
    shown = positions[::-1][::step][::-1]
    axes.set_xticks(shown, [months[index] for index in shown])
    low, high = axes.get_ylim()
    ends = [next((v for v in reversed(one.share) if math.isfinite(v)), 0.0) for one in coloured]
    places = spread(ends, (high - low) / 17, low, high)
    for one, end, place in zip(coloured, ends, places, strict=True):
        label = readable_label(clip(one.name, LABEL_CHARACTERS), f"Style {one.style_id}", find_han_font())
        axes.annotate(
            f"{label} {percent(end)}",
            (1.01, (place - low) / (high - low)),
            xycoords="axes fraction",
            va="center",
            fontsize=9.5,
            color=LIGHT[slots[one.style_id]],
            annotation_clip=False,
            parse_math=False,
            **text_font(label),
        )
    return to_png(figure)


def silhouette_chart_png(
    curve: pd.DataFrame, chosen_k: int | None = None, *, width: float = 640, height: float = 340
) -> bytes:
    """Silhouette by number of styles; columns `k`, `micro`, `macro`."""
    from matplotlib.ticker import MaxNLocator

    title = "Silhouette by number of styles"
    names = [name for name in ("micro", "macro") if name in curve.columns]
    if curve.empty or not names:
        return nothing_png(width, height, title, "No number of styles was compared.")
    ordered = curve.sort_values("k")
    figure, axes = blank_figure(width, height, title)
    for slot, name in enumerate(names):
        axes.plot(
            ordered["k"],
            ordered[name],
            color=LIGHT[slot],
            marker=MATPLOTLIB_MARKERS[slot],
            linestyle="--" if slot else "-",
            label=name,
        )
    if chosen_k is not None:
        axes.axvline(chosen_k, color=INK, linewidth=1, linestyle=":", label=f"chosen: k = {chosen_k}")
    axes.grid(axis="y", color=_RULE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("number of styles k", color=MUTED, fontsize=9)
    axes.legend(frameon=False, fontsize=9)
    return to_png(figure)


def epoch_chart_png(
    epochs: pd.DataFrame, title: str = "", *, width: float = 640, height: float = 340
) -> bytes:
    """Training by epoch: losses and F1; columns `Epoch`, `Train Loss`, `Val Loss`, `F1 Score`."""
    from matplotlib.ticker import MaxNLocator

    if epochs.empty:
        return nothing_png(width, height, title, "No epoch was trained.")
    figure, axes = blank_figure(width, height, title)
    for slot, name in enumerate(("Train Loss", "Val Loss", "F1 Score")):
        axes.plot(
            epochs["Epoch"], epochs[name], color=LIGHT[slot], marker=MATPLOTLIB_MARKERS[slot], label=name
        )
    axes.grid(axis="y", color=_RULE)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch", color=MUTED, fontsize=9)
    axes.legend(frameon=False, fontsize=9)
    return to_png(figure)


def histogram_png(
    values: npt.ArrayLike,
    title: str = "",
    threshold: float | None = None,
    *,
    x_label: str = "",
    bins: int = 30,
    width: float = 640,
    height: float = 320,
) -> bytes:
    """Counts of the finite values with lines at the median and, if given, at `threshold`."""
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return nothing_png(width, height, title, "No values.")
    figure, axes = blank_figure(width, height, title)
    axes.hist(finite, bins=bins, color=LIGHT[0], edgecolor="white", linewidth=0.4)
    median = float(np.median(finite))
    axes.axvline(
        median, color=INK, linewidth=1, linestyle=":", label=f"median {median:.3g} (n = {len(finite):,})"
    )
    if threshold is not None:
        below = f"threshold {threshold:.3g} ({int((finite < threshold).sum()):,} below)"
        axes.axvline(threshold, color=LIGHT[1], linewidth=1.4, linestyle="--", label=below)
    axes.grid(axis="y", color=_RULE)
    axes.set_xlabel(x_label, color=MUTED, fontsize=9, parse_math=False, **text_font(x_label))
    axes.legend(frameon=False, fontsize=9)
    return to_png(figure)


def bar_chart_png(
    labels: Sequence[str],
    values: Sequence[float],
    title: str = "",
    *,
    as_percent: bool = False,
    width: float = 640,
    row_height: float = 24,
) -> bytes:
    """Horizontal bars from zero in the given order, top to bottom, each with its value."""
    if not labels:
        return nothing_png(width, 120, title, "Nothing to show.")
    figure, axes = blank_figure(width, max(120.0, len(labels) * row_height + 60), title)
    numbers = [value if math.isfinite(value) else 0.0 for value in map(as_float, values)]
    rows = np.arange(len(labels))[::-1]
    bars = axes.barh(rows, numbers, height=0.62, color=LIGHT[0])
    written = [percent(value) if as_percent else quantity(value) for value in values]
    axes.bar_label(bars, written, padding=4, fontsize=9, color=INK)
    font = find_han_font()
    drawn = [
        readable_label(clip(label, LABEL_CHARACTERS), f"row {i + 1}", font) for i, label in enumerate(labels)
    ]
    axes.set_yticks(rows, drawn)
    for tick, label in zip(axes.get_yticklabels(), drawn, strict=True):
        tick.set(parse_math=False, color=INK, **text_font(label))
        tick.set_fontsize(9.5)
    axes.set_xlim(0, (max([*numbers, 0.0]) or 1.0) * 1.14)
    axes.set_xticks([tick for tick in nice_ticks(0, axes.get_xlim()[1], 4) if tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter(lambda value, _: percent(value, 0) if as_percent else quantity(value))
    axes.grid(axis="x", color=_RULE)
    axes.margins(y=0.02)
    return to_png(figure)


def burst_chart_png(
    bursts: pd.DataFrame,
    months: Sequence[str],
    *,
    top: int = 15,
    width: float = 760,
    row_height: float = 24,
) -> bytes:
    """The heaviest bursts as bars over the months, in the order of their beginning, each with its weight.

    ``bursts`` has keyword, first, last (months) and weight, as `trends.keyword_bursts.list_bursts` gives them.
    """
    title = "Bursts of keywords, with their weight"
    if not len(bursts):
        return nothing_png(width, 120, title, "No keyword bursts.")
    shown = bursts.nlargest(top, "weight").sort_values(["first", "last", "keyword"])
    place = {month: index for index, month in enumerate(months)}
    begins = shown["first"].map(place).to_numpy(dtype=np.float64)
    lengths = shown["last"].map(place).to_numpy(dtype=np.float64) - begins + 1
    figure, axes = blank_figure(width, max(120.0, len(shown) * row_height + 70), title)
    rows = np.arange(len(shown))[::-1]
    bars = axes.barh(rows, lengths, left=begins - 0.5, height=0.62, color=LIGHT[0])
    axes.bar_label(bars, [quantity(weight) for weight in shown["weight"]], padding=4, fontsize=9, color=INK)
    font = find_han_font()
    drawn = [
        readable_label(clip(keyword, LABEL_CHARACTERS), f"row {i + 1}", font)
        for i, keyword in enumerate(shown["keyword"])
    ]
    axes.set_yticks(rows, drawn)
    for tick, label in zip(axes.get_yticklabels(), drawn, strict=True):
        tick.set(parse_math=False, color=INK, **text_font(label))
        tick.set_fontsize(9.5)
    # Room for the weight beside a burst that ends in the newest month.
    axes.set_xlim(-0.5, (len(months) - 0.5) * 1.08)
    positions = np.arange(len(months))[:: -max(1, math.ceil(len(months) / 10))][::-1]
    axes.set_xticks(positions, [months[index] for index in positions])
    axes.grid(axis="x", color=_RULE)
    axes.margins(y=0.02)
    return to_png(figure)
