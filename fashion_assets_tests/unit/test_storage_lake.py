"""The lake names what is missing and what is damaged, on disk and in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_parquet_atomic, write_parquet_stream_atomic
from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.storage.parquet_files import open_parquet
from fashion_assets.storage.places import Place
from fashion_assets.storage.tables import TableStream


@pytest.fixture
def lake(any_root: Place) -> Lake:
    lake = Lake(any_root)
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
        UserError, match=r"2024-01\.parquet cannot be read.*fashion-assets run makes it again.*posts 2024-01"
    ):
        lake.read("posts", "2024-01")


def test_a_flipped_bit_never_gives_other_rows(tmp_path: Path) -> None:
    """Every page has a checksum; what lies between pages changes nothing or cannot be read."""
    lake, rng = Lake(tmp_path), np.random.default_rng(0)
    table = pa.table(
        {"vector": rng.random(2000, dtype=np.float32), "post_id": [str(at) for at in range(2000)]}
    )
    path = lake.write("posts", "2024-01", table)
    assert isinstance(path, Path)
    whole, refused = path.read_bytes(), 0
    for place in np.linspace(0, len(whole) - 1, 150).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            read = pa.Table.from_batches(list(lake.batches("posts", "2024-01")))
            assert read.equals(table) and lake.read("posts", "2024-01").equals(table), place
        except UserError as fault:
            assert str(path) in str(fault)
            refused += 1
    assert refused > 140


def test_the_digest_of_a_file_is_that_of_its_bytes(any_root: Place) -> None:
    path = any_root / "t.parquet"
    assert write_parquet_atomic(path, pa.table({"a": range(5000)})) == file_digest(path)
    parts = [pa.table({"a": range(at, at + 3)}) for at in range(0, 9, 3)]
    assert write_parquet_stream_atomic(path, parts[0].schema, parts) == file_digest(path)


def test_batches_are_the_table_in_order(lake: Lake) -> None:
    table = pa.table({"post_id": [str(at) for at in range(10)], "likes": range(10)})
    lake.write("posts", "2024-05", table)
    batches = list(lake.batches("posts", "2024-05", rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert pa.Table.from_batches(batches).equals(table)
    [batch] = lake.batches("posts", "2024-05", columns=["likes"])
    assert batch.schema.names == ["likes"]


def test_batches_of_what_is_missing_or_damaged_are_refused(lake: Lake) -> None:
    with pytest.raises(MissingMonthsError, match="posts is missing 2024-02"):
        lake.batches("posts", "2024-02")
    with pytest.raises(UserError, match="a batch has at least one row"):
        lake.batches("posts", "2024-01", rows=0)
    with pytest.raises(UserError, match=r"lacks the column\(s\) likes; it has \['post_id'\]"):
        list(lake.batches("posts", "2024-01", columns=["post_id", "likes"]))
    path = lake.path("posts", "2024-01")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="or materialise posts 2024-01"):
        list(lake.batches("posts", "2024-01"))


STREAMED = pa.schema([("post_id", pa.string()), ("likes", pa.int64())])


def test_a_stream_is_stored_as_one_table_part_by_part(lake: Lake) -> None:
    parts = [
        pd.DataFrame({"likes": [1, None], "post_id": ["a", "b"], "extra": [0, 0]}),
        pa.table({"likes": pa.array([3], pa.int32()), "post_id": ["c"]}),
        pa.record_batch({"post_id": ["d"], "likes": [4]}),
        STREAMED.empty_table(),
    ]
    stream = TableStream(STREAMED, iter(parts))
    path = lake.write_stream("posts", "2024-06", stream)
    stored = lake.read("posts", "2024-06")
    assert stored.schema.equals(STREAMED)
    assert stored.to_pydict() == {"post_id": ["a", "b", "c", "d"], "likes": [1, None, 3, 4]}
    assert stream.n_rows == 4
    with open_parquet(path) as file:
        assert file.num_row_groups == 3


def test_an_empty_stream_is_a_table_without_rows(lake: Lake) -> None:
    lake.write_stream("posts", "2024-06", TableStream(STREAMED, []))
    assert lake.read("posts", "2024-06").equals(STREAMED.empty_table())
    assert list(lake.batches("posts", "2024-06")) == []


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (pa.table({"post_id": ["a"]}), r"posts lacks the column\(s\) likes"),
        (pa.table({"post_id": ["a"], "likes": ["many"]}), "posts does not fit its schema"),
        (pd.DataFrame({"post_id": ["a"], "likes": ["many"]}), "posts does not fit its schema"),
        (OSError("the reader failed"), "the reader failed"),
    ],
)
def test_a_stream_that_fails_leaves_the_old_table(lake: Lake, part: object, message: str) -> None:
    def parts() -> Iterator[pa.Table]:
        yield pa.table({"post_id": ["x"], "likes": [1]})
        if isinstance(part, Exception):
            raise part
        yield part

    with pytest.raises((UserError, OSError), match=message):
        lake.write_stream("posts", "2024-01", TableStream(STREAMED, parts()))
    assert lake.read("posts", "2024-01")["post_id"].to_pylist() == ["2024-01"]
    assert [path.name for path in (lake.root / "posts").iterdir() if path.suffix == ".tmp"] == []
