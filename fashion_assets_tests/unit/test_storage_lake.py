"""The lake names what is missing and what is damaged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake, MissingMonthsError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    for month in ("2024-01", "2024-03"):
        lake.write("posts", month, pa.table({"post_id": [month]}))
    lake.write("words", None, pa.table({"word": ["裙"]}))
    return lake


def test_what_was_written_is_read(lake: Lake) -> None:
    assert lake.months("posts") == ["2024-01", "2024-03"]
    assert lake.read("posts", "2024-03-01")["post_id"].to_pylist() == ["2024-03"]
    assert lake.read("words")["word"].to_pylist() == ["裙"]
    assert lake.months("words") == []


def test_one_month_is_a_dict_too(lake: Lake) -> None:
    assert list(lake.read_months("posts", ["2024-01"])) == ["2024-01"]


def test_every_missing_month_is_named(lake: Lake) -> None:
    with pytest.raises(MissingMonthsError, match="2024-02, 2024-04") as caught:
        lake.read_months("posts", ["2024-01", "2024-02", "2024-03", "2024-04"])
    assert caught.value.months == ["2024-02", "2024-04"]


def test_a_damaged_file_is_named_with_what_to_do(lake: Lake) -> None:
    path = lake.path("posts", "2024-01")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        UserError, match=r"2024-01\.parquet cannot be read.*delete it and materialise posts 2024-01"
    ):
        lake.read("posts", "2024-01")
