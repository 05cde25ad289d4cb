"""Which styles live in which months: stacked shares per month and the duration chart, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from fashion_assets.reports import svg
from fashion_assets.reports.palette import colour_slots, css_colour
from fashion_assets.reports.share_series import ShareSeries, share_series, split_highlighted
from fashion_assets.reports.svg_charts import LABEL_GAP, axis_title, empty_chart, month_axis, share_words
from fashion_assets.reports.wording import month_title, percent

#: As many as the palette has colours: no two blocks of a column look alike.
STACKED_STYLES = 8
#: Rows of the duration chart; with more of them it is longer than a screen.
DURATION_ROWS = 40
NAME_ROOM = 170.0
ROW = 22.0
_ON_COLOUR = "var(--paper,#ffffff)"  # white on the light scheme's colours, near black on the dark scheme's
_DARK_SHADE = 0.75  # from here on the page's ground reads better on a cell than its ink does
_VISIBLE = 0.0005  # of a column: below that there is no block that a label could point to
_LEAST_SHADE = 0.12  # a style with one post must still be seen


def stacked_shares_svg(
    history: pd.DataFrame, *, highlight: Sequence[int] | None = None, width: float = 1120, height: float = 420
) -> str:
    """One column per month, cut into the shares of its styles, the first of `highlight` at the bottom.

    `history` holds STYLE_PROFILES rows. `STACKED_STYLES` styles have a colour: `highlight` (default: the largest of
    the last month), then those with the highest peak; the rest is one grey block. A month without profiles is a gap.
    """
    title = "Shares of the styles, month by month"
    months, series = share_series(history)
    if not series:
        return empty_chart(width, title, "No month has styles yet.")
    first, others = split_highlighted(series, highlight)
    shown = [*first, *others][:STACKED_STYLES]
    n_rest = len(series) - len(shown)
    slots = colour_slots([one.style_id for one in shown])
    names = [svg.shorten(one.name, NAME_ROOM) for one in shown]
    left, right = 52.0, width - max(map(svg.text_width, [*names, f"{n_rest} other styles"])) - 34
    top, bottom = 26.0, height - 30.0
    y = svg.Scale(0.0, 1.0, bottom, top)
    step = (right - left) / len(months)
    block = min(step * 0.8, 90.0)
    parts = [axis_title("share of the month's posts")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(svg.line(left, y(tick), right, y(tick)))
        parts.append(
            svg.text(left - 8, y(tick) + 4, percent(tick, 0), anchor="end", colour=svg.MUTED, size=11.5)
        )
    parts += month_axis(months, lambda index: left + (index + 0.5) * step, bottom, right - left)
    for index, month in enumerate(months):
        if not math.isfinite(shown[0].share[index]):
            continue
        x, floor = left + (index + 0.5) * step - block / 2, 0.0
        for one in shown:
            share = one.share[index]
            colour, words = css_colour(slots[one.style_id]), share_words(one, month, index)
            parts += _block(x, block, y(floor + share), y(floor), colour, words, share)
            floor += share
        if n_rest and floor < 1:
            words = f"{n_rest} other styles, {month_title(month)}: {percent(1 - floor)}"
            parts.append(svg.rect(x, top, block, y(floor) - top, svg.GHOST, tooltip=words))
    last = [one.share[-1] for one in shown]
    last += [1 - sum(last)] if n_rest else []
    middles = [y(sum(last[:i]) + share / 2) for i, share in enumerate(last)]
    places = svg.spread(middles, LABEL_GAP, top + 6, bottom - 2)
    end = left + (len(months) - 0.5) * step + block / 2 + 2
    for rank, (share, middle, place) in enumerate(zip(last, middles, places, strict=True)):
        named = rank < len(shown)
        colour = css_colour(slots[shown[rank].style_id]) if named else svg.MUTED
        if share > _VISIBLE:
            parts.append(svg.path([(end, middle), (right + 4, place), (right + 10, place)], colour, 0.9))
        if named:
            parts.append(svg.marker(right + 17, place, slots[shown[rank].style_id]))
        label = names[rank] if named else f"{n_rest} other styles"
        parts.append(svg.text(right + 26, place + 4.2, label, colour=svg.INK if named else svg.MUTED))
    described = "; ".join(f"{one.name}: {percent(one.share[-1])}" for one in shown)
    return svg.document(width, height, title, f"{months[-1]}: {described}.", parts)


def _block(
    x: float, width: float, top: float, bottom: float, colour: str, words: str, share: float
) -> list[str]:
    """One style's piece of a column, with its share written on it where that fits."""
    if bottom - top < 0.1:
        return []
    parts = [svg.rect(x, top, width, max(bottom - top - 1, 0.3), colour, tooltip=words)]
    if bottom - top >= 15 and width >= 40:
        middle = (top + bottom) / 2 + 3.6
        parts.append(
            svg.text(x + width / 2, middle, percent(share), anchor="middle", colour=_ON_COLOUR, size=11)
        )
    return parts


