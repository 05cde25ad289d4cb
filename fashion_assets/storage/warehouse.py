"""The DuckDB file that analysts open: built whole beside the old one and swapped in; readers are read-only.

DuckDB lets one process write and none read meanwhile, so the file that people hold open is never written:
a new one takes its name, and a reader keeps the old inode until it opens again.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import _fsync_folder
from fashion_assets.storage.locks import locked

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


#: What DuckDB holds in memory at most; its own bound is four fifths of the machine's.
_MEMORY_LIMIT = "512MB"


def publish_tables(
    path: Path,
    tables: Mapping[str, pa.Table | Iterable[pa.Table]],
    comments: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Rows per table after writing ``tables`` into a new DuckDB file that then replaces ``path``.

    A table may come in parts of the same columns, of which one is held at a time.
    ``comments`` become the tables' comments, so that a client shows what each holds. A failure leaves the
    old file as it was. Publications of one file wait for each other.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent / f".{path.name}.lock"):
        for leftover in path.parent.glob(f".{path.name}.*.tmp*"):  # of one that was killed
            leftover.unlink()
        return _publish(path, tables, comments or {})


def _publish(
    path: Path, tables: Mapping[str, pa.Table | Iterable[pa.Table]], comments: Mapping[str, str]
) -> dict[str, int]:
    import duckdb
    import pyarrow as pa

    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    temporary.unlink()  # DuckDB wants to make the file itself
    rows: dict[str, int] = {}
    try:
        with duckdb.connect(str(temporary)) as connection:
            connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
            for table_name, content in tables.items():
                for part in [content] if isinstance(content, pa.Table) else content:
                    made = table_name in rows
                    into = f'INSERT INTO "{table_name}"' if made else f'CREATE TABLE "{table_name}" AS'
                    connection.register("incoming_table", part)
                    connection.execute(f"{into} SELECT * FROM incoming_table")
                    connection.unregister("incoming_table")
                    rows[table_name] = rows.get(table_name, 0) + part.num_rows
                comment = comments.get(table_name)
                if comment and table_name in rows:
                    quoted = comment.replace("'", "''")
                    connection.execute(f"COMMENT ON TABLE \"{table_name}\" IS '{quoted}'")
            connection.execute("CHECKPOINT")
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        # Of whoever opened the old file for writing: beside the new one it would keep everybody from opening that.
        Path(f"{path}.wal").unlink(missing_ok=True)
        temporary.replace(path)
        _fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        Path(f"{temporary}.wal").unlink(missing_ok=True)
    return rows


#: What one question may cost: memory of DuckDB, rows of the answer (that no person reads), and seconds.
QUERY_MEMORY, QUERY_ROWS, QUERY_SECONDS = "2GB", 5_000_000, 600.0

#: And bytes of the answer, which lie beyond DuckDB's memory; what is made of them to be printed needs some times as
#: much.
QUERY_BYTES = 1_000_000_000
#: Rows that DuckDB hands over at a time, all of which are there before they are counted: as few as it computes at once.
_PIECE_ROWS = 2048

#: What one question may put aside on disk. DuckDB's own bound is nine tenths of what is free, beside the warehouse; a
#: sort or a join over some years of posts needs a few hundred MB beyond its memory, and no question may stop a run.
QUERY_DISK = "1GB"

_LINE_COMMENTS = r"(?:\s|--[^\r\n]*\r?\n)*"
#: What stands before the statement that is explained. Comments in /* */ can be nested and are not looked through: a
#: statement behind one, or with one among the options, is refused.
_EXPLAIN = re.compile(
    rf"{_LINE_COMMENTS}explain\b(?:\s+analy[sz]e\b|\s*\(\s*(?:analyze|format)\b[\w\s,]*\))?", re.IGNORECASE
)
#: How a text with a PIVOT in it begins if it reads.
_READING_WORD = re.compile(rf"{_LINE_COMMENTS}(?:\(|(?:from|pivot|pivot_wider|select|with)\b)", re.IGNORECASE)

#: COPY also stands where DuckDB calls the whole a SELECT: with x as (copy …) from x.
_COPY = re.compile(rb"copy(?![\w\x80-\xff])", re.IGNORECASE)

_ONLY_READ = "the warehouse is only read, with select, from, show or describe"


def query(path: Path, sql: str) -> pd.DataFrame:
    """The ``answer`` as a frame."""
    return _frame(answer(path, sql))


def answer(path: Path, sql: str) -> pa.Table:
    """The result of one read-only statement on the published warehouse; repeated column names are numbered.

    The connection cannot write, attach or copy to other files, nor install or load extensions
    (``enable_external_access = false``, then the configuration is locked), and has ``QUERY_MEMORY``, ``QUERY_DISK``,
    ``QUERY_ROWS``, ``QUERY_BYTES`` and ``QUERY_SECONDS``. What does not fit into memory goes to a private folder
    outside of the data root, which is removed afterwards. A process asks one question of a warehouse at a time. Raises
    UserError, with DuckDB's own words for a faulty statement, for a forbidden or boundless one.
    """
    import duckdb

    if not path.exists():
        raise UserError(
            f"there is no warehouse at {path}; make one with: fashion-assets run --data-dir {path.parent}"
        )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fashion-assets-sql-") as put_aside,
            duckdb.connect(
                str(path),
                read_only=True,
                config={
                    "enable_external_access": "false",
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "memory_limit": QUERY_MEMORY,
                    "temp_directory": put_aside,
                },
            ) as connection,
            _time_limit(connection),
        ):
            # As part of the config above, DuckDB 2.0 shows the bound on disk and does not keep it.
            connection.execute(f"SET max_temp_directory_size = '{QUERY_DISK}'")
            connection.execute("SET lock_configuration = true")
            _refuse_all_but_reading(connection, sql)
            rows = connection.sql(sql)  # EXPLAIN ANALYZE and PIVOT do their whole work here
            if rows is None:
                raise UserError(f"this statement gives no rows; {_ONLY_READ}")
            return _bounded(rows)
    except duckdb.InterruptException as fault:
        raise _late() from fault
    except duckdb.OutOfMemoryException as fault:
        raise UserError(
            f"the answer does not fit into {QUERY_MEMORY} of memory and {QUERY_DISK} of disk; ask for less at a time: "
            "fewer columns, some months, a filter before the sort or join, groups in place of lists"
        ) from fault
    except duckdb.Error as fault:
        # Of a process that opened the file before this one for writing, and wrote after this one was published.
        foreign = "WAL does not match" in str(fault)
        advice = f" End who opened it for writing, then delete {path}.wal." if foreign else ""
        raise UserError(f"the warehouse says: {str(fault).strip()}{advice}") from fault
    except OSError as fault:
        if fault.errno is not None:  # the system's, with a name and a number
            raise
        # What DuckDB finds while the rows are handed over, such as 2 GB of text in one piece, comes as this; behind its
        # first line is a setting, which is locked here.
        found = str(fault).strip().partition("\n")[0]
        if found.startswith("INTERRUPT Error"):
            raise _late() from fault
        raise UserError(f"the warehouse says: {found} Ask for less at a time.") from fault


def _late() -> UserError:
    return UserError(f"the answer took more than {QUERY_SECONDS:g} seconds; ask for less at a time")


def _refuse_all_but_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """UserError unless ``sql`` is one statement that reads, or explains one that does.

    A read-only connection still may COPY to the warehouse file itself, its ``.wal`` and the temporary folder, which
    DuckDB has to open. DuckDB names the kind of a plain COPY, but calls any statement with a PIVOT in it MULTI and
    any explained one EXPLAIN, and EXPLAIN ANALYZE runs it: these two are looked into. SHOW, DESCRIBE, SUMMARIZE, FROM
    and VALUES are SELECT to DuckDB.
    """
    import duckdb

    # DuckDB counts bytes; a word within quotes or a comment begins no token.
    try:
        written = sql.encode()
    except UnicodeEncodeError as fault:  # of bytes that a shell passed on
        raise UserError(
            f"the statement is not UTF-8 text behind {sql[: fault.start]!r}; type that part anew"
        ) from None
    if any(_COPY.match(written, start) for start, _ in duckdb.tokenize(sql)):
        raise UserError(f'copy writes files (a column of that name is "copy", in quotes); {_ONLY_READ}')
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UserError(f"one statement at a time, please; this text holds {len(statements)}")
    kind = _kind(statements[0])
    if kind in ("EXPLAIN", "MULTI"):
        sql = _EXPLAIN.sub("", sql, count=1) if _EXPLAIN.match(sql) else sql
        inner = [_kind(one) for one in connection.extract_statements(sql)]
        if inner == ["SELECT"] or (inner == ["MULTI"] and _READING_WORD.match(sql)):
            return
        raise UserError(
            f"this statement does more than read (or a comment hides what it does: put it last); {_ONLY_READ}"
        )
    if kind != "SELECT":
        raise UserError(f"this is a {kind} statement; {_ONLY_READ}")


def _kind(statement: duckdb.Statement) -> str:
    """DuckDB's name for a kind of statement; its Python module has none for the newest (CONNECT)."""
    try:
        return str(statement.type.name)
    except ValueError:
        return "foreign"


