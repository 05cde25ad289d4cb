"""The warehouse is swapped in whole, and what people send to it can only read."""

from __future__ import annotations

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
    ],
)
def test_statements_that_read_are_answered(warehouse: Path, statement: str) -> None:
    assert len(query(warehouse, statement)) > 0


def test_a_missing_warehouse_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fashion-assets run"):
        query(tmp_path / "none.duckdb", "select 1")


@pytest.mark.parametrize(
    ("limit", "value", "statement", "says"),
    [
        ("QUERY_ROWS", 1000, "select * from range(1_000_000_000_000)", "more than 1,000 rows"),
        (
            "QUERY_SECONDS",
            0.3,
            "select count(*) from range(10_000_000) a, range(10_000_000) b",
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
