"""Fetch times: when a crawler saw a post, as naive Asia/Shanghai wall time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

#: The platform's clock. China has kept one offset without daylight saving since 1991, before the platform
#: began.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

#: Epoch stamps outside 2001..2286 have not 10 digits (seconds) or 13 (milliseconds); both occur in API
#: crawls.
_EPOCH = re.compile(r"(\d{10})(?:\d{3})?(?:\.0+)?")

_FULL_TIME = re.compile(
    r"(?P<year>\d{4})\s*(?P<separator>[-/.年])\s*(?P<month>\d{1,2})\s*(?:(?P=separator)|月)\s*(?P<day>\d{1,2})\s*日?"
    r"(?:[\sT]*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)

#: No time is written in more characters; a longer text would cost the patterns its length squared.
MAX_TIME_LENGTH = 100

#: What table writers put into an empty cell.
_EMPTY = frozenset({"", "nan", "nat", "none", "null", "<na>"})

#: Full-width forms (U+FF01..U+FF5E) to ASCII. NFKC would also turn "1²" into "12", so it is not used on
#: numbers.
FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20, 0xA0: 0x20}


def is_empty(text: object) -> bool:
    """True where a cell holds nothing: None, NaN, NaT, white space, or a table writer's word for it."""
    if text is None or (isinstance(text, float) and text != text):
        return True
    return str(text).strip().lower() in _EMPTY


def quoted(value: object, limit: int = 40) -> str:
    """A cell as a sentence shows it: in quotation marks and cut, because a wrong column may hold a whole
    post.
    """
    text = " ".join(str(value).split())
    return f"'{text if len(text) <= limit else text[:limit] + '…'}'"


def to_shanghai(moment: datetime) -> datetime:
    """The moment as naive Asia/Shanghai wall time; a naive moment is taken to be that already."""
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(SHANGHAI).replace(tzinfo=None)


def from_epoch(seconds: int) -> datetime:
    """Unix seconds as naive Asia/Shanghai wall time."""
    return datetime.fromtimestamp(seconds, SHANGHAI).replace(tzinfo=None)


def parse_full_time(text: str) -> datetime | None:
    """A date with a year, with or without time and zone, as Shanghai wall time; None if the text has another
    form.

    Raises ``ValueError`` if it has the form and names no real moment (02-30, 25:00).
    """
    if len(text) > MAX_TIME_LENGTH:
        return None
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return from_epoch(int(epoch.group(1)))
    found = _FULL_TIME.fullmatch(text)
    if not found:
        return None
    parts = [int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")]
    moment = datetime(*parts)  # type: ignore[arg-type]
    zone = found["zone"]
    if zone and found["hour"]:
        digits = "+0000" if zone == "Z" else zone.replace(":", "")
        offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5])) * (-1 if digits[0] == "-" else 1)
        moment = to_shanghai(moment.replace(tzinfo=timezone(offset)))
    return moment


def parse_fetch_time(value: datetime | str | None) -> datetime | None:
    """The fetch time as naive Shanghai wall time to the second; None where it is empty or unreadable."""
    if value is None or is_empty(value):
        return None
    if isinstance(value, datetime):
        return to_shanghai(value).replace(microsecond=0)
    try:
        return parse_full_time(str(value).translate(FULL_WIDTH).strip())
    except (ValueError, OverflowError):
        return None
