"""Frames, tables and batches in the columns of a schema: one at a time, or as a stream too large to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def as_arrow(
    table: pd.DataFrame | pa.Table | pa.RecordBatch, schema: pa.Schema | None = None, name: str = "table"
) -> pa.Table:
    """``table`` as pyarrow, without the pandas index, in the columns, order and types of ``schema`` if given.

    A pyarrow table is handed back as it is. Raises UserError naming the column that is absent or does not fit.
    """
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    # Notes on a frame say how it was made (what was reused); rows that are the same are to be the same bytes.
    table = table.copy(deep=False)
    table.attrs = {}
    if schema is None:
        return pa.Table.from_pandas(table, preserve_index=False)
    _require_columns(list(table.columns), schema, name)
    try:
        return pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as fault:
        raise UserError(f"{name} does not fit its schema: {fault}") from fault


@dataclass
class TableStream:
    """A table in parts that are made while it is written: for months that do not fit into memory.

    ``parts`` are frames, tables or record batches, gone through once. ``schema`` is that of the whole, and
    each part is brought to its columns, order and types. ``metadata`` is called after the last part: what is
    known about the whole only then.
    """

    schema: pa.Schema
    parts: Iterable[pd.DataFrame | pa.Table | pa.RecordBatch]
    metadata: Callable[[], Mapping[str, Any]] | None = None
    #: Rows handed out so far; all of them once the stream is through.
    n_rows: int = field(default=0, init=False)

    def tables(self, name: str = "table") -> Iterator[pa.Table]:
        """Each part in the schema. Raises UserError naming the column that is absent or does not fit."""
        import pyarrow as pa

        for part in self.parts:
            table = as_arrow(part, self.schema, name)
            if not table.schema.equals(self.schema):
                _require_columns(table.schema.names, self.schema, name)
                try:
                    table = table.select(self.schema.names).cast(self.schema)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as fault:
                    raise UserError(f"{name} does not fit its schema: {fault}") from fault
            self.n_rows += table.num_rows
            yield table


def _require_columns(columns: list[str], schema: pa.Schema, name: str) -> None:
    absent = [column for column in schema.names if column not in columns]
    if absent:
        raise UserError(f"{name} lacks the column(s) {', '.join(absent)} of its schema; it has {columns}")
