"""A window is read whole while it is small; of a large one a part that months, order and seeds do not bend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.styles.model import post_keys
from fashion_assets.styles.window_posts import ASSET, read_window

SIZES = {"2024-01": 400, "2024-02": 800, "2024-03": 20}


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    draw = np.random.default_rng(1)
    return {
        month: pa.table(
            {
                "post_id": [f"{month}-{row}" for row in range(size)],
                "vector": pa.FixedSizeListArray.from_arrays(draw.normal(size=size * 3).astype(np.float32), 3),
            }
        )
        for month, size in SIZES.items()
    }


@pytest.fixture
def lake(tmp_path: Path, tables: dict[str, pa.Table]) -> Lake:
    lake = Lake(tmp_path)
    for month, table in tables.items():
        lake.write(ASSET, month, table)
    return lake


def test_a_small_window_is_read_whole(lake: Lake, tables: dict[str, pa.Table]) -> None:
    window = read_window(lake, list(SIZES), limit=1_220)
    assert window.table.equals(pa.concat_tables(tables.values()))
    assert window.n_posts == 1_220
    np.testing.assert_array_equal(window.keys, post_keys(window.table["post_id"].to_pylist()))


def test_of_a_large_window_each_month_gives_its_share(lake: Lake, tables: dict[str, pa.Table]) -> None:
    window = read_window(lake, list(SIZES), limit=610, min_month=30)
    read = window.table["post_id"].to_pylist()
    counts = {month: sum(post.startswith(month) for post in read) for month in SIZES}
    # Half of each; all of a month that has fewer than the least.
    assert counts == {"2024-01": 200, "2024-02": 400, "2024-03": 20}
    assert window.n_posts == 1_220
    np.testing.assert_array_equal(
        window.keys, post_keys([post for table in tables.values() for post in table["post_id"].to_pylist()])
    )
    vectors = {
        post: vector
        for table in tables.values()
        for post, vector in zip(table["post_id"].to_pylist(), table["vector"].to_pylist(), strict=True)
    }
    assert [vectors[post] for post in read] == window.table["vector"].to_pylist()


def test_the_order_of_rows_decides_nothing(lake: Lake, tables: dict[str, pa.Table]) -> None:
    before = read_window(lake, list(SIZES), limit=300, min_month=5).table["post_id"].to_pylist()
    for month, table in tables.items():
        lake.write(ASSET, month, table.take(np.random.default_rng(2).permutation(len(table))))
    after = read_window(lake, list(SIZES), limit=300, min_month=5).table["post_id"].to_pylist()
    assert before != after and set(before) == set(after)


def test_a_window_that_moves_on_reads_mostly_the_same_posts(lake: Lake) -> None:
    small = read_window(lake, ["2024-01", "2024-02"], limit=300, min_month=5).table["post_id"].to_pylist()
    moved = read_window(lake, ["2024-02", "2024-03"], limit=300, min_month=5).table["post_id"].to_pylist()
    february = {post for post in small if post.startswith("2024-02")}
    assert len(february) == 200 and february <= set(moved)


def test_every_missing_month_is_named(lake: Lake) -> None:
    with pytest.raises(MissingMonthsError, match="2023-11, 2023-12"):
        read_window(lake, ["2023-12", "2024-01", "2023-11"])
