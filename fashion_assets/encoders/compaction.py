"""Many small shards into few large ones, while other processes read and write.

The order makes it safe without anyone waiting: the new shards are on disk before the first old one is removed, so at
every moment each vector is in some shard. A run that is killed leaves rows twice, which readers do not mind and the
next compaction drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.schemas import shard_schema
from fashion_assets.encoders.shards import (
    list_shards,
    open_shard,
    require_model,
    shard_content,
    shard_length,
    shard_path,
)
from fashion_assets.storage.files import write_parquet_stream_atomic
from fashion_assets.storage.locks import locked
from fashion_assets.storage.places import Place

#: Full written shards that go into one: 131,072 rows of the cache's 4,096, which is 0.5 GB at 1,024 dimensions.
#: Larger files gain nothing more; as a row group keeps the size of a written shard, reading costs no more memory.
SHARDS_IN_ONE = 32
#: Small shards of a model that are left alone. Each costs every look-up an open (about a millisecond, some tens in a
#: bucket); rewriting at each new one would copy the same vectors again and again. Twice SHARDS_IN_ONE, so that a
#: compaction of full ones leaves at least two.
COMPACT_ABOVE = 64
_LOCK_FILE = ".compaction.lock"

Rows = npt.NDArray[np.bool_]


def is_fragmented(folder: Place, shard_rows: int, length_of: Callable[[Place], int] = shard_length) -> bool:
    """Whether more than ``COMPACT_ABOVE`` shards of the folder are smaller than a compacted one."""
    shards = list_shards(folder)
    if len(shards) <= COMPACT_ABOVE:
        return False
    full = shard_rows * SHARDS_IN_ONE
    return sum(length_of(path) < full for path in shards) > COMPACT_ABOVE


def compact_shards(folder: Place, shard_rows: int) -> list[Place]:
    """The shards that were replaced and removed: small ones, and any that repeat a row of another.

    Each different content hash is kept once, in shards of ``shard_rows * SHARDS_IN_ONE`` rows with row groups of
    ``shard_rows``; a shard that is full and repeats nothing stays as it is. Nothing happens where that would make
    no fewer files, or while another process compacts the folder.

    Raises UserError for a shard that cannot be read or is of another model, OSError where the disk is full; the old
    shards then stay.
    """
    if len(list_shards(folder)) < 2:
        return []
    # The lock saves work, safety does not rest on it: two compactions at once leave rows twice, no more.
    with locked(folder / _LOCK_FILE, wait=False) as alone:
        return _compact(folder, shard_rows) if alone else []


def _compact(folder: Place, shard_rows: int) -> list[Place]:
    full = shard_rows * SHARDS_IN_ONE
    # Full shards first: what they hold is dropped from the others, and they stay.
    contents = {path: shard_content(path) for path in list_shards(folder)}
    hashes = {path: found for path, (_, found) in contents.items()}
    shards = sorted(hashes, key=lambda path: len(hashes[path]) < full)
    if not shards:
        return []
    model = contents[shards[0]][0]
    for path in shards:
        require_model(path, contents[path][0], model)
    hashes = {path: hashes[path] for path in shards}
    firsts = zip(shards, _first_occurrences(list(hashes.values())), strict=True)
    old = {path: first for path, first in firsts if len(hashes[path]) < full or not first.all()}
    n_kept = sum(int(first.sum()) for first in old.values())
    n_new = -(-n_kept // full)
    if n_new >= len(old) and all(first.all() for first in old.values()):
        return []
    model_id, dim = model
    kept = pa.chunked_array(
        [hashes[path].filter(pa.array(first)) for path, first in old.items()], pa.string()
    )
    new = [shard_path(folder, kept.slice(start, full).to_pylist()) for start in range(0, n_kept, full)]
    groups = _regrouped(_rows(old), shard_rows)
    for path in new:
        write_parquet_stream_atomic(path, shard_schema(dim, model_id), islice(groups, SHARDS_IN_ONE))
    # One that repeats only what another holds makes a new shard of the other's name.
    removed = [path for path in old if path not in new]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def _first_occurrences(hashes: Sequence[pa.Array]) -> list[Rows]:
    """Per shard (n,): whether the row's hash occurs in no row before it, of this shard or an earlier one."""
    # Offsets of large_string are 64 bits wide: 33 million hashes are more than the 2 GiB of a string array.
    column = pa.chunked_array([array.cast(pa.large_string()) for array in hashes]).combine_chunks()
    codes = column.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    first = np.zeros(len(codes), dtype=bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return np.split(first, np.cumsum([len(array) for array in hashes])[:-1])


def _rows(chosen: dict[Place, Rows]) -> Iterator[pa.Table]:
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
