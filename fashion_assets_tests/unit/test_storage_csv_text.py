"""CSV for people: formulas become text, numbers and everything else stay."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.csv_text import csv_text, with_formula, without_formula


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        '=HYPERLINK("http://example.org","x")',
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1+1",
        "-",
    ],
)
def test_a_formula_becomes_text(cell: str) -> None:
    assert without_formula(cell) == f"'{cell}"
    assert with_formula(without_formula(cell)) == cell


@pytest.mark.parametrize(
    "cell", ["-5", "+3.5", "-1e-7", "-.5", "-3%", "", "裙", "a=b", "'quoted'", 5, -2.5, None]
)
def test_what_is_no_formula_stays(cell: object) -> None:
    assert without_formula(cell) == cell


@given(st.text(max_size=12))
def test_every_text_comes_back(cell: str) -> None:
    assert with_formula(str(without_formula(cell))) == cell
    assert with_formula(str(without_formula(f"'{cell}"))) == f"'{cell}"


def test_names_text_and_categories_are_made_harmless_and_numbers_are_not() -> None:
    table = pd.DataFrame(
        {
            "=id": ["=1", "7"],
            "n": [-1, 2],
            "share": [-0.5, None],
            "label": pd.Categorical(["@x", "y"]),
            "mixed": [None, "-cmd"],
        }
    )
    rows = list(csv.reader(io.StringIO(csv_text(table, float_format="%.2f"))))
    assert rows == [
        ["'=id", "n", "share", "label", "mixed"],
        ["'=1", "-1", "-0.50", "'@x", ""],
        ["7", "2", "", "y", "'-cmd"],
    ]
    assert table.columns[0] == "=id" and table.iloc[0, 0] == "=1"


def test_columns_of_one_name_are_all_made_harmless() -> None:
    table = pd.DataFrame([["=1", "=2"]], columns=["a", "a"])
    assert csv_text(table) == "a,a\n'=1,'=2\n"
