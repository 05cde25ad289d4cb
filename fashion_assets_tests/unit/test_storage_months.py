"""Month arithmetic and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import key_of_month, month_of_key, month_range, parse_months, shift_month

MONTHS = st.builds(lambda y, m: f"{y:04d}-{m:02d}", st.integers(1990, 2100), st.integers(1, 12))


@given(MONTHS, st.integers(-300, 300))
def test_shifting_there_and_back_is_nothing(month: str, by: int) -> None:
    assert shift_month(shift_month(month, by), -by) == month


@given(MONTHS, st.integers(0, 60))
def test_a_range_holds_every_month_once_in_order(first: str, length: int) -> None:
    months = month_range(first, shift_month(first, length))
    assert months == sorted(set(months))
    assert len(months) == length + 1


@given(MONTHS)
def test_keys_and_months_are_one_to_one(month: str) -> None:
    assert month_of_key(key_of_month(month)) == month


def test_ranges_as_people_write_them() -> None:
    assert parse_months("2024-01:2024-03") == ["2024-01", "2024-02", "2024-03"]
    assert parse_months("2024-03,2024-01") == ["2024-01", "2024-03"]
    assert parse_months("2024-05:", ["2024-01", "2024-06"]) == ["2024-05", "2024-06"]
    assert parse_months(":2024-02", ["2024-01", "2024-06"]) == ["2024-01", "2024-02"]


def test_a_range_to_the_last_month_there_is_has_an_end() -> None:
    """As people write "from then on": the month after 9999-12 has a digit more, and is before it as a text."""
    assert parse_months("9999-11:9999-12") == ["9999-11", "9999-12"]


@pytest.mark.parametrize("text", ["2024-13", "Jan", "2024-03:2024-01", "", "2024-01:", "2024-1"])
def test_what_is_no_range_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UserError):
        parse_months(text)
