"""posts.dates: every form that the platform shows, against the time of the fetch."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.posts.dates import combine_date_text, resolve_post_date, resolve_post_date_with_source
from fashion_assets.posts.times import parse_fetch_time

FETCHED = "2024-06-25 14:06:46"
ID_OF_MARCH = "65f00000" + "0" * 16  # 2024-03-12 in Shanghai

DATED = [
    ("06-11", "2024-06-11", "text"),
    ("06-25", "2024-06-25", "text"),
    ("06-26", "2023-06-26", "text"),
    ("12-31", "2023-12-31", "text"),
    ("6月11日", "2024-06-11", "text"),
    ("０６－１１", "2024-06-11", "text"),
    ("05-17 上海", "2024-05-17", "text"),
    ("05-17 12:30 上海", "2024-05-17", "text"),
    ("2023-06-11", "2023-06-11", "text"),
    ("2023/6/11", "2023-06-11", "text"),
    ("2023.06.11", "2023-06-11", "text"),
    ("2023年6月11日", "2023-06-11", "text"),
    ("2023-06-11 15:20", "2023-06-11", "text"),
    ("2023-06-11 15:20 上海", "2023-06-11", "text"),
    ("2023-06-11T20:00:00Z", "2023-06-12", "text"),
    ("1718090000", "2024-06-11", "text"),
    ("1718090000000", "2024-06-11", "text"),
    ("1718090000000000", "2024-06-11", "text"),
    ("1718090000000000000", "2024-06-11", "text"),
    ("1718090000.4711", "2024-06-11", "text"),
    ("20240611153000", "2024-06-11", "text"),
    ("2023年6月11日 15时20分", "2023-06-11", "text"),
    ("2024/6/11 下午 3:20:00", "2024-06-11", "text"),
    # The last evening of February in London is March in Shanghai, whoever writes the zone how.
    ("2024-02-29 20:00:00 UTC", "2024-03-01", "text"),
    ("2024-02-29 20:00:00+00", "2024-03-01", "text"),
    ("2024-02-29 20:00:00.123 +0000 UTC", "2024-03-01", "text"),
    ("2024-02-29 8:00 PM GMT", "2024-03-01", "text"),
    ("2024-03-01 02:00 GMT+9", "2024-03-01", "text"),
    ("Thu Feb 29 20:00:00 +0000 2024", "2024-03-01", "text"),
    ("Thu, 29 Feb 2024 20:00:00 GMT", "2024-03-01", "text"),
    ("Fri Mar 01 2024 04:00:00 GMT+0800 (中国标准时间)", "2024-03-01", "text"),
    ("Fri Mar 01 04:00:00 CST 2024", "2024-03-01", "text"),
    ("March 1st, 2024 at 3:20 PM", "2024-03-01", "text"),
    ("2023-06-11 15:20 UK", "2023-06-11", "text"),
    ("06月11日 15:20 来自 iPhone 13 Pro", "2024-06-11", "text"),
    ("2024-06-11 15:20 来自 微博 weibo.com", "2024-06-11", "text"),
    ("06-11 发布于 上海", "2024-06-11", "text"),
    ("2024年6月11日星期二 12:30", "2024-06-11", "text"),
    ("2024-06-11 (周二)", "2024-06-11", "text"),
    ("昨日 15:20 IP属地：浙江", "2024-06-24", "relative"),
    ("昨天 15:20 来自上海", "2024-06-24", "relative"),
    ("昨天 15:20", "2024-06-24", "relative"),
    ("昨天15:20 浙江", "2024-06-24", "relative"),
    ("前天", "2024-06-23", "relative"),
    ("今天 09:00", "2024-06-25", "relative"),
    ("刚刚", "2024-06-25", "relative"),
    ("5分钟前", "2024-06-25", "relative"),
    ("15小时前", "2024-06-24", "relative"),
    ("3天前", "2024-06-22", "relative"),
    ("三天前 广东", "2024-06-22", "relative"),
    ("2周前", "2024-06-11", "relative"),
    ("3 days ago", "2024-06-22", "relative"),
    ("编辑于 06-11", "2024-06-11", "edited"),
    ("编辑于昨天 15:20", "2024-06-24", "edited"),
    ("编辑于 2023-06-11", "2023-06-11", "edited"),
    ("编辑于 3天前", "2024-06-22", "edited"),
]


@pytest.mark.parametrize(("text", "day", "source"), DATED)
def test_forms(text: str, day: str, source: str) -> None:
    assert resolve_post_date_with_source(text, FETCHED, ID_OF_MARCH) == (
        date.fromisoformat(day),
        source,
        None,
    )
    assert resolve_post_date(text, FETCHED) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("02-30", "no day of any calendar"),
        ("13-01", "no day of any calendar"),
        ("00-10", "no day of any calendar"),
        ("2023-02-29", "no day of any calendar"),
        ("昨天 25:00", "no day of any calendar"),
        ("2024-06-26", "after the fetch"),
        ("2031-01-01", "after the fetch"),
        ("很久以前", "cannot be read as a date"),
        ("2024-06", "cannot be read as a date"),
        ("15:20", "cannot be read as a date"),
        ("3个月前", "does not say the day"),
        ("9999天前", "before the platform"),
        ("99999年前", "does not say the day"),
        ("2024-02-29 20:00:00 EST", "cannot be read"),
        ("2024-02-29 20:00 AEST", "cannot be read"),
        ("昨天 20:00 UTC", "cannot be read"),
        ("Fri Feb 30 20:00:00 +0000 2024", "no day"),
        ("2024-02-29 20:00 +99:00", "no day"),
    ],
)
def test_faults_are_sentences_and_never_fall_back_to_the_id(text: str, says: str) -> None:
    day, source, fault = resolve_post_date_with_source(text, FETCHED, ID_OF_MARCH)
    assert day is None and source is None
    assert fault is not None and says in fault and text in fault and fault.endswith(".")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1719295606.4711", "14:06:46"),
        ("1719295606123456", "14:06:46"),
        ("2024-06-25 06:06:46+00", "14:06:46"),
        ("2024-06-25 06:06:46 UTC", "14:06:46"),
        ("Tue, 25 Jun 2024 06:06:46 GMT", "14:06:46"),
        ("2024-06-25 14:06:46,123", "14:06:46"),
        ("2024/6/25 2:06:46 PM", "14:06:46"),
        ("2024/6/25 下午2:06", "14:06:00"),
        ("2024/6/25 12:06 AM", "00:06:00"),
        ("20240625T140646", "14:06:46"),
        ("20240625", "00:00:00"),
    ],
)
def test_fetch_times_as_programs_write_them(text: str, moment: str) -> None:
    assert parse_fetch_time(text) == datetime.fromisoformat(f"2024-06-25 {moment}")


def test_a_fetch_noted_in_another_zone_is_told_how_to_be_written() -> None:
    """A crawler on a server that runs in UTC sees a post of this morning in Shanghai yesterday evening."""
    assert "zone (+00:00)" in str(resolve_post_date_with_source("2024-06-12 03:30", "2024-06-11 20:00:00"))
    assert resolve_post_date("2024-06-12 03:30", "2024-06-11 20:00:00+00:00") == date(2024, 6, 12)
    assert "zone (" not in str(resolve_post_date_with_source("2024-06-14", "2024-06-11 20:00:00"))


def test_the_leap_day_goes_to_the_last_leap_year_that_fits() -> None:
    assert resolve_post_date("02-29", "2024-02-28 10:00") == date(2020, 2, 29)
    assert resolve_post_date("02-29", "2024-02-29 10:00") == date(2024, 2, 29)
    assert resolve_post_date("02-29", "2027-01-01 10:00") == date(2024, 2, 29)
    assert resolve_post_date("02-29", "1903-01-01 10:00") == date(1896, 2, 29)


@pytest.mark.parametrize("empty", [None, "", "  ", "nan", "NaT"])
def test_an_empty_date_is_read_from_the_id(empty: str | None) -> None:
    assert resolve_post_date_with_source(empty, FETCHED, ID_OF_MARCH) == (date(2024, 3, 12), "id", None)


@pytest.mark.parametrize("post_id", [None, "", "p707dff957909", "00000000ab", "ffffffffab", "66800000ab"])
def test_an_id_without_a_plausible_second_dates_nothing(post_id: str | None) -> None:
    # 66800000 is 2024-06-29, four days after the fetch.
    day, _, fault = resolve_post_date_with_source("", FETCHED, post_id)
    assert day is None and fault is not None and "date is empty" in fault


def test_the_id_counts_in_shanghai_time() -> None:
    # 2024-03-11 23:30 UTC is the 12th in Shanghai.
    second = int(datetime.fromisoformat("2024-03-11T23:30:00+00:00").timestamp())
    assert resolve_post_date("", FETCHED, f"{second:08x}") == date(2024, 3, 12)


def test_without_a_fetch_time_only_full_dates_are_dates() -> None:
    assert resolve_post_date("2024-06-11", None) == date(2024, 6, 11)
    for text in ("06-11", "昨天", "3天前"):
        assert "post_fetch_time" in (resolve_post_date_with_source(text, None)[2] or "")


def test_aware_fetch_times_are_turned_to_shanghai() -> None:
    assert resolve_post_date("今天", datetime.fromisoformat("2024-06-24T20:00:00+00:00")) == date(2024, 6, 25)
    assert parse_fetch_time("2024-06-24T20:00:00Z") == datetime(2024, 6, 25, 4)
    assert parse_fetch_time("tomorrow") is None and parse_fetch_time("2024-02-30") is None


@pytest.mark.parametrize(
    ("post_date", "post_time", "text"),
    [
        ("06-11", "15:20", "06-11"),
        ("06-04", "天前", "06-04"),
        ("3", "天前", "3天前"),
        ("昨天", "15:20", "昨天"),
        ("编辑于", "06-11", "编辑于 06-11"),
        (None, "3天前", "3天前"),
        (None, "15:20", None),
        ("", None, None),
    ],
)
def test_date_and_time_columns_are_one_text(
    post_date: str | None, post_time: str | None, text: str | None
) -> None:
    assert combine_date_text(post_date, post_time) == text


moments = st.datetimes(datetime(2014, 1, 1), datetime(2035, 1, 1))


@given(fetched=moments, back=st.integers(0, 364))
def test_month_and_day_find_the_day_back_within_a_year(fetched: datetime, back: int) -> None:
    day = fetched.date() - timedelta(days=back)
    if (day.month, day.day) != (2, 29):
        assert resolve_post_date(f"{day:%m-%d}", fetched) == day


@given(fetched=moments, days=st.integers(0, 400))
def test_days_ago_is_subtraction(fetched: datetime, days: int) -> None:
    if days < 180:
        assert resolve_post_date(f"{days}天前", fetched) == fetched.date() - timedelta(days=days)


@given(text=st.text(max_size=20), fetched=moments, post_id=st.text("0123456789abcdef", max_size=24))
def test_any_text_is_a_day_not_after_the_fetch_or_a_sentence(
    text: str, fetched: datetime, post_id: str
) -> None:
    day, source, fault = resolve_post_date_with_source(text, fetched, post_id)
    assert (day is None) == (source is None) == (fault is not None)
    assert day is None or day <= fetched.date()
