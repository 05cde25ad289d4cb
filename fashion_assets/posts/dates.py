"""When a post was published: one calendar day (Asia/Shanghai) out of what the platform shows.

The platform leaves out what a reader of the day knows: the year ("06-11"), the month ("昨天 15:20"), or the
day ("3天前"). All of them are read against the time of the fetch. Belongs here: the day of one post. Does
not: which days the lake accepts at all, and which crawl of a post decides (``placement``).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Literal

from fashion_assets.posts.times import (
    FULL_WIDTH,
    MAX_TIME_LENGTH,
    from_epoch,
    is_empty,
    parse_fetch_time,
    parse_full_time,
    quoted,
)

DateSource = Literal["text", "relative", "edited", "id"]

#: The platform opened in June 2013: an id that says an earlier second is not a creation time.
PLATFORM_START = datetime(2013, 6, 1)

#: 02-29 is at most eight years away (1896 to 1904 is the longest gap between leap years).
_LEAP_GAP_YEARS = 8

_PREFIX = re.compile(
    r"(编辑于|编辑|edited(?:\s+on)?)\s*[::]?\s*|(?:发布于|发表于|更新于|posted(?:\s+on)?)\s*[::]?\s*", re.I
)
# A place may follow: "05-17 上海".
_PLACE = r"(?:\s*[一-鿿]{2,12}|\s+(?!UTC|GMT)[A-Za-z][A-Za-z .]{1,30})?"
_ZONE_NAME = re.compile(r"[A-Z]{1,4}T|UTC")
#: Behind the time, what it was posted with or where: "03月05日 12:30 来自 iPhone 13".
_ORIGIN = re.compile(r"(?<=\S)\s*(?:来自|发布于|IP属地).*")
_WEEKDAY = re.compile(r"(?<=[日\d])\s*[(（]?(?:星期|周)[一二三四五六日天][)）]?")
_CLOCK = r"(?:\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2})?)?"
_MONTH_DAY = re.compile(r"(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?" + _CLOCK + _PLACE)
_DAY_WORD = re.compile(
    r"(?P<word>刚刚|刚才|今[天日]|昨[天日]|前[天日]|大前天|just now|today|yesterday)" + _CLOCK + _PLACE, re.I
)
_DAYS_BACK = {"昨天": 1, "昨日": 1, "yesterday": 1, "前天": 2, "前日": 2, "大前天": 3}
_AGO = re.compile(
    r"(?P<number>\d{1,5}|[一二两三四五六七八九十半几])\s*个?\s*"
    r"(?P<unit>秒钟|秒|分钟|分|小时|钟头|天|日|星期|周|礼拜|月|年|seconds?|minutes?|mins?|hours?|hrs?|[smhdw]|days?|weeks?|months?|years?)"
    r"\s*(?:之前|以前|前|ago)" + _PLACE,
    re.I,
)
_NUMERALS = {word: number for number, word in enumerate("一二三四五六七八九十", start=1)} | {"两": 2}
_SECONDS = {"秒": 1, "s": 1, "分": 60, "m": 60, "小": 3600, "钟": 3600, "h": 3600, "天": 86400, "日": 86400}
_SECONDS |= {"d": 86400, "星": 604800, "周": 604800, "礼": 604800, "w": 604800}
_UNREADABLE = "cannot be read as a date; expected e.g. 06-11, 2024-06-11, 昨天 15:20 or 3天前."
_HEX_SECOND = re.compile(r"[0-9a-f]{8}", re.I)


def resolve_post_date(
    text: str | None, fetched_at: datetime | str | None, post_id: str | None = None
) -> date | None:
    """The day of a post, or None where the text is empty without a usable id, unreadable, impossible or
    future.

    ``text`` is what the platform showed, ``fetched_at`` when (naive times are Asia/Shanghai wall time), and
    ``post_id`` is looked at only if the text is empty. ``resolve_post_date_with_source`` also says why.
    """
    return resolve_post_date_with_source(text, fetched_at, post_id)[0]


def resolve_post_date_with_source(
    text: str | None, fetched_at: datetime | str | None, post_id: str | None = None
) -> tuple[date | None, DateSource | None, str | None]:
    """The day, where it comes from, and the fault: either a day with its source, or a sentence.

    A date without a year takes the latest year that does not put the post after its fetch; 02-29 so goes to
    the last leap year that fits. A text that is there but unreadable is a fault: the id is not asked, because
    a wrong column is likelier than a wrong date. The time of day is checked but not used: a post dated to the
    day of its fetch is not in the future, whatever its clock says.
    """
    fetched = parse_fetch_time(fetched_at)
    if text is None or is_empty(text):
        return _from_id(post_id, fetched)
    shown = " ".join(str(text).translate(FULL_WIDTH).split())
    source: DateSource = "text"
    shown = _WEEKDAY.sub("", _ORIGIN.sub("", shown))
    prefix = _PREFIX.match(shown)
    if prefix:
        source = "edited" if prefix.group(1) else "text"
        shown = shown[prefix.end() :]
    try:
        day, relative, fault = _read(shown, fetched)
    except (ValueError, OverflowError):
        return (
            None,
            None,
            f"{quoted(text)} is no day of any calendar; expected a date such as 06-11 or 2024-06-11.",
        )
    if day is None:
        return None, None, f"{quoted(text)} {fault}"
    if fetched is not None and day > fetched.date():
        said = f"{quoted(text)} lies after the fetch of {fetched:%Y-%m-%d %H:%M}; a post cannot be from the future."
        if day - fetched.date() == timedelta(days=1):
            said += " If the fetch was noted in the time of another zone, write it with the zone (+00:00)."
        return None, None, said
    if relative and day < PLATFORM_START.date():
        return None, None, f"{quoted(text)} lies before the platform's start in {PLATFORM_START:%Y-%m}."
    return day, "relative" if relative and source == "text" else source, None


def combine_date_text(post_date: str | None, post_time: str | None) -> str | None:
    """The one text that dates a post when a crawler split it at the blank into two columns.

    "昨天" + "15:20" and "3" + "天前" belong together; in "06-04" + "天前" the first is complete and the
    second a left-over; a clock time alone dates nothing.
    """
    first = "" if is_empty(post_date) else str(post_date).strip()
    second = "" if is_empty(post_time) else str(post_time).strip()
    if not second:
        return first or None
    if not first:
        return None if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", second) else second
    if re.fullmatch(r"\d{1,3}", first) and re.match(r"\D", second):
        return first + second
    if first in {"编辑于", "发布于", "发表于"}:
        return f"{first} {second}"
    return first


def _read(shown: str, fetched: datetime | None) -> tuple[date | None, bool, str]:
    """(day, was it relative, the rest of the fault sentence); raises ValueError for a day that does not
    exist.
    """
    if len(shown) > MAX_TIME_LENGTH:
        return None, False, _UNREADABLE
    full = parse_full_time(shown)
    if full is not None:
        return full.date(), False, ""
    place = re.fullmatch(r"(.*\d\S*)\s+([一-鿿A-Za-z ]{2,30})", shown)
    # What stands behind a clock like the name of a zone that is not known here would be a guess, maybe by a day.
    if place and not _ZONE_NAME.fullmatch(place.group(2)):
        full = parse_full_time(place.group(1))
        if full is not None:
            return full.date(), False, ""
    month_day = _MONTH_DAY.fullmatch(shown)
    word = _DAY_WORD.fullmatch(shown)
    ago = _AGO.fullmatch(shown)
    if not (month_day or word or ago):
        return None, False, _UNREADABLE
    if ago:
        # Before the fetch is asked for: months and years are too vague in any case.
        unit = ago["unit"].lower()
        if unit.startswith(("月", "年", "month", "year")) or ago["number"] == "几":
            return None, False, "does not say the day; expected one such as 06-11, 2024-06-11 or 3天前."
    if fetched is None:
        return None, False, "can only be dated by its fetch, and post_fetch_time is empty or unreadable."
    if ago:
        number = 0.5 if ago["number"] == "半" else _NUMERALS.get(ago["number"]) or int(ago["number"])
        return (fetched - timedelta(seconds=number * _SECONDS[unit[0]])).date(), True, ""
    found = month_day or word
    assert found is not None
    if found["hour"] and (int(found["hour"]) > 23 or int(found["minute"]) > 59):
        raise ValueError("no time of any day")
    if word:
        return (fetched - timedelta(days=_DAYS_BACK.get(word["word"].lower(), 0))).date(), True, ""
    assert month_day is not None
    return _latest_year(int(month_day["month"]), int(month_day["day"]), fetched.date()), False, ""


def _latest_year(month: int, day: int, fetched: date) -> date:
    """The last such day that is not after the fetch; raises ValueError if no year has it."""
    date(2000, month, day)  # 2000 is a leap year: a day that it lacks no year has
    for year in range(fetched.year, fetched.year - _LEAP_GAP_YEARS - 1, -1):
        if (month, day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
            continue
        candidate = date(year, month, day)
        if candidate <= fetched:
            return candidate
    raise ValueError("no such day")


def _from_id(
    post_id: str | None, fetched: datetime | None
) -> tuple[date | None, DateSource | None, str | None]:
    """The creation day in an id's first eight hex digits, if they say a second between start and fetch."""
    head = _HEX_SECOND.match(str(post_id).strip()) if post_id is not None else None
    if head is None:
        return (
            None,
            None,
            "The date is empty and the id does not begin with a creation second (eight hex digits).",
        )
    if fetched is None:
        return (
            None,
            None,
            "The date is empty, and without a post_fetch_time the id's second cannot be checked.",
        )
    created = from_epoch(int(head.group(), 16))
    # By days, as for every other date: a fetch that is known to the day alone says midnight.
    if created < PLATFORM_START or created.date() > fetched.date():
        return (
            None,
            None,
            f"The date is empty and the id's second, {created:%Y-%m-%d}, is not between "
            f"{PLATFORM_START:%Y-%m} and the fetch.",
        )
    return created.date(), "id", None
