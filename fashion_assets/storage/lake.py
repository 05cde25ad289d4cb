"""The Parquet lake: one file per (asset, month), read back with every missing month named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic, write_parquet_stream_atomic
from fashion_assets.storage.months import month_of_key
from fashion_assets.storage.tables import TableStream

if TYPE_CHECKING:
    import pyarrow as pa


#: Rows of a batch: 20,000 posts with their words are some 50 MB as Python objects, and enough for a batch's
#: fixed costs to vanish.
BATCH_ROWS = 20_000

#: Name of the file of a table without partitions.
_WHOLE = "all"

#: Bytes of each column that are read ahead. Without it Arrow loads a column's whole row group, which in a
#: file that was written at once is the whole month.
_READ_AHEAD = 1 << 20


class MissingMonthsError(UserError):
    """Some months of an asset are not in the lake; ``months`` names them."""

    def __init__(self, asset: str, months: list[str], root: Path) -> None:
        self.asset = asset
        self.months = months
        if months == [_WHOLE]:
            super().__init__(
                f"{asset} has not been made under {root / asset}; make it: fashion-assets run --select {asset}"
            )
            return
        super().__init__(
            f"{asset} is missing {', '.join(months)} under {root / asset}; materialise "
            f"{'that month' if len(months) == 1 else 'those months'} first "
            f"(fashion-assets run --months {months[0]}:{months[-1]} --select {asset})"
        )


@dataclass(frozen=True)
class Lake:
    """Where each table lies: ``<root>/<asset>/<month>.parquet``, or ``<root>/<asset>/all.parquet``."""

    root: Path

    def path(self, asset: str, partition: str | None = None) -> Path:
        """The file of ``asset`` for a month (``2024-01`` or ``2024-01-01``), a static key, or the whole."""
        if partition is None:
            return self.root / asset / f"{_WHOLE}.parquet"
        try:
            name = month_of_key(partition)
        except UserError:
            name = partition  # a static partition (a variant, an attribute) is its own file name
        return self.root / asset / f"{name}.parquet"

    def write(self, asset: str, partition: str | None, table: pa.Table) -> Path:
        """Store ``table`` atomically; returns its path."""
        path = self.path(asset, partition)
        write_parquet_atomic(path, table)
        return path

    def write_stream(self, asset: str, partition: str | None, stream: TableStream) -> Path:
        """Store the parts of ``stream`` as one table, atomically, each before the next is made; its path.

        A stream that raises leaves the table that was there.
        """
        path = self.path(asset, partition)
        write_parquet_stream_atomic(path, stream.schema, stream.tables(asset))
        return path

    def read(self, asset: str, partition: str | None = None, columns: list[str] | None = None) -> pa.Table:
        """The stored table. Raises MissingMonthsError (a UserError) if it was never materialised."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._stored(asset, partition)
        try:
            return pq.read_table(path, columns=columns, partitioning=None)
        except (pa.ArrowInvalid, OSError) as fault:
            raise _damaged(asset, path, fault) from fault

    def batches(
        self,
        asset: str,
        partition: str | None = None,
        columns: list[str] | None = None,
        rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """The stored table in order, at most ``rows`` rows at a time, without ever holding all of it.

        Raises MissingMonthsError at once if it was never materialised, UserError if the file is damaged or
        lacks one of ``columns``.
        """
        path = self._stored(asset, partition)
        if rows < 1:
            raise UserError(f"rows is {rows}; a batch has at least one row")
        return _read_batches(asset, path, columns, rows)

    def schema(self, asset: str, partition: str | None = None) -> pa.Schema:
        """Columns and types of a stored table, read from its footer alone. Raises UserError as `read` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._stored(asset, partition)
        try:
            return pq.read_schema(path)
        except (pa.ArrowInvalid, OSError) as fault:
            raise _damaged(asset, path, fault) from fault

    def row_count(self, asset: str, partition: str | None = None) -> int:
        """Rows of a stored table, read from its footer alone. Raises UserError as `read` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._stored(asset, partition)
        try:
            return int(pq.read_metadata(path).num_rows)
        except (pa.ArrowInvalid, OSError) as fault:
            raise _damaged(asset, path, fault) from fault

    def read_months(self, asset: str, months: Iterable[str]) -> dict[str, pa.Table]:
        """A dict month -> table, also for one month. Raises MissingMonthsError naming every absent month."""
        wanted = [month_of_key(month) for month in months]
        missing = [month for month in wanted if not self.path(asset, month).exists()]
        if missing:
            raise MissingMonthsError(asset, missing, self.root)
        return {month: self.read(asset, month) for month in wanted}

    def _stored(self, asset: str, partition: str | None) -> Path:
        path = self.path(asset, partition)
        if not path.exists():
            raise MissingMonthsError(asset, [path.stem], self.root)
        return path

    def months(self, asset: str) -> list[str]:
        """The months of ``asset`` that are stored, oldest first."""
        found = []
        for path in (self.root / asset).glob("*.parquet"):
            try:
                found.append(month_of_key(path.stem))
            except UserError:
                continue
        return sorted(found)


def _read_batches(asset: str, path: Path, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_READ_AHEAD, pre_buffer=False) as file:
            absent = [column for column in columns or [] if column not in file.schema_arrow.names]
            if absent:
                raise UserError(
                    f"{path} lacks the column(s) {', '.join(absent)}; it has {file.schema_arrow.names}"
                )
            # One thread: several decode columns side by side and hold each whole.
            yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)
    except (pa.ArrowInvalid, OSError) as fault:
        raise _damaged(asset, path, fault) from fault


def _damaged(asset: str, path: Path, fault: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read ({str(fault).splitlines()[0]}); the file is damaged: delete it and "
        f"materialise {asset} {path.stem} again"
    )
