"""The warehouse is swapped in whole, and what people send to it can only read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.warehouse import publish_tables, query


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    publish_tables(
        path, {"posts": pa.table({"post_id": ["a", "b"], "likes": [1, None]})}, {"posts": "It's the posts"}
    )
    return path


def test_rows_come_back(warehouse: Path) -> None:
    rows = query(warehouse, "select post_id, likes from posts order by post_id")
    assert rows["post_id"].tolist() == ["a", "b"]
    assert query(warehouse, "select comment from duckdb_tables()")["comment"].tolist() == ["It's the posts"]


def test_a_table_may_come_in_parts(tmp_path: Path) -> None:
    months = [
        pa.table({"post_id": [f"{month}-{row}" for row in range(3)], "words": [["a"]] * 3}) for month in "ab"
    ]
    path = tmp_path / "warehouse.duckdb"
    assert publish_tables(path, {"posts": iter(months), "none": iter(())}, {"posts": "All"}) == {"posts": 6}
    assert query(path, "from posts")["post_id"].tolist() == ["a-0", "a-1", "a-2", "b-0", "b-1", "b-2"]
    assert query(path, "select table_name from duckdb_tables()")["table_name"].tolist() == ["posts"]


def test_a_reader_keeps_its_file_while_a_new_one_is_published(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        publish_tables(warehouse, {"posts": pa.table({"post_id": ["c"]})})
        assert reader.execute("select count(*) from posts").fetchone() == (2,)
    assert query(warehouse, "select post_id from posts")["post_id"].tolist() == ["c"]


def test_what_a_killed_writer_left_beside_the_old_file_does_not_lock_the_new_one(warehouse: Path) -> None:
    """Somebody opened the warehouse for writing, against the advice, and was killed: his log is of the old file."""
    writes = (
        "import duckdb, os, sys; writer = duckdb.connect(sys.argv[1]); "
        "writer.execute('create table mine as select 1'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", writes, str(warehouse)], check=False)
    log = Path(f"{warehouse}.wal")
    left = log.read_bytes()
    publish_tables(warehouse, {"posts": pa.table({"post_id": ["c"]})})
    assert query(warehouse, "select post_id from posts")["post_id"].tolist() == ["c"]
    log.write_bytes(left)  # one that is alive, and goes on writing
    with pytest.raises(
        UserError, match=r"End who opened it for writing, then delete .*warehouse\.duckdb\.wal"
    ):
        query(warehouse, "from posts")


def test_a_failed_publication_leaves_the_old_file(warehouse: Path) -> None:
    def broken() -> Iterator[pa.Table]:
        yield pa.table({"post_id": ["c"]})
        raise UserError("the second month is damaged")

    with pytest.raises(UserError, match="second month"):
        publish_tables(warehouse, {"posts": broken()})
    assert len(query(warehouse, "from posts")) == 2
    assert {path.name for path in warehouse.parent.iterdir()} == {
        ".warehouse.duckdb.lock",
        "warehouse.duckdb",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "insert into posts values ('x', 1)",
        "create table t (a int)",
        "drop table posts",
        "attach 'other.duckdb'",
        "copy posts to 'stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "reset lock_configuration",
        "pragma memory_limit='1GB'",
        "create temp table t as select 1",
        "create macro f() as 1",
        "with x as (insert into posts values ('x', 1) returning *) from x",
        "explain analyze insert into posts values ('x', 1)",
        "select * from query('from read_csv(''/etc/passwd'')')",
        "select * from glob('/etc/*')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from parquet_scan('https://example.org/x.parquet')",
        "from duckdb_secrets()",
        "export database 'copy'",
        "import database 'copy'",
        "copy (select 1) to 'stolen.csv'",
        "copy (select 1) to '/dev/stdout'",
        "prepare v as select 1",
        "execute v",
        "checkpoint",
        "vacuum",
        "begin",
        "detach warehouse",
        "select getenv('HOME')",
        "create temp table t as pivot posts on post_id using sum(likes)",
        "with x as (pivot posts on post_id using sum(likes)) insert into posts from x",
        "explain analyze create temp table t as select 1",
        "explain analyze copy posts to 'stolen.csv'",
        "select 1; select 2",
        "selekt",
        "",
    ],
)
def test_nothing_but_one_reading_statement(warehouse: Path, statement: str) -> None:
    with pytest.raises(UserError):
        query(warehouse, statement)
    assert len(query(warehouse, "from posts")) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "show tables",
        "describe posts",
        "summarize posts",
        "explain select 1",
        "pivot posts on post_id using sum(likes)",
        "explain analyze select 1",
        "select 'copy 裙 copy' copy_a, 1 \"copy\" -- copy",
        "explain (analyze, format json) from posts",
        "EXPLAIN (from posts)",
        "-- what it costs\r\n  explain analyze pivot posts on post_id using sum(likes)",
        "-- by post\nfrom (pivot posts on post_id using sum(likes))",
        "with x as (pivot posts on post_id using sum(likes)) select * from x /* by post */",
    ],
)
def test_statements_that_read_are_answered(warehouse: Path, statement: str) -> None:
    assert len(query(warehouse, statement)) > 0


@pytest.mark.parametrize("place", ["{path}", "{path}.wal", "{path}.tmp/x.csv"])
@pytest.mark.parametrize(
    "statement",
    [
        "copy posts to '{place}' (use_tmp_file false)",
        "copy (pivot posts on post_id using sum(likes)) to '{place}' (use_tmp_file false)",
        "explain analyze copy posts to '{place}' (use_tmp_file false)",
        "explain (analyze) copy posts to '{place}' (use_tmp_file false)",
        "explain (analyze /*) select 1 --*/) copy posts to '{place}' (use_tmp_file false)",
        "/* /* */ explain select 1 -- */ explain analyze copy posts to '{place}' (use_tmp_file false)",
        "-- \rexplain select 1 --\nexplain analyze copy posts to '{place}' (use_tmp_file false)",
        "-- \rselect 1 --\ncopy (pivot posts on post_id using sum(likes)) to '{place}' (use_tmp_file false)",
        "explain analyze copy (pivot posts on post_id using sum(likes)) to '{place}' (use_tmp_file false)",
        "with x as (copy posts to '{place}' (format csv, use_tmp_file false)) select '裙'",
        "with 裙裙裙 as (select '裙'), x as (/* */CoPy/**/ posts to '{place}' (format csv, use_tmp_file false)) from x",
        "explain analyze copy posts to (current_setting('temp_directory') || '/x.csv')",
    ],
)
def test_the_files_that_duckdb_itself_may_open_are_not_written(
    warehouse: Path, statement: str, place: str
) -> None:
    """A locked, read-only connection copies there all the same, where the statement comes in a disguise."""
    before = warehouse.read_bytes()
    with pytest.raises(UserError, match=r"only read|more than read|syntax error"):
        query(warehouse, statement.format(place=place.format(path=warehouse)))
    assert warehouse.read_bytes() == before
    assert {path.name for path in warehouse.parent.iterdir()} == {warehouse.name, f".{warehouse.name}.lock"}


def test_repeated_column_names_are_numbered(warehouse: Path) -> None:
    assert query(warehouse, "select 1 a, 2 a, 3 a_2, [4] a, 5 A").to_dict("records") == [
        {"a": 1, "a_3": 2, "a_2": 3, "a_4": [4], "A": 5}
    ]


def test_a_missing_warehouse_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fashion-assets run"):
        query(tmp_path / "none.duckdb", "select 1")


@pytest.mark.parametrize(
    ("limit", "value", "statement", "says"),
    [
        ("QUERY_ROWS", 1000, "select * from range(1_000_000_000_000)", "more than 1,000 rows"),
        # Rows that are handed over 100,000 at a time would be 3 GB before their bytes are counted.
        ("QUERY_BYTES", 20_000_000, "select repeat('x', 30_000) from range(1_000_000)", "more than 20 MB"),
        ("QUERY_BYTES", 20_000_000, "select range(1000) from range(1_000_000_000)", "more than 20 MB"),
        (
            "QUERY_SECONDS",
            0.3,
            "select count(*) from range(10_000_000) a, range(10_000_000) b",
            "more than 0.3 seconds",
        ),
        (
            "QUERY_SECONDS",
            0.3,
            "explain analyze select count(*) from range(300_000) a, range(20_000) b where (a.range * b.range) % 7 = 3",
            "more than 0.3 seconds",
        ),
        (
            "QUERY_SECONDS",
            0.3,
            "pivot (select range % 5 k, (range * range) % 3 v from range(400_000_000)) on k using sum(v)",
            "more than 0.3 seconds",
        ),
        ("QUERY_MEMORY", "40MB", "select list(r) from range(100_000_000) t(r)", "(?i)memory"),
    ],
)
def test_a_question_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: object, statement: str, says: str
) -> None:
    publish_tables(tmp_path / "w.duckdb", {"t": pa.table({"a": [1]})})
    monkeypatch.setattr(f"fashion_assets.storage.warehouse.{limit}", value)
    with pytest.raises(UserError, match=says):
        query(tmp_path / "w.duckdb", statement)


#: More than the tests' 60 MB, and more than one.
SORT = """
    select s from (select md5(range::varchar) s, range r from range(1_500_000) order by s limit 1_490_000)
    limit 1 offset 1_489_990
"""


def test_a_sort_larger_than_memory_is_put_aside_outside_of_the_data_root(
    warehouse: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    monkeypatch.setattr("fashion_assets.storage.warehouse.QUERY_MEMORY", "60MB")
    assert len(query(warehouse, SORT)) == 1
    placed = query(warehouse, "select current_setting('temp_directory') place")["place"][0]
    assert Path(placed).parent == elsewhere

    monkeypatch.setattr("fashion_assets.storage.warehouse.QUERY_DISK", "1MB")
    with pytest.raises(UserError, match="60MB of memory and 1MB of disk; ask for less at a time") as refused:
        query(warehouse, SORT)
    assert "max_temp_directory_size" in str(refused.value.__cause__)  # it is the disk that did not suffice
    assert {path.name for path in warehouse.parent.iterdir()} == {warehouse.name, f".{warehouse.name}.lock"}
    assert not list(elsewhere.iterdir())
