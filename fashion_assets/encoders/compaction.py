"""Many small shards into few large ones, while other processes read and write.

The order makes it safe without anyone waiting: the new shards are on disk before the first old one is removed, so at
every moment each vector is in some shard. A run that is killed leaves rows twice, which readers do not mind and the
next compaction drops.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.schemas import shard_schema
from fashion_assets.encoders.shards import (
    list_shards,
    new_shard_path,
    open_shard,
    require_model,
    shard_hashes,
    shard_length,
    shard_model,
)
from fashion_assets.storage.files import write_parquet_stream_atomic

#: Full written shards that go into one: 131,072 rows of the cache's 4,096, which is 0.5 GB at 1,024 dimensions.
#: Larger files gain nothing more; as a row group keeps the size of a written shard, reading costs no more memory.
SHARDS_IN_ONE = 32
#: Small shards of a model that are left alone. Each costs every look-up an open (about a millisecond, more over a
#: network); rewriting at each new one would copy the same vectors again and again. Twice SHARDS_IN_ONE, so that a
#: compaction of full ones leaves at least two.
COMPACT_ABOVE = 64
_LOCK_FILE = ".compaction.lock"

Rows = npt.NDArray[np.bool_]


def is_fragmented(folder: Path, shard_rows: int) -> bool:
    """Whether more than ``COMPACT_ABOVE`` shards of the folder are smaller than a compacted one."""
    shards = list_shards(folder)
    if len(shards) <= COMPACT_ABOVE:
        return False
    full = shard_rows * SHARDS_IN_ONE
    return sum(shard_length(path) < full for path in shards) > COMPACT_ABOVE


def compact_shards(folder: Path, shard_rows: int) -> list[Path]:
    """The shards that were replaced and removed: small ones, and any that repeat a row of another.

    Each different content hash is kept once, in shards of ``shard_rows * SHARDS_IN_ONE`` rows with row groups of
    ``shard_rows``; a shard that is full and repeats nothing stays as it is. Nothing happens where that would make
    no fewer files, or while another process compacts the folder.

    Raises UserError for a shard that cannot be read or is of another model, OSError where the disk is full; the old
    shards then stay.
    """
    if len(list_shards(folder)) < 2:
        return []
    with _alone(folder) as alone:
        return _compact(folder, shard_rows) if alone else []


def _compact(folder: Path, shard_rows: int) -> list[Path]:
    full = shard_rows * SHARDS_IN_ONE
    # Full shards first: what they hold is dropped from the others, and they stay.
    lengths = {path: shard_length(path) for path in list_shards(folder)}
    shards = sorted(lengths, key=lambda path: lengths[path] < full)
    if not shards:
        return []
    model = shard_model(shards[0])
    for path in shards:
        require_model(path, shard_model(path), model)
    old = {
        path: first
        for path, first in zip(
            shards, _first_occurrences([shard_hashes(path) for path in shards]), strict=True
        )
        if lengths[path] < full or not first.all()
    }
    n_kept = sum(int(first.sum()) for first in old.values())
    n_new = -(-n_kept // full)
    if n_new >= len(old) and all(first.all() for first in old.values()):
        return []
    model_id, dim = model
    groups = _regrouped(_rows(old), shard_rows)
    for _ in range(n_new):
        write_parquet_stream_atomic(
            new_shard_path(folder), shard_schema(dim, model_id), islice(groups, SHARDS_IN_ONE)
        )
    for path in old:
        path.unlink(missing_ok=True)
    return list(old)


def _first_occurrences(hashes: Sequence[pa.Array]) -> list[Rows]:
    """Per shard (n,): whether the row's hash occurs in no row before it, of this shard or an earlier one."""
    # Offsets of large_string are 64 bits wide: 33 million hashes are more than the 2 GiB of a string array.
    column = pa.chunked_array([array.cast(pa.large_string()) for array in hashes]).combine_chunks()
    codes = column.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    first = np.zeros(len(codes), dtype=bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return np.split(first, np.cumsum([len(array) for array in hashes])[:-1])


def _rows(chosen: dict[Path, Rows]) -> Iterator[pa.Table]:
    """The chosen rows of each shard, a row group at a time."""
    for path, rows in chosen.items():
        with open_shard(path) as file:
            start = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                yield table.filter(pa.array(rows[start : start + len(table)]))
                start += len(table)


def _regrouped(tables: Iterator[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of ``n_rows``, the last one shorter."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for table in tables:
        waiting.append(table)
        n_waiting += len(table)
        if n_waiting >= n_rows:
            joined = pa.concat_tables(waiting)
            whole = n_waiting - n_waiting % n_rows
            yield from (joined.slice(start, n_rows) for start in range(0, whole, n_rows))
            waiting, n_waiting = [joined.slice(whole)], n_waiting - whole
    if n_waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this process holds the folder's lock, which the kernel frees even if it is killed.

    The lock saves work, safety does not rest on it: two compactions at once leave rows twice, no more.
    """
    with (folder / _LOCK_FILE).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
