"""Which posts of a window of months are read: all, or of a large window an even part by the digests of their ids.

Belongs here: reading the window in bounded memory. Does not: the arrays of it (`window.py`), fitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.storage.row_picks import picked_rows
from fashion_assets.styles.model import post_key

ASSET = "multimodal_embeddings"

MAX_POSTS = 60_000
"""Posts whose vectors are held: 0.2 GB of them with the local encoders, several times over during a fit."""

MIN_MONTH = 1_000
"""Posts of a month that are read at least, if it has them: a month that has just begun still decides births."""


@dataclass(frozen=True)
class WindowPosts:
    """`table` holds the rows of `multimodal_embeddings` that are read; `keys` those of all posts (`post_keys`)."""

    table: pa.Table
    keys: npt.NDArray[np.uint64]

    @property
    def n_posts(self) -> int:
        """All posts of the window, read or not."""
        return len(self.keys)


def read_window(
    lake: Lake, months: Sequence[str], *, limit: int = MAX_POSTS, min_month: int = MIN_MONTH
) -> WindowPosts:
    """The posts of `months`: all of them up to `limit`, else about that many, each month by its share.

    Those of the smallest digests are read, so the choice depends on no order and on no seed, and mostly stays the same
    from month to month. Raises MissingMonthsError naming every absent month.
    """
    missing = sorted(set(months) - lake.partitions(ASSET))
    if missing:
        raise MissingMonthsError(ASSET, missing, lake.root)
    keys = {month: month_keys(lake, month) for month in months}
    n_posts = sum(map(len, keys.values()))
    if n_posts <= limit:
        table = pa.concat_tables(lake.read_months(ASSET, months).values())
    else:
        table = pa.concat_tables(
            picked_rows(lake, ASSET, month, _smallest(own, max(limit * len(own) // n_posts, min_month)))
            for month, own in keys.items()
        )
    # In one piece its vectors are looked at where they lie.
    return WindowPosts(
        table.combine_chunks(), np.sort(np.concatenate([*keys.values(), np.zeros(0, np.uint64)]))
    )


def month_keys(lake: Lake, month: str) -> npt.NDArray[np.uint64]:
    """The key (`post_key`) of each row of a month's `multimodal_embeddings`, in order."""
    return post_key(lake.read(ASSET, month, ["post_id"])["post_id"].to_pylist())


def _smallest(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.intp]:
    """The places, ascending, of the `count` smallest keys, or of all."""
    if len(keys) <= count:
        return np.arange(len(keys))
    return np.sort(np.argpartition(keys, count)[:count])
