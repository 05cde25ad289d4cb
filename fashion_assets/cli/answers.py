"""``fashion-assets sql``: ask the published warehouse, and print the answer for people or programs.

Belongs here: how each kind of value of DuckDB is written, the same way in a table, CSV and JSON. What may be asked,
and what it may cost, is in `storage.warehouse`.
"""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashion_assets.cli.options import DataDir, settings_of
from fashion_assets.storage.csv_text import csv_text
from fashion_assets.storage.terminal_text import for_terminal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: What DuckDB stores for an infinite date (32 bits) and moment (64 bits), and with a minus for the one before all time.
_INFINITE_DATE, _INFINITE_MOMENT = 2**31 - 1, 2**63 - 1


class TableFormat(StrEnum):
    """How ``sql`` prints its rows."""

    table = "table"
    csv = "csv"
    json = "json"


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT on the published warehouse.")],
    data_dir: DataDir = Path("data"),
    format: Annotated[TableFormat, typer.Option("--format", help="table, csv or json.")] = TableFormat.table,
) -> None:
    """Ask the published warehouse, read-only. 'show tables' lists what is there."""
    from fashion_assets.storage.warehouse import answer

    rows = answer(settings_of(data_dir).warehouse, statement)
    if format is TableFormat.csv:
        _write(csv_text(_cells(rows)))
    elif format is TableFormat.json:
        columns = [[_finite(one) for one in _values(column)] for column in rows.columns]
        records = [dict(zip(rows.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
        _write(json.dumps(records, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    else:
        _print_table(rows)


def _write(text: str) -> None:
    """A program or file gets every character, a terminal none that commands it."""
    sys.stdout.write(for_terminal(text) if sys.stdout.isatty() else text)


def _print_table(rows: pa.Table) -> None:
    from rich.console import Console

    from fashion_assets.defs.run_table import SHOWN_ROWS, frame_table

    first = _cells(rows.slice(0, SHOWN_ROWS))
    Console().print(frame_table(first.reindex(range(rows.num_rows))))  # what is not shown is only counted


def _cells(rows: pa.Table) -> pd.DataFrame:
    """One value a cell, as CSV and a table show it."""
    import pandas as pd

    columns = zip(rows.column_names, rows.columns, strict=True)
    return pd.DataFrame(
        {name: pd.Series([_cell(one) for one in _values(column)], dtype=object) for name, column in columns}
    )


def _cell(value: Any) -> Any:
    """Lists, structs and maps are JSON text; None is empty, lest pandas make floats of the whole numbers beside it."""
    if isinstance(value, list | dict):
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return "" if value is None else value


def _values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_float64(kind):
        return list(column.to_pylist())  # most columns, and nothing to decide cell by cell
    return [plain(one) for one in column]


def plain(cell: pa.Scalar) -> Any:
    """What JSON knows for a value of DuckDB: text, number, truth value, None, or a list or dict of these.

    Dates and times are ISO 8601 (or "infinity"), blobs are hexadecimal, intervals text. A decimal is a number where
    a float holds it exactly, else text; a float may be NaN or infinite. A map's keys are made text.
    """
    import pyarrow as pa

    kind = cell.type
    if pa.types.is_union(kind):
        return None if cell.value is None else plain(cell.value)  # valid though it holds nothing
    if not cell.is_valid:
        return None
    if pa.types.is_map(kind):
        return {_key(plain(pair[0])): plain(pair[1]) for pair in cell.values}
    if pa.types.is_struct(kind):
        return {kind.field(position).name: plain(cell[position]) for position in range(kind.num_fields)}
    if pa.types.is_nested(kind):
        return [plain(one) for one in cell.values]
    if pa.types.is_float32(kind):
        return float(cell.cast(pa.string()).as_py())  # 0.1, not the 0.10000000149011612 of its double
    if pa.types.is_decimal(kind):
        return _number(cell.as_py())
    if pa.types.is_temporal(kind):
        return _interval(*cell.as_py()) if pa.types.is_interval(kind) else _time(cell)
    value = cell.as_py()
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float) else str(value)


def _key(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _finite(value: Any) -> Any:
    """``value`` without the NaN and infinities that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return {name: _finite(one) for name, one in value.items()} if isinstance(value, dict) else value


def _number(value: Decimal) -> int | float | str:
    if value.as_tuple().exponent == 0:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


def _time(cell: pa.Scalar) -> str:
    """A date, time or moment in ISO 8601; Python knows no infinite ones, none before year 1 or after 9999."""
    import numpy as np
    import pyarrow as pa

    infinite = _INFINITE_DATE if pa.types.is_date32(cell.type) else _INFINITE_MOMENT
    if not pa.types.is_time(cell.type) and abs(cell.value) == infinite:
        return "infinity" if cell.value > 0 else "-infinity"
    try:
        if pa.types.is_time64(cell.type) and cell.type.unit == "ns" and cell.value % 1000:
            return str(cell.cast(pa.string()).as_py())  # finer than Python's
        return str(cell.as_py().isoformat())
    except (OverflowError, ValueError):
        unit: Any = getattr(cell.type, "unit", "D")  # a date has none
        return str(np.datetime64(cell.value, unit)) + ("+00:00" if getattr(cell.type, "tz", None) else "")


def _interval(months: int, days: int, nanoseconds: int) -> str:
    """In DuckDB's words: 1 year 2 months 3 days 04:05:06.7."""
    years, months = int(months / 12), int(math.fmod(months, 12))  # both with the sign of the whole
    words = [
        f"{count} {unit}" + ("" if abs(count) == 1 else "s")
        for count, unit in ((years, "year"), (months, "month"), (days, "day"))
        if count
    ]
    if nanoseconds or not words:
        seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
        part = f".{rest:09d}".rstrip("0") if rest else ""
        sign = "-" if nanoseconds < 0 else ""
        words.append(f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{part}")
    return " ".join(words)
