"""The files of the embedding cache: Parquet shards, written whole, never changed, read by row group.

A shard that was listed may be gone when it is read, because a compaction has put its rows into another one first:
every function here then raises FileNotFoundError, and the caller lists again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fashion_assets.encoders.protocol import Vectors
from fashion_assets.encoders.schemas import MODEL_ID_KEY
from fashion_assets.encoders.tables import vectors_of
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.parquet_files import is_damage, open_parquet
from fashion_assets.storage.places import Place, Stamp, entries


def list_shards(folder: Place) -> list[Place]:
    """The shards of one model, sorted by name; none if the folder is missing."""
    return list(stamped_shards(folder))


def stamped_shards(folder: Place) -> dict[Place, Stamp]:
    """The same with their sizes."""
    files, _ = entries(folder)
    # Temporary files of writers that are at work or were killed start with a dot.
    return {
        path: stamp
        for path, stamp in files.items()
        if path.suffix == ".parquet" and not path.name.startswith(".")
    }


def shard_path(folder: Place, hashes: Iterable[str]) -> Place:
    """The place in ``folder`` of the shard that holds the vectors of ``hashes``, in this order.

    The name follows from the content: a shard that two processes write, or one twice, is one file.
    """
    digest = hashlib.sha256()
    for content_hash in hashes:
        digest.update(content_hash.encode() + b"\n")
    return folder / f"{digest.hexdigest()[:32]}.parquet"


@contextmanager
def open_shard(path: Place) -> Iterator[pq.ParquetFile]:
    """The shard, open; on a disk it can then be read to the end even if a compaction removes it meanwhile.

    Raises UserError for a file that cannot be read, FileNotFoundError for one that is gone.
    """
    try:
        with open_parquet(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowInvalid) as error:
        if not is_damage(error, path):
            raise
        raise UserError(
            f"the cached vectors in {path} cannot be read ({error}); delete the file to encode again"
        ) from error


def shard_hashes(path: Place) -> pa.Array:
    """(n,) content hashes of the shard's rows."""
    with open_shard(path) as file:
        return file.read(columns=["content_hash"]).column("content_hash").combine_chunks()


def shard_length(path: Place) -> int:
    """How many rows the shard has; reads its footer alone."""
    with open_shard(path) as file:
        return int(file.metadata.num_rows)


def shard_content(path: Place) -> tuple[tuple[str, int], pa.Array]:
    """((model id, dimension), content hashes (n,)) of the shard."""
    with open_shard(path) as file:
        return _model(file), file.read(columns=["content_hash"]).column("content_hash").combine_chunks()


def shard_vectors(path: Place, rows: npt.NDArray[np.int64], model_id: str, dim: int) -> Vectors:
    """(len(rows), dim) float32, the vectors of ``rows``; reads only the row groups that hold one of them.

    Raises UserError if the shard's vectors are of another model or dimension.
    """
    chosen = np.zeros((len(rows), dim), dtype=np.float32)
    with open_shard(path) as file:
        require_model(path, _model(file), (model_id, dim))
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = (rows >= start) & (rows < stop)
            if here.any():
                chosen[here] = vectors_of(file.read_row_group(group, columns=["vector"]))[rows[here] - start]
            start = stop
    return chosen


def require_model(path: Place, found: tuple[str, int], expected: tuple[str, int]) -> None:
    """UserError if the (model id, dimension) found in a shard is not the expected one."""
    if found != expected:
        raise UserError(
            f"the cached vectors in {path} are of {found[0]!r} with {found[1]} dimensions; "
            f"expected {expected[0]!r} with {expected[1]}; delete the folder {path.parent} to encode again"
        )


def _model(file: pq.ParquetFile) -> tuple[str, int]:
    schema = file.schema_arrow
    kind = schema.field("vector").type
    dim = int(kind.list_size) if pa.types.is_fixed_size_list(kind) else 0
    return (schema.metadata or {}).get(MODEL_ID_KEY, b"").decode("utf-8"), dim
