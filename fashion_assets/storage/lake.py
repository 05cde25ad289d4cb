"""The Parquet lake: one file per (asset, month), read back with every missing month named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic
from fashion_assets.storage.months import month_of_key

if TYPE_CHECKING:
    import pyarrow as pa


class MissingMonthsError(UserError):
    """Some months of an asset are not in the lake; ``months`` names them."""

    def __init__(self, asset: str, months: list[str], root: Path) -> None:
        self.asset = asset
        self.months = months
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
            return self.root / asset / "all.parquet"
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

    def read(self, asset: str, partition: str | None = None, columns: list[str] | None = None) -> pa.Table:
        """The stored table. Raises MissingMonthsError (a UserError) if it was never materialised."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(asset, partition)
        if not path.exists():
            raise MissingMonthsError(asset, [path.stem], self.root)
        try:
            return pq.read_table(path, columns=columns, partitioning=None)
        except (pa.ArrowInvalid, OSError) as fault:
            raise UserError(
                f"{path} cannot be read ({str(fault).splitlines()[0]}); the file is damaged: delete it and "
                f"materialise {asset} {path.stem} again"
            ) from fault

    def read_months(self, asset: str, months: Iterable[str]) -> dict[str, pa.Table]:
        """A dict month -> table, also for one month. Raises MissingMonthsError naming every absent month."""
        wanted = [month_of_key(month) for month in months]
        missing = [month for month in wanted if not self.path(asset, month).exists()]
        if missing:
            raise MissingMonthsError(asset, missing, self.root)
        return {month: self.read(asset, month) for month in wanted}

    def months(self, asset: str) -> list[str]:
        """The months of ``asset`` that are stored, oldest first."""
        found = []
        for path in (self.root / asset).glob("*.parquet"):
            try:
                found.append(month_of_key(path.stem))
            except UserError:
                continue
        return sorted(found)
