"""Some rows of a table of many months, without ever holding a month of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.lake import BATCH_ROWS, Lake

if TYPE_CHECKING:
    import pyarrow as pa


def picked_rows(
    lake: Lake, asset: str, month: str, rows: npt.NDArray[np.intp], columns: list[str] | None = None
) -> pa.Table:
    """The rows of a month's table at the ascending places ``rows``; errors as `Lake.batches`."""
    import pyarrow as pa

    def picked() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in lake.batches(asset, month, columns, BATCH_ROWS):
            low, high = np.searchsorted(rows, (start, start + len(batch)))
            if low < high:
                yield batch.take(pa.array(rows[low:high] - start))
            start += len(batch)

    return _table(lake, asset, month, columns, picked())


def rows_of_posts(
    lake: Lake, asset: str, months: Sequence[str], posts: Collection[str], columns: list[str]
) -> pa.Table:
    """The rows of ``posts`` by column ``post_id`` over ``months``, as they lie; errors as `Lake.batches`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(posts), pa.string())

    def picked(month: str) -> Iterator[pa.RecordBatch]:
        for batch in lake.batches(asset, month, columns, BATCH_ROWS):
            yield batch.filter(pc.is_in(batch["post_id"], wanted))

    tables = [_table(lake, asset, month, columns, picked(month)) for month in months]
    return pa.concat_tables(tables, promote_options="default")


def _table(
    lake: Lake, asset: str, month: str, columns: list[str] | None, batches: Iterator[pa.RecordBatch]
) -> pa.Table:
    import pyarrow as pa

    schema = lake.schema(asset, month)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)
    parts = [batch.cast(schema) if batch.schema != schema else batch for batch in batches]
    return pa.Table.from_batches(parts, schema)


def places_by_month(
    counts: Mapping[str, int], rows: npt.NDArray[np.intp]
) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """(month, places in it) of ascending ``rows`` of the months' tables below each other; ``counts`` are their rows."""
    start = 0
    for month, count in counts.items():
        low, high = np.searchsorted(rows, (start, start + count))
        yield month, rows[low:high] - start
        start += count
