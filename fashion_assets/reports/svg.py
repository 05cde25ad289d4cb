"""The drawing primitives that the charts share: escaped text, scales, ticks, markers, labels kept apart.

Everything returns strings of SVG. Colours are CSS variables with a fallback, so that a chart follows the
page's light or dark scheme. No text reaches the output except through `text` or `title`.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from fashion_assets.reports.palette import MARKERS, css_colour
from fashion_assets.reports.wording import ELLIPSIS, plain

INK = "var(--ink,#1c1d1f)"
MUTED = "var(--muted,#62666d)"
RULE = "var(--rule,#dcdad5)"
GHOST = "var(--ghost,#c4c2bc)"  # lines and bars that give context without a name
PAPER = "var(--paper,#ffffff)"
FONT_SIZE = 12.5
# Mean advance of a Latin character and of a wide (Han) one, in em: measured on Noto Sans / DejaVu, on the
# safe side.
NARROW_EM, WIDE_EM = 0.57, 1.0


def escape(value: object) -> str:
    """Text for element content or a quoted attribute; without control characters, so it is valid XML."""
    return html.escape(plain(value), quote=True)


def text_width(value: str, size: float = FONT_SIZE) -> float:
    """Estimated width in user units (no font is measured: the page picks its own)."""
    return size * sum(WIDE_EM if unicodedata.east_asian_width(c) in "WF" else NARROW_EM for c in value)


def shorten(value: object, width: float, size: float = FONT_SIZE) -> str:
    """`plain(value)` cut with an ellipsis so that its estimated width is at most `width`."""
    line = plain(value)
    if text_width(line, size) <= width:
        return line
    while line and text_width(line + ELLIPSIS, size) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS


@dataclass(frozen=True)
class Scale:
    """A straight map from data to user units; a domain of no length maps to the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round values (1, 2, 2.5 or 5 times a power of ten) that cover `[low, high]`."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        centre = low if math.isfinite(low) else 0.0
        low, high = centre - (abs(centre) or 1.0) / 2, centre + (abs(centre) or 1.0) / 2
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(
        factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9)
    )
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The positions moved so that neighbours are `gap` apart, inside `[low, high]` if they fit.

    Order is kept. Used for labels at the end of lines.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    moved = [0.0] * len(positions)
    floor = low
    for index in order:
        moved[index] = max(positions[index], floor)
        floor = moved[index] + gap
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def number(value: float) -> str:
    """A coordinate with two digits at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str = RULE, width: float = 1.0, dash: str = ""
) -> str:
    """One straight stroke."""
    dashes = f";stroke-dasharray:{dash}" if dash else ""
    return (
        f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" '
        f'style="stroke:{colour};stroke-width:{number(width)}{dashes}"/>'
    )


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    colour: str,
    *,
    opacity: float = 1.0,
    tooltip: object = "",
) -> str:
    """A filled box with a hover text."""
    hover = f"<title>{escape(tooltip)}</title>" if tooltip else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" '
        f'style="fill:{colour};fill-opacity:{number(opacity)}">{hover}</rect>'
    )


def ribbon(
    x1: float,
    x2: float,
    left: tuple[float, float],
    right: tuple[float, float],
    colour: str,
    *,
    opacity: float,
    tooltip: object = "",
) -> str:
    """A band that runs from the upright stretch `left` (top, bottom) at `x1` to `right` at `x2`."""
    middle = number((x1 + x2) / 2)
    a, b, c, d = (number(value) for value in (*left, *right))
    start, end = number(x1), number(x2)
    hover = f"<title>{escape(tooltip)}</title>" if tooltip else ""
    return (
        f'<path d="M{start},{a}C{middle},{a} {middle},{c} {end},{c}V{d}C{middle},{d} {middle},{b} {start},{b}Z" '
        f'style="fill:{colour};fill-opacity:{number(opacity)};stroke:none">{hover}</path>'
    )


def path(points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "") -> str:
    """A stroke through the points."""
    steps = "L".join(f"{number(x)},{number(y)}" for x, y in points)
    dashes = f";stroke-dasharray:{dash}" if dash else ""
    return (
        f'<path d="M{steps}" style="fill:none;stroke:{colour};stroke-width:{number(width)};'
        f'stroke-linejoin:round;stroke-linecap:round{dashes}"/>'
    )


def area(
    upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], colour: str, opacity: float
) -> str:
    """The band between two lines that share their x positions."""
    outline = [*upper, *reversed(lower)]
    steps = "L".join(f"{number(x)},{number(y)}" for x, y in outline)
    return f'<path d="M{steps}Z" style="fill:{colour};fill-opacity:{number(opacity)};stroke:none"/>'


def text(
    x: float,
    y: float,
    value: object,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: float = FONT_SIZE,
    bold: bool = False,
    halo: bool = False,
) -> str:
    """One line of escaped text; `halo` keeps it readable where it stands on a ribbon or a line."""
    weight = ";font-weight:600" if bold else ""
    if halo:
        weight += f";paint-order:stroke;stroke:{PAPER};stroke-width:3px;stroke-linejoin:round"
    return (
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" '
        f'style="fill:{colour};font-size:{number(size)}px{weight}">{escape(value)}</text>'
    )


def marker(x: float, y: float, slot: int, *, radius: float = 3.6, tooltip: object = "") -> str:
    """The slot's shape, with a hover text."""
    shape, colour, r = MARKERS[slot % len(MARKERS)], css_colour(slot), radius
    outlines = {
        "square": f"M{-r},{-r}H{r}V{r}H{-r}Z",
        "triangle": f"M0,{-1.25 * r}L{1.2 * r},{0.9 * r}H{-1.2 * r}Z",
        "diamond": f"M0,{-1.35 * r}L{1.35 * r},0L0,{1.35 * r}L{-1.35 * r},0Z",
        "cross": f"M{-r},{-r}L{r},{r}M{-r},{r}L{r},{-r}",
        "down": f"M0,{1.25 * r}L{1.2 * r},{-0.9 * r}H{-1.2 * r}Z",
        "bar": f"M0,{-1.4 * r}V{1.4 * r}",
    }
    circle = f"M{-r},0A{r},{r} 0 1 1 {r},0A{r},{r} 0 1 1 {-r},0Z"
    hollow = shape in ("ring", "cross", "bar")
    fill = PAPER if shape == "ring" else ("none" if hollow else colour)
    stroke = f"stroke:{colour};stroke-width:2" if hollow else f"stroke:{PAPER};stroke-width:1"
    hover = f"<title>{escape(tooltip)}</title>" if tooltip else ""
    return (
        f'<path transform="translate({number(x)} {number(y)})" d="{outlines.get(shape, circle)}" '
        f'style="fill:{fill};{stroke}">{hover}</path>'
    )


def document(width: float, height: float, title: str, description: str, parts: Sequence[str]) -> str:
    """The `<svg>` element: scales with its column, named for screen readers."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    return (
        f'<svg {size} role="img" aria-label="{escape(title)}" class="chart">'
        f"<desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )
