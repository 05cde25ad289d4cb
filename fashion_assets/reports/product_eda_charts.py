"""Charts of the product page: class sizes by rank, histograms, heat maps; inline SVG without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_assets.reports import svg
from fashion_assets.reports.palette import css_colour
from fashion_assets.reports.svg_charts import empty_chart
from fashion_assets.reports.wording import DASH, quantity

#: Below this many examples a class is drawn in the colour of a warning.
FEW = 5


def rank_chart_svg(counts: Sequence[int], *, title: str, width: float = 470, height: float = 220) -> str:
    """Products per class on a logarithmic axis, the largest class first; classes below ``FEW`` stand out."""
    ordered = sorted((int(count) for count in counts if count > 0), reverse=True)
    if not ordered:
        return empty_chart(width, title, "No product has a label.")
    left, right, top, bottom = 48.0, width - 8, 10.0, height - 26.0
    decades = max(1, math.ceil(math.log10(ordered[0])))
    y = svg.Scale(0.0, float(decades), bottom, top)
    parts = []
    for decade in range(decades + 1):
        parts.append(svg.line(left, y(decade), right, y(decade), svg.RULE))
        parts.append(
            svg.text(left - 8, y(decade) + 4, quantity(10**decade), anchor="end", colour=svg.MUTED, size=11.5)
        )
    step = (right - left) / len(ordered)
    for rank, count in enumerate(ordered):
        # A class of one product has logarithm 0, and still is a class.
        height_of = max(bottom - y(math.log10(count)), 2.0)
        colour = css_colour(1 if count < FEW else 0)
        words = f"class {rank + 1} of {len(ordered)}: {quantity(count)} products"
        place = left + rank * step
        parts.append(
            svg.rect(place, bottom - height_of, max(step * 0.86, 0.6), height_of, colour, tooltip=words)
        )
    parts.append(svg.text(left, height - 8, "1", colour=svg.MUTED, size=11.5))
    if len(ordered) > 1:
        last = f"{len(ordered)} classes"
        parts.append(svg.text(right, height - 8, last, anchor="end", colour=svg.MUTED, size=11.5))
    few = sum(count < FEW for count in ordered)
    described = (
        f"{len(ordered)} classes of {ordered[0]} to {ordered[-1]} products; {few} have fewer than {FEW}."
    )
    return svg.document(width, height, title, described, parts)


def column_chart_svg(
    names: Sequence[str],
    values: Sequence[int],
    *,
    title: str,
    counted: str = "products",
    width: float = 560,
    height: float = 220,
) -> str:
    """Upright columns in the given order with their counts above; names stand below as far as there is room."""
    if not values or max(values) <= 0:
        return empty_chart(width, title, "Nothing to show.")
    left, right, top, bottom = 4.0, width - 4, 24.0, height - 26.0
    step = (right - left) / len(values)
    y = svg.Scale(0.0, float(max(values)), bottom, top)
    parts = [svg.line(left, bottom, right, bottom, svg.MUTED)]
    widest = max(svg.text_width(name, 11.5) for name in names) + 8
    every = max(1, math.ceil(widest / step))
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        place, centre = left + index * step, left + (index + 0.5) * step
        written = quantity(value)
        words = f"{name}: {written} {counted}"
        parts.append(
            svg.rect(
                place + step * 0.08, y(value), step * 0.84, max(bottom - y(value), 0.6 * bool(value)),
                css_colour(0), tooltip=words,
            )
        )  # fmt: skip
        if value and svg.text_width(written, 11.5) + 4 <= step:
            parts.append(svg.text(centre, y(value) - 6, written, anchor="middle", size=11.5))
        if index % every == 0:
            shown = svg.shorten(name, step * every, 11.5)
            parts.append(svg.text(centre, height - 8, shown, anchor="middle", colour=svg.MUTED, size=11.5))
    described = "; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
    return svg.document(width, height, title, described, parts)


def heat_map_svg(table: pd.DataFrame, *, title: str, cell: float = 100, row_height: float = 27) -> str:
    """Figures from 0 to 1 as shaded cells with the figure in them; a dash where there is none."""
    if table.empty:
        return empty_chart(470, title, "There are no two columns to compare.")
    room = min(max(svg.text_width(svg.shorten(name, 180)) for name in table.index) + 12, 192.0)
    width, height = room + cell * table.shape[1], 24 + row_height * len(table)
    parts = [
        svg.text(
            room + cell * (column + 0.5), 14, svg.shorten(name, cell - 8, 11.5), anchor="middle",
            colour=svg.MUTED, size=11.5,
        )
        for column, name in enumerate(table.columns)
    ]  # fmt: skip
    values = table.to_numpy(dtype=float)
    for row, name in enumerate(table.index):
        top = 22 + row * row_height
        middle = top + row_height / 2 + 4
        parts.append(svg.text(room - 8, middle, svg.shorten(name, room - 12), anchor="end"))
        for column, other in enumerate(table.columns):
            value = float(values[row, column])
            left = room + cell * column
            known = math.isfinite(value)
            if known:
                words = f"{name} and {other}: {value:.3f}"
                parts.append(
                    svg.rect(
                        left + 1, top + 1, cell - 2, row_height - 2, css_colour(0),
                        opacity=0.06 + 0.5 * float(np.clip(value, 0, 1)), tooltip=words,
                    )
                )  # fmt: skip
            parts.append(
                svg.text(
                    left + cell / 2, middle, f"{max(value, 0.0):.2f}" if known else DASH, anchor="middle"
                )
            )
    described = f"{len(table)} rows by {table.shape[1]} columns, 0 no connection, 1 one determines the other."
    return svg.document(width, height, title, described, parts)
