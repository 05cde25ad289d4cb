"""Charts of one attribute head: confusion matrix, reliability diagram, curves over training. Inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fashion_assets.reports import svg
from fashion_assets.reports.palette import css_colour
from fashion_assets.reports.svg_charts import LABEL_GAP, empty_chart
from fashion_assets.reports.wording import as_float, percent

# More classes than these make the names unreadable; the largest are drawn, the rest is one row and column.
SHOWN_CLASSES = 40
OTHERS = "other classes"

_TRUE = "true ↓"

#: Columns of a history whose names are no words.
_AXES = {"n_train": "training products"}


def confusion_svg(labels: Sequence[str], counts: Sequence[Sequence[int]], *, width: float = 720) -> str:
    """A cell per true (row) and predicted (column) class, darker the larger its share of the row; hover tells both.

    The largest ``SHOWN_CLASSES`` classes of the truth, the rest together; a class that the truth lacks has no row.
    """
    title = "Confusion matrix"
    if not labels:
        return empty_chart(width, title, "No test product has a label.")
    names, table = _largest(labels, counts)
    # Names of one letter leave no room for the words that stand above them.
    widest = max(svg.text_width(_TRUE, 11), *(svg.text_width(svg.shorten(name, 150), 11) for name in names))
    room = min(widest + 8, 160.0)
    cell = min((width - room) / len(names), 30.0)
    size = min(11.0, max(cell * 0.8, 5.0))
    top = 22.0
    parts = [
        svg.text(room, 12, "predicted →", colour=svg.MUTED, size=11),
        svg.text(0, 12, _TRUE, colour=svg.MUTED, size=11),
    ]
    for row, name in enumerate(names):
        total = sum(table[row])
        y = top + row * cell
        parts.append(
            svg.text(
                room - 6,
                y + cell / 2 + size * 0.35,
                svg.shorten(name, room - 8, size),
                anchor="end",
                size=size,
            )
        )
        parts.append(svg.rect(room, y + 0.5, len(names) * cell, cell - 1, svg.RULE, opacity=0.25))
        for column, count in enumerate(table[row]):
            if not count:
                continue
            told = f"{name} → {names[column]}: {count} of {total} ({percent(count / total)})"
            colour = css_colour(0) if row == column else css_colour(1)
            parts.append(
                svg.rect(
                    room + column * cell + 0.5,
                    y + 0.5,
                    max(cell - 1, 1),
                    max(cell - 1, 1),
                    colour,
                    opacity=0.15 + 0.85 * count / total,
                    tooltip=told,
                )
            )
    right = sum(table[row][row] for row in range(len(names)))
    every = sum(map(sum, table))
    described = f"{right} of {every} products on the diagonal, {len(names)} classes"
    return svg.document(room + len(names) * cell + 2, top + len(names) * cell + 4, title, described, parts)


def _largest(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> tuple[list[str], list[list[int]]]:
    order = sorted(range(len(labels)), key=lambda row: (-sum(counts[row]), labels[row]))
    shown, rest = order[:SHOWN_CLASSES], order[SHOWN_CLASSES:]
    groups = [[one] for one in shown] + ([rest] if rest else [])
    names = [labels[one] for one in shown] + ([f"{len(rest)} {OTHERS}"] if rest else [])
    table = [[sum(counts[a][b] for a in rows for b in columns) for columns in groups] for rows in groups]
    return names, table


def reliability_svg(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *, width: float = 330
) -> str:
    """Accuracy over confidence by bin, before and after calibration; on the diagonal confidences are what they say."""
    title = "Calibration curve"
    if not before and not after:
        return empty_chart(width, title, "No calibration was measured.")
    height, left, top = width * 0.86, 40.0, 10.0 + LABEL_GAP
    x, y = svg.Scale(0, 1, left, width - 10), svg.Scale(0, 1, height - 34, top)
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(svg.line(left, y(tick), width - 10, y(tick)))
        parts.append(
            svg.text(left - 6, y(tick) + 4, percent(tick, 0), anchor="end", colour=svg.MUTED, size=11)
        )
        parts.append(
            svg.text(x(tick), height - 16, percent(tick, 0), anchor="middle", colour=svg.MUTED, size=11)
        )
    parts.append(svg.line(x(0), y(0), x(1), y(1), svg.MUTED, 1, "4 4"))
    parts.append(svg.text(width - 10, height - 2, "confidence", anchor="end", colour=svg.MUTED, size=11))
    for slot, (name, rows) in enumerate((("after", after), ("before", before))):
        points = [(x(row["confidence"]), y(row["accuracy"])) for row in rows]
        if not points:
            continue
        parts.append(svg.path(points, css_colour(slot), 2, "" if slot == 0 else "5 3"))
        most = max(row["count"] for row in rows)
        parts += [
            svg.marker(
                *point,
                slot,
                # A bin of few products says little: its marker is small.
                radius=1.8 + 3 * math.sqrt(row["count"] / most),
                tooltip=f"{name}: confidence {percent(row['confidence'])}, accuracy {percent(row['accuracy'])}, "
                f"{row['count']} product{'' if row['count'] == 1 else 's'}",
            )
            for point, row in zip(points, rows, strict=True)
        ]
        # Above the plot: few products may put a point anywhere in it.
        place = left + 6 + slot * (width - left) / 2
        parts.append(svg.marker(place, 8, slot))
        parts.append(svg.text(place + 10, 12, f"{name} calibration", size=11.5))
    return svg.document(width, height, title, "accuracy of predictions by their confidence", parts)


def curves_svg(
    rows: Sequence[Mapping[str, Any]],
    across: str,
    names: Mapping[str, str],
    title: str,
    *,
    width: float = 330,
) -> str:
    """A line per column in ``names`` (column -> its words) over the column ``across``; unknown values are gaps."""
    drawn = {
        column: [
            (float(row[across]), as_float(row.get(column))) for row in rows if row.get(across) is not None
        ]
        for column in names
    }
    drawn = {
        column: [point for point in points if math.isfinite(point[1])] for column, points in drawn.items()
    }
    drawn = {column: points for column, points in drawn.items() if points}
    if not drawn:
        return empty_chart(width, title, "Nothing was recorded.")
    height, left, top = width * 0.86, 44.0, 12.0 + LABEL_GAP * len(drawn)
    every = [point for points in drawn.values() for point in points]
    ticks = svg.nice_ticks(min(v for _, v in every), max(v for _, v in every), 4)
    x = svg.Scale(min(a for a, _ in every), max(a for a, _ in every), left, width - 12)
    y = svg.Scale(ticks[0], ticks[-1], height - 34, top)
    parts = []
    for tick in ticks:
        parts.append(svg.line(left, y(tick), width - 10, y(tick)))
        parts.append(svg.text(left - 6, y(tick) + 4, f"{tick:g}", anchor="end", colour=svg.MUTED, size=11))
    parts += [
        svg.text(x(place), height - 16, f"{place:,g}", anchor="middle", colour=svg.MUTED, size=11)
        for place in sorted({min(a for a, _ in every), max(a for a, _ in every)})
    ]
    parts.append(
        svg.text(
            width - 10,
            height - 2,
            _AXES.get(across, across.replace("_", " ")),
            anchor="end",
            colour=svg.MUTED,
            size=11,
        )
    )
    for slot, (column, points) in enumerate(drawn.items()):
        parts.append(
            svg.path([(x(a), y(b)) for a, b in points], css_colour(slot), 2, "5 3" if slot % 2 else "")
        )
        parts += [
            svg.marker(x(a), y(b), slot, radius=3, tooltip=f"{names[column]} at {a:g}: {b:.4f}")
            for a, b in points
        ]
        parts.append(svg.marker(left + 6, 8 + slot * LABEL_GAP, slot))
        parts.append(svg.text(left + 16, 12 + slot * LABEL_GAP, names[column], size=11.5))
    return svg.document(width, height, title, ", ".join(names[column] for column in drawn), parts)
