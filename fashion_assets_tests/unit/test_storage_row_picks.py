"""Rows are picked out of months in order, with the columns asked for, whatever batches they are read in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage import row_picks
from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.storage.row_picks import picked_rows, places_by_month, rows_of_posts

MONTHS = ["2024-01", "2024-02"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setattr(row_picks, "BATCH_ROWS", 4)
    lake = Lake(tmp_path)
    for at, month in enumerate(MONTHS):
        ids = [f"p{10 * at + row}" for row in range(10)]
        table = pa.table({"post_id": ids, "number": range(10), "words": [[one] for one in ids]})
        lake.write("posts", month, table.replace_schema_metadata({"made": "by a test"}))
    return lake


@pytest.mark.parametrize("rows", [[], [0], [3, 4], [0, 5, 9], list(range(10))])
def test_places_are_picked_over_batches(lake: Lake, rows: list[int]) -> None:
    whole = lake.read("posts", "2024-01")
    assert picked_rows(lake, "posts", "2024-01", np.array(rows, np.intp)).equals(
        whole.take(pa.array(rows, pa.int64()))
    )
    few = picked_rows(lake, "posts", "2024-01", np.array(rows, np.intp), ["number"])
    assert few.schema.names == ["number"] and few["number"].to_pylist() == rows
    assert few.schema.metadata == {b"made": b"by a test"}


def test_posts_are_picked_over_months_in_the_order_that_they_lie(lake: Lake) -> None:
    found = rows_of_posts(lake, "posts", MONTHS, {"p12", "p3", "p9", "nobody"}, ["post_id", "words"])
    assert found.to_pydict() == {"post_id": ["p3", "p9", "p12"], "words": [["p3"], ["p9"], ["p12"]]}
    assert rows_of_posts(lake, "posts", MONTHS, set(), ["post_id"]).num_rows == 0


def test_a_month_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(MissingMonthsError, match="2024-03"):
        picked_rows(lake, "posts", "2024-03", np.arange(1))
    with pytest.raises(MissingMonthsError, match="2024-03"):
        rows_of_posts(lake, "posts", [*MONTHS, "2024-03"], {"p3"}, ["post_id"])


@given(st.lists(st.integers(0, 5), max_size=6), st.data())
def test_places_by_month_are_those_of_the_tables_below_each_other(
    sizes: list[int], data: st.DataObject
) -> None:
    total = sum(sizes)
    rows = sorted(data.draw(st.sets(st.integers(0, total - 1)))) if total else []
    counts = {f"month {at}": size for at, size in enumerate(sizes)}
    starts = dict(zip(counts, np.cumsum([0, *sizes]).tolist(), strict=False))
    found = [
        starts[month] + place
        for month, places in places_by_month(counts, np.array(rows, np.intp))
        for place in places.tolist()
    ]
    assert found == rows
