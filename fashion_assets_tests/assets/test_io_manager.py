"""The I/O manager's contract, through real materialisations."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.defs.io_managers import LakeIOManager, to_frame
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.places import Place
from fashion_assets.storage.tables import TableStream, as_arrow

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
    root: Place,
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


def test_a_month_is_one_file_in_the_columns_of_its_schema(any_root: Place) -> None:
    assert make(any_root, [posts, same_month], "2024-02-01")
    assert [str(path.relative_to(any_root)) for path in any_root.rglob("*.parquet")] == [
        "posts/2024-02.parquet"
    ]
    loaded = seen["same"]
    assert isinstance(loaded, pd.DataFrame)
    assert list(loaded.columns) == ["post_id", "likes", "tags"]
    assert loaded["tags"].tolist() == [["裙"], []]
    assert loaded["likes"].isna().tolist() == [True, False] and loaded["likes"].dtype == "Int64"


def test_a_window_is_a_dict_also_when_it_holds_one_month(any_root: Place) -> None:
    make(any_root, [posts], "2024-01-01")
    make(any_root, [posts, window], "2024-01-01", ["window"])
    assert list(seen["window"]) == ["2024-01-01"]  # type: ignore[call-overload]
    make(any_root, [posts], "2024-02-01")
    make(any_root, [posts, window], "2024-02-01", ["window"])
    assert list(seen["window"]) == ["2024-01-01", "2024-02-01"]  # type: ignore[call-overload]


def test_missing_months_of_a_window_are_named(any_root: Place) -> None:
    make(any_root, [posts], "2024-03-01")
    with pytest.raises(Exception) as caught:
        make(any_root, [posts, window], "2024-03-01", ["window"])
    chain = f"{caught.value} {caught.value.__cause__}"
    assert "posts is missing 2024-01, 2024-02" in chain


def test_a_whole_table_is_all(any_root: Place) -> None:
    assert make(any_root, [whole, reader])
    assert (any_root / "whole" / "all.parquet").exists()
    assert seen["whole"].equals(pa.table({"word": ["裙"]}))  # type: ignore[attr-defined]


def test_a_column_that_is_missing_or_of_another_type_is_named() -> None:
    with pytest.raises(UserError, match="lacks the column"):
        as_arrow(pd.DataFrame({"post_id": []}), SCHEMA, "posts")
    with pytest.raises(UserError, match="does not fit its schema"):
        as_arrow(pd.DataFrame({"post_id": ["a"], "likes": ["many"], "tags": [[]]}), SCHEMA, "posts")


def stream_posts(root: Place, stream: TableStream) -> dg.ExecuteInProcessResult:
    @dg.asset(name="posts", partitions_def=MONTHS)
    def streamed() -> dg.MaterializeResult:
        return dg.MaterializeResult(value=stream, metadata={"posts": "many"})

    manager = LakeIOManager(root, {"posts": SCHEMA})
    return dg.materialize([streamed], partition_key="2024-02-01", resources={"io_manager": manager})


def frames(fail: bool = False) -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"tags": [["裙"], []], "post_id": ["a", "b"], "likes": [None, 3]})
    yield pd.DataFrame({"tags": [["裤"]], "post_id": ["c"], "likes": [4]})
    if fail:
        raise OSError("the reader failed")


def test_a_stream_is_stored_and_counted_like_a_frame(any_root: Place) -> None:
    made = stream_posts(any_root, TableStream(SCHEMA, frames(), lambda: {"top": "裙"}))
    [materialization] = made.asset_materializations_for_node("posts")
    metadata = materialization.metadata
    assert metadata["dagster/row_count"].value == 3
    assert [column.name for column in metadata["dagster/column_schema"].value.columns] == SCHEMA.names
    assert (metadata["top"].value, metadata["posts"].value) == ("裙", "many")
    table = Lake(any_root).read("posts", "2024-02")
    assert table.to_pydict() == {
        "post_id": ["a", "b", "c"],
        "likes": [None, 3, 4],
        "tags": [["裙"], [], ["裤"]],
    }


def test_a_failing_stream_leaves_the_month_that_was_there(any_root: Place) -> None:
    stream_posts(any_root, TableStream(SCHEMA, frames()))
    with pytest.raises(OSError, match="the reader failed"):
        stream_posts(any_root, TableStream(SCHEMA, frames(fail=True)))
    assert Lake(any_root).read("posts", "2024-02").num_rows == 3


def test_a_stream_of_another_schema_is_refused(any_root: Place) -> None:
    with pytest.raises(UserError, match="posts is streamed in another schema"):
        stream_posts(any_root, TableStream(pa.schema([("post_id", pa.string())]), frames()))


def test_a_batch_becomes_a_frame_like_its_table() -> None:
    table = as_arrow(next(frames()), SCHEMA)
    [batch] = table.to_batches()
    pd.testing.assert_frame_equal(to_frame(batch), to_frame(table))
    assert to_frame(batch)["tags"].tolist() == [["裙"], []]


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_how_a_frame_was_made_is_no_part_of_the_table(schema: pa.Schema | None) -> None:
    """A month that is made again reuses what was cut before: the same rows have to be the same bytes."""
    frame = pd.DataFrame({"post_id": ["a"], "likes": [3], "tags": [["裙"]]})
    first = as_arrow(frame, schema)
    frame.attrs["reused"] = 1
    assert as_arrow(frame, schema).schema.equals(first.schema, check_metadata=True)
    assert frame.attrs == {"reused": 1}, "its maker goes on with it"
