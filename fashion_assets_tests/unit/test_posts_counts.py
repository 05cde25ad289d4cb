"""posts.counts: what the platform shows as a number, exactly."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.posts.counts import MAX_COUNT, parse_count, parse_counts
from fashion_assets.storage.errors import UserError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1.2w", 12000),
        ("1.2W", 12000),
        ("1.2万", 12000),
        ("1.2萬", 12000),
        ("3k", 3000),
        ("1千+", 1000),
        ("10+", 10),
        ("1,234", 1234),
        ("12,345,678", 12345678),
        ("１２３", 123),
        ("１．２Ｗ＋", 12000),
        ("1.2亿", 120000000),
        ("10万+", 100000),
        ("3百万", 3000000),
        (" 88 ", 88),
        ("81.0", 81),
        ("1.0001万", 10001),
        ("赞", 0),
        ("抢首评", 0),
    ],
)
def test_forms(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-5", "negative"),
        ("−5", "negative"),
        ("－5", "negative"),
        ("很多", "cannot be read"),
        ("", "cannot be read"),
        ("12..5", "cannot be read"),
        ("1O2", "cannot be read"),
        ("#REF!", "cannot be read"),
        ("12,34", "cannot be read"),
        ("1²", "cannot be read"),
        ("٣", "cannot be read"),
        ("1e5", "cannot be read"),
        ("1.5", "whole number"),
        ("1.23456万", "whole number"),
        ("99999999999", "more than any post"),
        ("9" * 400, "too many digits"),
    ],
)
def test_faults_are_sentences(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as fault:
        parse_count(text)
    assert isinstance(fault.value, ValueError) and str(fault.value).endswith((".", "?"))


@given(st.integers(0, MAX_COUNT))
def test_any_count_is_read_back_in_every_spelling(count: int) -> None:
    assert parse_count(str(count)) == parse_count(f"{count:,}") == parse_count(f"{count}+") == count
    assert parse_count(f"{Decimal(count) / 10000:f}万") == count


@given(st.text(max_size=12))
def test_any_text_is_a_count_or_a_sentence(text: str) -> None:
    try:
        assert 0 <= parse_count(text) <= MAX_COUNT
    except UserError as fault:
        assert str(fault)


def test_a_column_keeps_unknown_apart_from_zero_and_from_faults() -> None:
    counts, faults = parse_counts(
        pd.Series(["1.2w", None, "", "0", "-1", "nan", float("nan")], index=list("abcdefg"))
    )
    assert str(counts.dtype) == "Int64"
    assert counts["a"] == 12000 and counts["d"] == 0
    assert counts[["b", "c", "e", "f", "g"]].isna().all()
    assert "negative" in faults["e"] and faults.drop("e").isna().all()
