"""Fetch times: when a crawler saw a post, as naive Asia/Shanghai wall time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

#: The platform's clock. China has kept one offset without daylight saving since 1991, before the platform
#: began.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

#: Epoch stamps outside 2001..2286 have not 10 digits of seconds; milli-, micro- and nanoseconds have 3, 6 and 9 more.
#: What Python's ``time.time()`` writes has a fraction.
_EPOCH = re.compile(r"(\d{10})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?")

#: ``20240625``, ``20240625140646``, ``20240625T1406``.
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[ T_-]?(\d{2}):?(\d{2})(?::?(\d{2}))?)?")

#: 15:20, 15:20:06.123, 3:20 PM, 下午3:20, 15时20分; behind it a zone: Z, +08:00, +00, GMT+8, UTC, +0800 (CST).
_CLOCK = (
    r"(?:(?P<before>上午|下午)\s*)?(?P<hour>\d{1,2})\s*[:时]\s*(?P<minute>\d{2})(?:[:分](?P<second>\d{2})(?:[.,]\d+)?)?[分秒]?"
    r"(?:\s*(?P<after>[ap])\.?m\.?(?![a-z]))?"
    r"(?:\s*(?P<zone>(?:UTC|GMT)?\s?[+-]\d{1,2}(?::?\d{2})?|[A-Z]{1,3})(?:\s*\([^()]{1,40}\)|\s(?:UTC|GMT|CST))?)?"
)
_FULL_TIME = re.compile(
    r"(?P<year>\d{4})\s*(?P<separator>[-/.年])\s*(?P<month>\d{1,2})\s*(?:(?P=separator)|月)\s*(?P<day>\d{1,2})\s*日?"
    rf"(?:[\sT]*{_CLOCK}|\s*(?:Z|[+-]\d{{2}}:?\d{{2}}))?",
    re.I,
)
#: Zones by name. CST is China's on a Chinese platform, as Java writes it; names of other zones are not guessed at.
_ZONE_HOURS = {"Z": 0, "UTC": 0, "GMT": 0, "CST": 8}

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = (
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?"
)
#: As APIs and mail write it: "Tue Mar 05 12:30:00 +0800 2024", "Tue, 05 Mar 2024 12:30:00 GMT", "Mar 5, 2024 3:20 PM".
_ENGLISH = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}\.?,?\s+)?"
    rf"(?:(?P<month>{_MONTH_NAME})\.?\s+(?P<day>\d{{1,2}})|(?P<day_first>\d{{1,2}})[\s-]+(?P<month_second>{_MONTH_NAME})\.?)"
    r"(?:st|nd|rd|th)?(?:,?[\s-]+(?P<year>\d{4})(?:,|\s+at)?(?P<clock>\s+\d.*)?|\s+(?P<clock_first>\d.*?)\s+(?P<year_last>\d{4}))",
    re.I,
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
    compact = _COMPACT.fullmatch(text)
    if compact:
        return datetime(*(int(part or 0) for part in compact.groups()))  # type: ignore[arg-type]
    found = _FULL_TIME.fullmatch(text) or _FULL_TIME.fullmatch(_in_numbers(text))
    if not found:
        return None
    parts = [int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")]
    half = (found["before"] or found["after"] or "").lower()
    if half and parts[3] <= 12:
        parts[3] = parts[3] % 12 + (12 if half in ("下午", "p") else 0)
    moment = datetime(*parts)  # type: ignore[arg-type]
    if not found["zone"]:
        return moment
    zone = _zone(found["zone"].upper())
    return None if zone is None else to_shanghai(moment.replace(tzinfo=zone))


def _in_numbers(text: str) -> str:
    """A time with the month's English name as ``2024-3-05 12:30:00 +0800``; any other text as it is."""
    found = _ENGLISH.fullmatch(text)
    if not found:
        return text
    month = _MONTH_NAMES.index((found["month"] or found["month_second"])[:3].lower()) + 1
    year, day = found["year"] or found["year_last"], found["day"] or found["day_first"]
    return f"{year}-{month}-{day} {(found['clock'] or found['clock_first'] or '').strip()}".strip()


def _zone(name: str) -> timezone | None:
    """The zone that stands behind a clock; None if the name is not known. ``ValueError`` for an offset of a day."""
    if name in _ZONE_HOURS:
        return timezone(timedelta(hours=_ZONE_HOURS[name]))
    offset = re.search(r"([+-])(\d{1,2}?):?(\d{2})?$", name)
    if offset is None:
        return None
    sign, hours, minutes = offset.groups()
    return timezone(timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1))


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
