"""The Parquet lake: one file per (asset, month), read back with every missing month named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic, write_parquet_stream_atomic
from fashion_assets.storage.months import month_of_key
from fashion_assets.storage.parquet_files import (
    is_damage,
    is_replaced,
    open_parquet,
    read_parquet,
    read_parquet_length,
    read_parquet_schema,
)
from fashion_assets.storage.places import Stamp, entries, is_remote
from fashion_assets.storage.tables import TableStream

if TYPE_CHECKING:
    import pyarrow as pa

    from fashion_assets.storage.places import Place

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

    def __init__(self, asset: str, months: list[str], root: Place) -> None:
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

    root: Place

    def path(self, asset: str, partition: str | None = None) -> Place:
        """The file of ``asset`` for a month (``2024-01`` or ``2024-01-01``), a static key, or the whole."""
        if partition is None:
            return self.root / asset / f"{_WHOLE}.parquet"
        try:
            name = month_of_key(partition)
        except UserError:
            name = partition  # a static partition (a variant, an attribute) is its own file name
        return self.root / asset / f"{name}.parquet"

    def write(self, asset: str, partition: str | None, table: pa.Table) -> Place:
        """Store ``table`` atomically; returns its path."""
        path = self.path(asset, partition)
        write_parquet_atomic(path, table)
        return path

    def write_stream(self, asset: str, partition: str | None, stream: TableStream) -> Place:
        """Store the parts of ``stream`` as one table, atomically, each before the next is made; its path.

        A stream that raises leaves the table that was there.
        """
        path = self.path(asset, partition)
        write_parquet_stream_atomic(path, stream.schema, stream.tables(asset))
        return path

    def read(self, asset: str, partition: str | None = None, columns: list[str] | None = None) -> pa.Table:
        """The stored table. Raises MissingMonthsError (a UserError) if it was never materialised."""
        path = self.path(asset, partition)
        with self._faults_named(asset, path):
            return read_parquet(path, columns)

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
        path = self.path(asset, partition)
        if not path.exists():
            raise MissingMonthsError(asset, [path.stem], self.root)
        if rows < 1:
            raise UserError(f"rows is {rows}; a batch has at least one row")
        return self._read_batches(asset, path, columns, rows)

    def schema(self, asset: str, partition: str | None = None) -> pa.Schema:
        """Columns and types of a stored table, read from its footer alone. Raises UserError as `read` does."""
        path = self.path(asset, partition)
        with self._faults_named(asset, path):
            return read_parquet_schema(path)

    def row_count(self, asset: str, partition: str | None = None) -> int:
        """Rows of a stored table, read from its footer alone. Raises UserError as `read` does."""
        path = self.path(asset, partition)
        with self._faults_named(asset, path):
            return read_parquet_length(path)

    def read_months(self, asset: str, months: Iterable[str]) -> dict[str, pa.Table]:
        """A dict month -> table, also for one month. Raises MissingMonthsError naming every absent month."""
        wanted = [month_of_key(month) for month in months]
        missing = [month for month in wanted if not self.path(asset, month).exists()]
        if missing:
            raise MissingMonthsError(asset, missing, self.root)
        return {month: self.read(asset, month) for month in wanted}

    def stamps(self, asset: str) -> dict[str, Stamp]:
        """Month or static key of ``asset`` that is stored (``all`` for a whole) -> stamp of its file.

        By one look at the asset's folder.
        """
        files, _ = entries(self.root / asset)
        return {
            path.stem: stamp
            for path, stamp in files.items()
            if path.suffix == ".parquet" and not path.name.startswith(".")
        }

    def partitions(self, asset: str) -> set[str]:
        """The months and static keys of ``asset`` that are stored, by one look at its folder."""
        return set(self.stamps(asset))

    def months(self, asset: str) -> list[str]:
        """The months of ``asset`` that are stored, oldest first."""
        found = []
        for name in self.partitions(asset):
            try:
                found.append(month_of_key(name))
            except UserError:
                continue
        return sorted(found)

    def _read_batches(
        self, asset: str, path: Place, columns: list[str] | None, rows: int
    ) -> Iterator[pa.RecordBatch]:
        with (
            self._faults_named(asset, path),
            open_parquet(path, buffer_size=_READ_AHEAD, pre_buffer=False) as file,
        ):
            absent = [column for column in columns or [] if column not in file.schema_arrow.names]
            if absent:
                raise UserError(
                    f"{path} lacks the column(s) {', '.join(absent)}; it has {file.schema_arrow.names}"
                )
            # One thread: several decode columns side by side and hold each whole.
            yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)

    @contextmanager
    def _faults_named(self, asset: str, path: Place) -> Iterator[None]:
        """Turns what a missing or damaged file raises into a UserError; faults of the way to a bucket stay."""
        import pyarrow as pa

        try:
            yield
        except FileNotFoundError as fault:
            raise MissingMonthsError(asset, [path.stem], self.root) from fault
        except PermissionError as fault:
            if is_remote(path):
                raise
            # pyarrow's own has no name of the file.
            raise PermissionError(fault.errno, os.strerror(fault.errno or 0), str(path)) from fault
        except (pa.ArrowInvalid, OSError) as fault:
            if is_replaced(fault):
                raise OSError(f"{path} was replaced while it was read; do it again") from fault
            if not is_damage(fault, path):
                raise
            _suspect(path)
            raise UserError(
                f"{path} cannot be read ({str(fault).splitlines()[0]}); the file is damaged: a plain fashion-assets "
                f"run makes it again, with all that is made of it, or materialise {asset} {path.stem}"
            ) from fault


def _suspect(path: Place) -> None:
    """Give a local file another time of change, so that the next plan compares its content with its checksum."""
    if not is_remote(path):
        with suppress(OSError):
            path.touch()
