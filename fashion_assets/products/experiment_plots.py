"""Pictures of an experiment as PNG bytes: confusion matrices and learning curves.

matplotlib is used through Figure and FigureCanvasAgg only: no pyplot, no global state, safe in any thread.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI: Final = 110
#: Beyond this many classes a matrix shows the most frequent ones, and all others as one.
MAX_CLASSES: Final = 40
#: Beyond this many classes cells are too small for numbers.
MAX_NUMBERED: Final = 14
OTHERS: Final = "(other)"
#: Fonts with Han characters that systems ship, by preference.
HAN_FONTS: Final = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Arial Unicode MS",
)
_LABEL_CHARACTERS = 18


def confusion_png(confusion: pd.DataFrame, *, title: str = "", max_classes: int = MAX_CLASSES) -> bytes:
    """A confusion matrix (true labels as rows, predicted ones as columns) as a picture, shaded by share of the row."""
    table = _frequent(confusion, max_classes)
    counts = table.to_numpy(dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n_classes = len(table)
    side = min(14.0, 2.6 + 0.34 * n_classes)
    figure, axes = _figure(side + 0.8, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = _drawable([_clipped(str(name)) for name in table.index])
    font = {"fontsize": 9 if n_classes <= MAX_NUMBERED else 7, "fontfamily": _families()}
    axes.set_xticks(range(n_classes), names, rotation=90, **font)
    axes.set_yticks(range(n_classes), names, **font)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(_drawable([title])[0], fontsize=10, fontfamily=_families())
    if n_classes <= MAX_NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(
                column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=7, color=colour
            )
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the true class")
    return _png(figure)


def learning_curves_png(
    curves: Sequence[tuple[str, Sequence[float]]], *, losses: Sequence[tuple[str, Sequence[float]]] = ()
) -> bytes:
    """Named series over epochs 1, 2, …: figures between 0 and 1 above, ``losses`` (if any) below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6 if losses else 3.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(2 if losses else 1, 1, squeeze=False)[:, 0]
    for axes, series, name in zip(panels, (curves, losses), ("macro-F1", "loss"), strict=False):
        shown = _drawable([_clipped(label) for label, _ in series])
        for at, (label, (_, values)) in enumerate(zip(shown, series, strict=True)):
            style = "-" if at == 0 else "--"
            axes.plot(range(1, len(values) + 1), values, style, marker="o", markersize=3, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(ncols=2, prop={"size": 7, "family": _families()})
    panels[0].set_ylim(0, 1)
    return _png(figure)


@lru_cache(maxsize=1)
def _families() -> list[str]:
    """Matplotlib's own font, and behind it one with Han characters if the machine has any."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in HAN_FONTS if name in installed][:1]]


@lru_cache(maxsize=1)
def _covered() -> frozenset[int]:
    """Code points that ``_families`` can draw."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(code for name in _families() for code in FT2Font(findfont(name)).get_charmap())


def _drawable(names: Sequence[str]) -> list[str]:
    """The names, and a number for each that no font here can draw: an empty box would say nothing."""
    return [
        name if all(ord(character) in _covered() for character in name) else f"no. {at}"
        for at, name in enumerate(names, start=1)
    ]


def _frequent(confusion: pd.DataFrame, max_classes: int) -> pd.DataFrame:
    """The matrix, with all but the classes of most items put together as one."""
    if len(confusion) <= max_classes:
        return confusion
    weight = confusion.sum(axis=1) + confusion.sum(axis=0)
    kept = sorted(weight.sort_values(ascending=False, kind="stable").index[: max_classes - 1])
    names = {name: name if name in set(kept) else OTHERS for name in confusion.index}
    merged = confusion.rename(index=names, columns=names).groupby(level=0).sum().T.groupby(level=0).sum().T
    return merged.reindex(index=[*kept, OTHERS], columns=[*kept, OTHERS])


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots()


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    # No date inside: equal figures are equal bytes.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _clipped(text: str) -> str:
    return text if len(text) <= _LABEL_CHARACTERS else f"{text[: _LABEL_CHARACTERS - 1]}…"
