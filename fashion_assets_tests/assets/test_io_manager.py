"""The I/O manager's contract, through real materialisations."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.defs.io_managers import LakeIOManager, as_arrow
from fashion_assets.storage.errors import UserError

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_date="2024-05-01")
SCHEMA = pa.schema([("post_id", pa.string()), ("likes", pa.int64()), ("tags", pa.list_(pa.string()))])
WINDOW = dg.TimeWindowPartitionMapping(start_offset=-2)
seen: dict[str, object] = {}


@dg.asset(partitions_def=MONTHS)
def posts(context) -> pd.DataFrame:
    return pd.DataFrame({"tags": [["裙"], []], "post_id": ["a", "b"], "likes": [None, 3], "extra": [1, 2]})


@dg.asset(partitions_def=MONTHS)
def same_month(posts: pd.DataFrame) -> None:
    seen["same"] = posts


@dg.asset(partitions_def=MONTHS, ins={"posts": dg.AssetIn(partition_mapping=WINDOW)})
def window(posts: dict[str, pa.Table]) -> None:
    seen["window"] = posts


@dg.asset
def whole() -> pa.Table:
    return pa.table({"word": ["裙"]})


@dg.asset
def reader(whole: pa.Table) -> None:
    seen["whole"] = whole


def make(
    root: Path,
    assets: list[dg.AssetsDefinition],
    month: str | None = None,
    selection: list[str] | None = None,
) -> bool:
    seen.clear()
    result = dg.materialize(
        assets,
        partition_key=month,
        resources={"io_manager": LakeIOManager(root, {"posts": SCHEMA})},
        selection=selection,
        raise_on_error=True,
    )
    return result.success


def test_a_month_is_one_file_in_the_columns_of_its_schema(tmp_path: Path) -> None:
    assert make(tmp_path, [posts, same_month], "2024-02-01")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet")] == [
        "posts/2024-02.parquet"
    ]
    loaded = seen["same"]
    assert isinstance(loaded, pd.DataFrame)
    assert list(loaded.columns) == ["post_id", "likes", "tags"]
    assert loaded["tags"].tolist() == [["裙"], []]
    assert loaded["likes"].isna().tolist() == [True, False] and loaded["likes"].dtype == "Int64"


def test_a_window_is_a_dict_also_when_it_holds_one_month(tmp_path: Path) -> None:
    make(tmp_path, [posts], "2024-01-01")
    make(tmp_path, [posts, window], "2024-01-01", ["window"])
    assert list(seen["window"]) == ["2024-01-01"]  # type: ignore[call-overload]
    make(tmp_path, [posts], "2024-02-01")
    make(tmp_path, [posts, window], "2024-02-01", ["window"])
    assert list(seen["window"]) == ["2024-01-01", "2024-02-01"]  # type: ignore[call-overload]


def test_missing_months_of_a_window_are_named(tmp_path: Path) -> None:
    make(tmp_path, [posts], "2024-03-01")
    with pytest.raises(Exception) as caught:
        make(tmp_path, [posts, window], "2024-03-01", ["window"])
    chain = f"{caught.value} {caught.value.__cause__}"
    assert "posts is missing 2024-01, 2024-02" in chain


def test_a_whole_table_is_all(tmp_path: Path) -> None:
    assert make(tmp_path, [whole, reader])
    assert (tmp_path / "whole" / "all.parquet").exists()
    assert seen["whole"].equals(pa.table({"word": ["裙"]}))  # type: ignore[attr-defined]


def test_a_column_that_is_missing_or_of_another_type_is_named() -> None:
    with pytest.raises(UserError, match="lacks the column"):
        as_arrow(pd.DataFrame({"post_id": []}), SCHEMA, "posts")
    with pytest.raises(UserError, match="does not fit its schema"):
        as_arrow(pd.DataFrame({"post_id": ["a"], "likes": ["many"], "tags": [[]]}), SCHEMA, "posts")
