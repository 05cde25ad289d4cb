"""Reading a Parquet file in pieces gives the table that pyarrow reads at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_assets.storage import parquet_files
from fashion_assets.storage.parquet_files import read_parquet


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "_PIECE_BYTES", 1)
    monkeypatch.setattr(parquet_files, "_MIN_PIECE_ROWS", 7)


def month(rows: int) -> pa.Table:
    columns = {
        "post_id": pa.array([f"p{at}" for at in range(rows)], pa.string()),
        "tags": pa.array(
            [None if at % 5 == 0 else ["a"] * (at % 3) for at in range(rows)], pa.list_(pa.string())
        ),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(range(3 * rows), pa.float32()), 3),
        "kind": pa.array([f"k{at % 4}" for at in range(rows)], pa.string()).dictionary_encode(),
    }
    return pa.table(columns).replace_schema_metadata({"model_id": "made"})


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("rows", [0, 1, 7, 50])
@pytest.mark.parametrize("columns", [None, ["vector", "post_id"], []])
def test_the_table_is_the_same_in_pieces(tmp_path: Path, rows: int, columns: list[str] | None) -> None:
    path = tmp_path / "month.parquet"
    pq.write_table(month(rows), path, row_group_size=20)
    at_once, found = pq.read_table(path, columns=columns, partitioning=None), read_parquet(path, columns)
    assert found.equals(at_once) and found.schema.equals(at_once.schema, check_metadata=True)
    assert found.column_names == (month(rows).column_names if columns is None else columns)


@pytest.mark.usefixtures("small_pieces")
def test_large_tables_come_in_pieces_and_small_ones_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "month.parquet"
    pq.write_table(month(50), path)
    assert read_parquet(path)["vector"].num_chunks == 8
    monkeypatch.setattr(parquet_files, "_PIECE_BYTES", 1 << 20)
    assert read_parquet(path)["vector"].num_chunks == 1


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    pq.write_table(month(3), tmp_path / "month.parquet")
    with pytest.raises(pa.ArrowInvalid, match=r"lacks the column\(s\) likes; it has post_id, tags"):
        read_parquet(tmp_path / "month.parquet", ["post_id", "likes"])