@contextmanager
def _time_limit(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Whatever ``connection`` does within is interrupted after ``QUERY_SECONDS``.

    It is interrupted again and again: DuckDB forgets an interruption that comes between two of its steps.
    """
    done = threading.Event()

    def watch() -> None:
        late = not done.wait(QUERY_SECONDS)
        while late and not done.is_set():
            connection.interrupt()
            done.wait(0.1)

    clock = threading.Thread(target=watch, name="sql time limit", daemon=True)
    clock.start()
    try:
        yield
    finally:
        done.set()
        clock.join()


def _bounded(rows: duckdb.DuckDBPyRelation) -> pa.Table:
    """The answer in memory, read in pieces, so that one without end is given up in time."""
    import pyarrow as pa

    reader = rows.to_arrow_reader(_PIECE_ROWS)
    pieces: list[pa.RecordBatch] = []
    n_rows = n_bytes = 0
    for piece in reader:
        pieces.append(piece)
        n_rows, n_bytes = n_rows + piece.num_rows, n_bytes + piece.nbytes
        if n_rows > QUERY_ROWS:
            raise UserError(
                f"the answer has more than {QUERY_ROWS:,} rows; add a limit, or count and group them"
            )
        if n_bytes > QUERY_BYTES:
            raise UserError(
                f"the answer has more than {QUERY_BYTES / 1e6:,.0f} MB; ask for less at a time: fewer columns, some "
                "months, or count and group them"
            )
    table = pa.Table.from_batches(pieces, reader.schema)
    return table.rename_columns(_told_apart(table.column_names))


def _told_apart(names: list[str]) -> list[str]:
    """``names`` with a number behind each that was there before: a, a becomes a, a_2 (or what no column is called)."""
    apart: dict[str, None] = {}  # in order, and quickly searched
    given = frozenset(names)
    for name in names:
        new, number = name, 2
        while new in apart or (new != name and new in given):
            new, number = f"{name}_{number}", number + 1
        apart[new] = None
    return list(apart)


def _frame(table: pa.Table) -> pd.DataFrame:
    """A frame in which lists are Python lists and whole numbers with gaps stay whole."""
    import pandas as pd
    import pyarrow as pa

    whole = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    frame = table.to_pandas(types_mapper=whole.get)
    for field in table.schema:
        if pa.types.is_nested(field.type):
            frame[field.name] = pd.Series(table[field.name].to_pylist(), dtype=object)
    return frame
