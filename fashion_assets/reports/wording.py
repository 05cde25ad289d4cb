"""Numbers, months and post texts as a reader sees them: one way each, for pages, charts and montage."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from fashion_assets.storage.months import month_range

DASH = "–"  # what stands for "not known"; never a zero
ELLIPSIS = "…"
# An own list: calendar.month_name follows the process locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# Characters that change how the text around them is laid out (Unicode TR 9): a post must not mirror our page.
_BIDI_CONTROLS = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def is_missing(value: object) -> bool:
    """True for None, NaN, NaT and pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA refuses to be a truth value
        return True


def as_float(value: Any) -> float:
    """The number, or NaN if it is missing."""
    return math.nan if is_missing(value) else float(value)


def percent(value: Any, digits: int = 1) -> str:
    """`0.1234 -> "12.3%"`; a dash if unknown."""
    number = as_float(value)
    return f"{100 * number:.{digits}f}%" if math.isfinite(number) else DASH


def quantity(value: Any) -> str:
    """`12345 -> "12,345"`, halves kept (`10.5`); a dash if unknown."""
    number = as_float(value)
    if not math.isfinite(number):
        return DASH
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def month_title(month: str) -> str:
    """`"2024-01" -> "January 2024"`; anything that is no month comes back as it is."""
    year, _, number = month[:7].partition("-")
    if year.isdigit() and number.isdigit() and 1 <= int(number) <= 12:
        return f"{_MONTHS[int(number) - 1]} {year}"
    return month


def all_months(months: Iterable[str]) -> list[str]:
    """Every calendar month from the first to the last of `months`, so that a gap stays visible in a chart."""
    known = sorted({month[:7] for month in months})
    return month_range(known[0], known[-1]) if known else []


def plain(text: object) -> str:
    """One line of text without control and text-direction characters; not escaped (the callers do that)."""
    if is_missing(text):
        return ""
    kept = (
        " " if character.isspace() else character
        for character in str(text)
        if character.isspace()
        or (unicodedata.category(character) not in ("Cc", "Cs", "Co") and character not in _BIDI_CONTROLS)
    )
    return " ".join("".join(kept).split())


def clip(text: object, length: int) -> str:
    """`plain(text)`, at most `length` characters, an ellipsis counted in where it was cut."""
    line = plain(text)
    return line if len(line) <= length else line[: max(length - 1, 0)].rstrip() + ELLIPSIS


def style_label(name: object, style_id: int) -> str:
    """The style's name, or "Style 7" while it has none; posts without a style have the id -1."""
    return plain(name) or (f"Style {style_id}" if style_id >= 0 else "no style")
