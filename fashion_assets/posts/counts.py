"""Likes, collects and comments: whole numbers out of what the platform shows ("1.2万", "1千+", "1,234")."""

from __future__ import annotations

import re
from decimal import Decimal

import pandas as pd

from fashion_assets.posts.times import FULL_WIDTH, is_empty, quoted
from fashion_assets.storage.errors import UserError

#: More than there are people: such a number is an id or a time stamp in the wrong column.
MAX_COUNT = 10**10

_UNITS = {"": 1, "百": 100, "k": 10**3, "千": 10**3, "w": 10**4, "万": 10**4, "萬": 10**4, "十万": 10**5}
_UNITS |= {"m": 10**6, "百万": 10**6, "千万": 10**7, "亿": 10**8, "億": 10**8, "b": 10**9}
_COUNT = re.compile(
    r"(?P<number>[0-9]{1,3}(?:[,' \u2009\u202f][0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)"
    r"\s*(?P<unit>十万|百万|千万|[kwmb百千万萬亿億])?\s*\+?",
    re.I,
)
_NEGATIVE = re.compile(r"[-−–—﹣]\s*[0-9]")

#: The platform shows the button's own word instead of a zero.
_ZERO_WORDS = frozenset({"赞", "讚", "点赞", "喜欢", "收藏", "评论", "抢首评"})


def parse_count(text: str) -> int:
    """The whole number that a count says; "1千+" and "10+" give the number shown, which is a lower bound.

    Exact (decimal arithmetic), so "1.2w" is 12000. Raises ``UserError`` (a ``ValueError``) for an empty,
    negative, broken, fractional or impossibly large one, with a sentence that quotes it.
    """
    shown = str(text).translate(FULL_WIDTH).strip()
    if shown in _ZERO_WORDS:
        return 0
    if _NEGATIVE.match(shown):
        raise UserError(f"{quoted(text)} is negative; expected a count of 0 or more.")
    found = _COUNT.fullmatch(shown)
    if not found:
        raise UserError(
            f"{quoted(text)} cannot be read as a count; expected e.g. 128, 1,234, 3k, 1.2万 or 10+."
        )
    digits = re.sub(r"[^0-9.]", "", found["number"])
    if len(digits) > 40:
        raise UserError(f"'{digits[:20]}…' has too many digits for a count.")
    value = Decimal(digits) * _UNITS[(found["unit"] or "").lower()]
    if value != value.to_integral_value():
        raise UserError(f"{quoted(text)} is not a whole number; expected e.g. 128, 3k or 1.2万.")
    if value > MAX_COUNT:
        raise UserError(
            f"{quoted(text)} is more than any post can have ({MAX_COUNT:,}); is it an id in the wrong column?"
        )
    return int(value)


def parse_counts(series: pd.Series) -> tuple[pd.Series, pd.Series]:
    """A column of counts as (Int64 with NA where empty, fault sentences with None where there is none)."""
    values: dict[object, int | None] = {}
    faults: dict[object, str | None] = {}
    for shown in series.dropna().unique():
        values[shown] = faults[shown] = None
        if is_empty(shown):
            continue
        try:
            values[shown] = parse_count(shown)
        except UserError as fault:
            faults[shown] = str(fault)
    numbers = pd.array([values.get(shown) if not pd.isna(shown) else None for shown in series], dtype="Int64")
    sentences = [faults.get(shown) if not pd.isna(shown) else None for shown in series]
    return (
        pd.Series(numbers, index=series.index, name=series.name),
        pd.Series(sentences, index=series.index, name=series.name, dtype=object),
    )
