"""Charts as inline SVG strings: share of styles over months, silhouette by number of styles, horizontal bars.

They need no script: each marker carries its figures as a hover text, and the whole chart a spoken
description.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

from fashion_assets.reports import svg
from fashion_assets.reports.palette import colour_slots, css_colour
from fashion_assets.reports.share_series import ShareSeries, runs, share_series, split_highlighted
from fashion_assets.reports.wording import as_float, month_title, percent, quantity

MAX_BACKGROUND_LINES = 24  # grey lines behind the coloured ones; more of them are noise, not context
DASHES = (
    "",
    "7 3",
    "",
    "2 3",
    "",
    "9 3 2 3",
    "",
    "4 4",
)  # by position in the legend: a second cue besides colour
LABEL_GAP = 18.0
NAME_ROOM = 190.0
LEADER_LENGTH = 40.0  # a line that ended earlier has its label without a stroke across the chart


def empty_chart(width: float, title: str, sentence: str) -> str:
    """A low chart that says why there is nothing to draw."""
    parts = [svg.text(width / 2, 44, sentence, anchor="middle", colour=svg.MUTED)]
    return svg.document(width, 80, title, sentence, parts)


def month_axis(months: Sequence[str], x: Callable[[float], float], bottom: float, room: float) -> list[str]:
    """Ticks and labels of as many months as the room allows; `x` maps an index of `months`."""
    every = max(1, math.ceil(len(months) * 62 / max(room, 1.0)))
    parts = []
    for index in range(
        len(months) - 1, -1, -every
    ):  # from the newest, so that the newest always has its label
        parts.append(svg.line(x(index), bottom, x(index), bottom + 4, svg.MUTED))
        parts.append(
            svg.text(x(index), bottom + 19, months[index], anchor="middle", colour=svg.MUTED, size=11.5)
        )
    return parts


def axis_title(words: str) -> str:
    """What the upright axis measures, at the top left, where it takes no room from the chart."""
    return svg.text(0, 12, words, colour=svg.MUTED, size=11.5)


def _share_grid(ticks: Sequence[float], y: Callable[[float], float], left: float, right: float) -> list[str]:
    digits = 0 if all(abs(100 * tick - round(100 * tick)) < 1e-9 for tick in ticks) else 1
    parts = []
    for tick in ticks:
        parts.append(svg.line(left, y(tick), right, y(tick), svg.MUTED if tick == 0 else svg.RULE))
        parts.append(
            svg.text(left - 8, y(tick) + 4, percent(tick, digits), anchor="end", colour=svg.MUTED, size=11.5)
        )
    return parts


def share_words(series: ShareSeries, month: str, index: int) -> str:
    """The hover text of one style in one month: its share with the interval."""
    share, low, high = series.share[index], series.low[index], series.high[index]
    interval = f" (95% interval {percent(low)} to {percent(high)})" if math.isfinite(low) else ""
    return f"{series.name}, {month_title(month)}: {percent(share)}{interval}"


def share_chart_svg(
    history: pd.DataFrame, *, highlight: Sequence[int] | None = None, width: float = 1120, height: float = 360
) -> str:
    """Share lines with 95 % bands over the months of `history` (STYLE_PROFILES rows).

    Coloured and labelled at their end: the styles in `highlight` (default: the five largest of the last
    month). The others are thin grey lines. A month without any profile is a gap.
    """
    title = "Share of posts per style and month"
    months, series = share_series(history)
    if not series:
        return empty_chart(width, title, "No month has styles yet.")
    coloured, others = split_highlighted(series, highlight)
    slots = colour_slots([one.style_id for one in coloured])
    longest = max((svg.text_width(svg.shorten(one.name, NAME_ROOM)) for one in coloured), default=0.0)
    left, right, top, bottom = 52.0, width - longest - 86, 30.0, height - 30.0
    highest = max(
        [value for one in coloured for value in (*one.share, *one.high) if math.isfinite(value)] or [0.0]
    )
    background = others[:MAX_BACKGROUND_LINES]
    highest = max([highest, 0.01, *(one.peak for one in background)])
    ticks = [tick for tick in svg.nice_ticks(0.0, highest) if tick >= 0]
    y = svg.Scale(0.0, ticks[-1], bottom, top)
    x = svg.Scale(0.0, len(months) - 1.0, left + 12, right - 6)
    parts = [*_share_grid(ticks, y, left, right), *month_axis(months, x, bottom, right - left)]
    parts.append(axis_title("share of the month's posts"))
    for one in background:
        parts += [svg.path([(x(i), y(one.share[i])) for i in run], svg.GHOST, 1.1) for run in runs(one.share)]
    for one in coloured:
        colour = css_colour(slots[one.style_id])
        for run in runs(one.high):
            if len(run) > 1:
                upper = [(x(i), y(one.high[i])) for i in run]
                parts.append(svg.area(upper, [(x(i), y(one.low[i])) for i in run], colour, 0.08))
            else:
                parts.append(
                    svg.line(x(run[0]), y(one.low[run[0]]), x(run[0]), y(one.high[run[0]]), colour, 1.5)
                )
    for position, one in enumerate(coloured):
        slot = slots[one.style_id]
        for run in runs(one.share):
            dash = DASHES[position % len(DASHES)]
            parts.append(svg.path([(x(i), y(one.share[i])) for i in run], css_colour(slot), 2.2, dash))
            parts += [
                svg.marker(x(i), y(one.share[i]), slot, tooltip=share_words(one, months[i], i)) for i in run
            ]
    parts += _end_labels(coloured, slots, x, y, right, top, bottom)
    described = "; ".join(share_words(one, months[-1], -1) for one in coloured)
    return svg.document(width, height, title, f"{months[0]} to {months[-1]}. {described}.", parts)


def _end_labels(
    coloured: Sequence[ShareSeries],
    slots: dict[int, int],
    x: Callable[[float], float],
    y: Callable[[float], float],
    right: float,
    top: float,
    bottom: float,
) -> list[str]:
    """The legend, set where each line ends: marker, name and last share, joined to the line's last point."""
    ends = [max((i for i, v in enumerate(one.share) if math.isfinite(v)), default=0) for one in coloured]
    heights = [y(one.share[end]) if one.share else bottom for one, end in zip(coloured, ends, strict=True)]
    places = svg.spread(heights, LABEL_GAP, top + 2, bottom - 2)
    parts = []
    for one, end, height, place in zip(coloured, ends, heights, places, strict=True):
        colour = css_colour(slots[one.style_id])
        if right - x(end) < LEADER_LENGTH:
            parts.append(
                svg.path([(x(end) + 6, height), (right + 4, place), (right + 8, place)], colour, 0.9)
            )
        parts.append(svg.marker(right + 15, place, slots[one.style_id], tooltip=one.name))
        parts.append(svg.text(right + 72, place + 4.2, percent(one.share[end]), anchor="end", bold=True))
        parts.append(svg.text(right + 80, place + 4.2, svg.shorten(one.name, NAME_ROOM)))
    return parts


