"""Commands that print CSV: what a person wrote does not become a formula of the reader's spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.cli.products.options import people_csv
from fashion_assets.products.schemas import PRODUCT_SPLIT
from fashion_assets.products.splits import read_split, write_split
from fashion_assets.storage.warehouse import publish_tables

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd", "-2+3+cmd", "@SUM(1)", "\t=1", '=HYPERLINK("http://e","x")']


def assert_inert(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r") and not NUMBER.fullmatch(cell)]


def test_sql_prints_no_formula(tmp_path: Path) -> None:
    table = pa.table({"=title": FORMULAS, "tags": [[one] for one in FORMULAS], "n": list(range(-6, 0))})
    publish_tables(tmp_path / "warehouse.duckdb", {"posts": table})
    asked = ["sql", "from posts", "--data-dir", str(tmp_path), "--format"]
    printed = CliRunner().invoke(app, [*asked, "csv"])
    assert printed.exit_code == 0, printed.output
    assert_inert(printed.output)
    assert len(printed.output.splitlines()) == 7 and "\n'=cmd" in printed.output
    asked_as_json = json.loads(CliRunner().invoke(app, [*asked, "json"]).output)
    assert [row["=title"] for row in asked_as_json] == FORMULAS


def test_predictions_and_refusals_hold_no_formula() -> None:
    assert_inert(people_csv(pd.DataFrame({"id": FORMULAS, "kind": pd.Categorical(FORMULAS), "share": -0.5})))


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_split_of_a_model_holds_no_formula_and_is_read_back(tmp_path: Path, split: str) -> None:
    made = pd.DataFrame({"id": FORMULAS, "family": 0, "split": split})[PRODUCT_SPLIT.names]
    assert_inert(write_split(tmp_path, made).read_text("utf-8"))
    assert read_split(tmp_path)["id"].tolist() == FORMULAS