def duration_chart_svg(history: pd.DataFrame, *, width: float = 1120) -> str:
    """One row per style, one cell per month in which it has posts, the darker the larger its share.

    `history` holds STYLE_PROFILES rows. Rows are ordered by first month, then by last; of more than `DURATION_ROWS`
    styles those with the highest peak are drawn, and the description says how many are not.
    """
    title = "Which styles live in which months"
    months, series = share_series(history)
    if not series:
        return empty_chart(width, title, "No month has styles yet.")
    drawn = sorted(series[:DURATION_ROWS], key=_life)
    largest = max(one.peak for one in drawn) or 1.0
    left = max(svg.text_width(svg.shorten(one.name, NAME_ROOM)) for one in drawn) + 14
    lives = [_life_words(one, months) for one in drawn]
    right = width - max(svg.text_width(words, 11.5) for words in lives) - 12
    top = 8.0
    bottom = top + ROW * len(drawn)
    step = (right - left) / len(months)
    parts = []
    for row, one in enumerate(drawn):
        y = top + row * ROW
        parts.append(svg.line(left, y + ROW, right, y + ROW))
        parts.append(svg.text(left - 10, y + 15.5, svg.shorten(one.name, NAME_ROOM), anchor="end"))
        for index, share in enumerate(one.share):
            if not (math.isfinite(share) and share > 0):
                continue
            words = share_words(one, months[index], index)
            shade = _LEAST_SHADE + (1 - _LEAST_SHADE) * share / largest
            cell = svg.rect(
                left + index * step + 1, y + 3, step - 2, ROW - 5, css_colour(0), opacity=shade, tooltip=words
            )
            parts.append(cell)
            if step >= 46:
                colour = _ON_COLOUR if shade > _DARK_SHADE else svg.INK
                middle = left + (index + 0.5) * step
                parts.append(
                    svg.text(middle, y + 15.5, percent(share), anchor="middle", colour=colour, size=11)
                )
        parts.append(svg.text(right + 12, y + 15.5, lives[row], colour=svg.MUTED, size=11.5))
    parts += month_axis(months, lambda index: left + (index + 0.5) * step, bottom, right - left)
    described = f"{len(drawn)} of {len(series)} styles, {months[0]} to {months[-1]}"
    return svg.document(width, bottom + 30, title, described, parts)


def _months_alive(one: ShareSeries) -> list[int]:
    return [index for index, share in enumerate(one.share) if math.isfinite(share) and share > 0]


def _life(one: ShareSeries) -> tuple[int, int, float, int]:
    alive = _months_alive(one) or [len(one.share)]
    return alive[0], alive[-1], -one.peak, one.style_id


def _life_words(one: ShareSeries, months: Sequence[str]) -> str:
    alive = _months_alive(one)
    if not alive:
        return "no posts"
    best = max(alive, key=lambda index: one.share[index])
    return f"{len(alive)} month{'' if len(alive) == 1 else 's'}, peak {percent(one.peak)} in {months[best]}"