def silhouette_chart_svg(
    curve: pd.DataFrame, chosen_k: int | None = None, *, width: float = 620, height: float = 280
) -> str:
    """Silhouette by number of styles from a frame with `k`, `micro`, `macro`, the chosen k marked."""
    title = "Silhouette by number of styles"
    names = [name for name in ("micro", "macro") if name in curve.columns]
    if curve.empty or not names:
        return empty_chart(width, title, "No number of styles was compared this month.")
    ordered = curve.sort_values("k")
    ks = [as_float(k) for k in ordered["k"]]
    values = {name: [as_float(value) for value in ordered[name]] for name in names}
    finite = [value for column in values.values() for value in column if math.isfinite(value)] or [0.0]
    ticks = svg.nice_ticks(min(finite), max(finite), 4)
    left, right, top, bottom = 52.0, width - 78.0, 30.0, height - 44.0
    y = svg.Scale(ticks[0], ticks[-1], bottom, top)
    x = svg.Scale(min(ks), max(ks), left + 12, right - 8)
    parts = [axis_title("silhouette")]
    for tick in ticks:
        parts.append(svg.line(left, y(tick), right, y(tick)))
        parts.append(
            svg.text(left - 8, y(tick) + 4, f"{tick:.3g}", anchor="end", colour=svg.MUTED, size=11.5)
        )
    shown = math.inf
    for k in sorted(ks, reverse=True):
        if shown - x(k) >= 26:
            parts.append(svg.text(x(k), bottom + 18, f"{k:g}", anchor="middle", colour=svg.MUTED, size=11.5))
            shown = x(k)
    parts.append(
        svg.text(
            (left + right) / 2, height - 6, "number of styles k", anchor="middle", colour=svg.MUTED, size=11.5
        )
    )
    if chosen_k is not None and min(ks) <= chosen_k <= max(ks):
        parts.append(svg.line(x(chosen_k), top - 8, x(chosen_k), bottom, svg.INK, 1.2, "3 3"))
        nearer_right = x(chosen_k) > (left + right) / 2
        parts.append(
            svg.text(
                x(chosen_k) + (-7 if nearer_right else 7),
                top - 10,
                f"chosen: k = {chosen_k}",
                anchor="end" if nearer_right else "start",
                bold=True,
            )
        )
    ends = []
    for slot, name in enumerate(names):
        column = values[name]
        for run in runs(column):
            parts.append(
                svg.path(
                    [(x(ks[i]), y(column[i])) for i in run], css_colour(slot), 2.2, "6 3" if slot else ""
                )
            )
            parts += [
                svg.marker(x(ks[i]), y(column[i]), slot, tooltip=f"k = {ks[i]:g}, {name}: {column[i]:.4f}")
                for i in run
            ]
        last = max((i for i, value in enumerate(column) if math.isfinite(value)), default=None)
        ends.append(y(column[last]) if last is not None else bottom)
    for slot, place in enumerate(svg.spread(ends, LABEL_GAP, top, bottom)):
        parts.append(svg.marker(right + 10, place, slot, tooltip=names[slot]))
        parts.append(svg.text(right + 20, place + 4.2, names[slot]))
    described = f"{len(ks)} values of k from {min(ks):g} to {max(ks):g}"
    return svg.document(width, height, title, f"{described}; chosen k: {chosen_k}.", parts)


