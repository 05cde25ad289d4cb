"""The DuckDB file that analysts open: built whole beside the old one and swapped in; readers are read-only.

DuckDB lets one process write and none read meanwhile, so the file that people hold open is never written:
a new one takes its name, and a reader keeps the old inode until it opens again.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Mapping
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
        temporary.replace(path)
        _fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        Path(f"{temporary}.wal").unlink(missing_ok=True)
    return rows


#: Kinds of statement that read and nothing else, in DuckDB's words; SHOW, DESCRIBE, SUMMARIZE, FROM and VALUES are
#: SELECT there, a PIVOT without its values is MULTI.
_READING = frozenset({"SELECT", "EXPLAIN", "MULTI"})

#: What one question may cost: memory of DuckDB, rows of the answer (that no person reads), and seconds.
QUERY_MEMORY, QUERY_ROWS, QUERY_SECONDS = "2GB", 5_000_000, 600.0


def query(path: Path, sql: str) -> pd.DataFrame:
    """The result of one read-only statement on the published warehouse.

    The connection cannot write, attach or copy to other files, nor install or load extensions
    (``enable_external_access = false``, then the configuration is locked), and has ``QUERY_MEMORY``, ``QUERY_ROWS`` and
    ``QUERY_SECONDS``. Raises UserError with DuckDB's own words for a faulty, forbidden or boundless statement.
    """
    import duckdb

    if not path.exists():
        raise UserError(
            f"there is no warehouse at {path}; make one with: fashion-assets run --data-dir {path.parent}"
        )
    try:
        with duckdb.connect(
            str(path),
            read_only=True,
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": QUERY_MEMORY,
                "lock_configuration": "true",
            },
        ) as connection:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise UserError(f"one statement at a time, please; this text holds {len(statements)}")
            if (kind := statements[0].type.name) not in _READING:
                raise UserError(
                    f"this is a {kind} statement; the warehouse is only read, with select, from, show or describe"
                )
            rows = connection.sql(sql)
            if rows is None:
                raise UserError(
                    "this statement gives no rows; the warehouse is only read, with select, from, show or describe"
                )
            clock = threading.Timer(QUERY_SECONDS, connection.interrupt)
            clock.daemon = True
            clock.start()
            try:
                return _frame(_bounded(rows))
            finally:
                clock.cancel()
    except duckdb.InterruptException as fault:
        raise UserError(
            f"the answer took more than {QUERY_SECONDS:g} seconds; ask for less at a time"
        ) from fault
    except duckdb.Error as fault:
        raise UserError(f"the warehouse says: {str(fault).strip()}") from fault


def _bounded(rows: duckdb.DuckDBPyRelation) -> pa.Table:
    """The answer in memory, read in pieces, so that one without end is given up in time."""
    import pyarrow as pa

    reader = rows.to_arrow_reader(100_000)
    pieces: list[pa.RecordBatch] = []
    for piece in reader:
        pieces.append(piece)
        if sum(one.num_rows for one in pieces) > QUERY_ROWS:
            raise UserError(
                f"the answer has more than {QUERY_ROWS:,} rows; add a limit, or count and group them"
            )
    return pa.Table.from_batches(pieces, reader.schema)


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