def bar_chart_svg(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    title: str = "",
    as_percent: bool = False,
    slots: Sequence[int | None] | None = None,
    full: float | None = None,
    width: float = 620,
    row_height: float = 24,
) -> str:
    """Horizontal bars from zero, one row each in the given order, with the value and, if given, its interval.

    A bar of `full` takes the whole width (default: the largest that there is). `slots` colours single bars (None:
    neutral). Negative values are drawn as zero, unknown ones as a dash.
    """
    if not labels:
        return empty_chart(width, title, "Nothing to show.")
    written = [percent(value) if as_percent else quantity(value) for value in values]
    numbers = [max(as_float(value), 0.0) if math.isfinite(as_float(value)) else 0.0 for value in values]
    ends = [as_float(value) for value in high] if high is not None else []
    largest = max([full or 0.0, *numbers, *(end for end in ends if math.isfinite(end))]) or 1.0
    label_room = min(max(svg.text_width(svg.shorten(label, 210)) for label in labels) + 10, 220.0)
    value_room = max(svg.text_width(value) for value in written) + 12
    x = svg.Scale(0.0, largest, label_room, width - value_room)
    parts = []
    for row, label in enumerate(labels):
        middle = row * row_height + row_height / 2 + 2
        slot = slots[row] if slots is not None else 0
        colour = svg.GHOST if slot is None else css_colour(slot)
        parts.append(
            svg.text(label_room - 8, middle + 4.2, svg.shorten(label, label_room - 10), anchor="end")
        )
        parts.append(
            f'<rect x="{svg.number(x(0))}" y="{svg.number(middle - row_height * 0.3)}" rx="1.5" '
            f'width="{svg.number(max(x(numbers[row]) - x(0), 0.8))}" height="{svg.number(row_height * 0.6)}" '
            f'style="fill:{colour}"><title>{svg.escape(f"{label}: {written[row]}")}</title></rect>'
        )
        if low is not None and high is not None:
            lower, upper = as_float(low[row]), as_float(high[row])
            if math.isfinite(lower) and math.isfinite(upper):
                parts.append(svg.line(x(max(lower, 0.0)), middle, x(upper), middle, svg.INK, 1.2))
                caps = (x(max(lower, 0.0)), x(upper))
                parts += [svg.line(end, middle - 3, end, middle + 3, svg.INK, 1.2) for end in caps]
        parts.append(svg.text(width, middle + 4.2, written[row], anchor="end", colour=svg.INK))
    described = "; ".join(f"{label}: {value}" for label, value in zip(labels[:12], written, strict=False))
    return svg.document(width, len(labels) * row_height + 4, title, described, parts)
