"""What runs in Ray's processes: reading pictures, encoding them, writing shards.

Plain functions and classes on Arrow tables, importable wherever the package is installed; nothing here imports Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.pictures import DECODE_SIDE
from fashion_assets.encoders.protocol import Encoder, Modality
from fashion_assets.encoders.ray_rows import decoded, items_of_rows
from fashion_assets.encoders.registry import load_encoder
from fashion_assets.encoders.rows import checked_vectors
from fashion_assets.encoders.tables import vector_array, vectors_of
from fashion_assets.networks.cores import limit_cores
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place

#: What a call whose vectors are stored hands back: the refused alone, with the reason.
REFUSED_ROWS: Final = pa.schema([pa.field("key", pa.string()), pa.field("refused", pa.string())])


@dataclass(frozen=True)
class EncoderFacts:
    """What an encoder is, as a worker found it."""

    model_id: str
    modality: Modality
    dim: int
    #: Long side at which it wants picture files decoded.
    decode_side: int


def encoder_facts(spec: str, options: dict[str, Any], cores: int) -> EncoderFacts | UserError:
    """The facts of ``load_encoder(spec, **options)``, or its refusal: returned, so that the sentence stays one."""
    limit_cores(cores)
    try:
        encoder = load_encoder(spec, **options)
    except UserError as error:
        return UserError(str(error))
    return EncoderFacts(encoder.model_id, encoder.modality, encoder.dim, _decode_side(encoder))


def decode_rows(rows: pa.Table, *, max_side: int, block_bytes: int) -> Iterator[pa.Table]:
    """Rows of items with the pictures decoded or refused (``ray_rows.decoded``), on one core."""
    import cv2

    limit_cores(1)
    cv2.setNumThreads(1)
    yield from decoded(rows, max_side, block_bytes)


class EncodeRows:
    """An actor that loads the encoder once, for ``cores`` cores, and turns decoded rows into rows (key, vector,
    refused)."""

    def __init__(
        self, spec: str, options: dict[str, Any], expected: EncoderFacts, naming: str, cores: int
    ) -> None:
        # Before anything asks how many threads to start.
        limit_cores(cores)
        self._encoder = load_encoder(spec, **options)
        self._expected = expected
        self._naming = naming

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Raises UserError if this worker's encoder is not the expected one, or for NaN, naming the item."""
        encoder, expected = self._encoder, self._expected
        if (encoder.model_id, encoder.dim) != (expected.model_id, expected.dim):
            raise UserError(
                f"one worker has the encoder {expected.model_id!r} with {expected.dim} dimensions, another "
                f"{encoder.model_id!r} with {encoder.dim}; give all nodes the same weights and kind of device"
            )
        keys = rows.column("key").to_pylist()
        reasons = rows.column("refused").to_pylist()
        readable = [number for number, reason in enumerate(reasons) if reason is None]
        vectors = np.zeros((len(keys), encoder.dim), dtype=np.float32)
        if readable:
            refused: dict[int, str] = {}
            raw = encoder.encode(items_of_rows(rows.take(readable)), refused)
            names = [self._naming.format(keys[number]) for number in readable]
            vectors[readable] = checked_vectors(raw, len(readable), encoder.dim, encoder.model_id, names)
            for number, reason in refused.items():
                reasons[readable[number]] = reason
        columns = [pa.array(keys, pa.string()), vector_array(vectors), pa.array(reasons, pa.string())]
        return pa.table(columns, names=["key", "vector", "refused"])


class EncodeShards(EncodeRows):
    """The same actor, which writes what it encodes, so that a call that has ended cannot be lost."""

    def __init__(self, *encoding: Any, root: Place, shard_rows: int) -> None:
        super().__init__(*encoding)
        self._root = root
        self._shard_rows = shard_rows

    def __call__(self, rows: pa.Table) -> pa.Table:
        """The refused (``REFUSED_ROWS``); the others are on disk, at most ``shard_rows`` a shard."""
        return store_rows(super().__call__(rows), self._root, self._encoder.model_id, self._shard_rows)


def store_rows(rows: pa.Table, root: Place, model_id: str, shard_rows: int) -> pa.Table:
    """The refused of encoded rows; the vectors of the others are shards of ``shard_rows`` on disk, the last less."""
    readable = rows.filter(rows.column("refused").is_null())
    cache = EmbeddingCache(root)
    for start in range(0, readable.num_rows, shard_rows):
        shard = readable.slice(start, shard_rows)
        cache.store(model_id, shard.column("key").to_pylist(), vectors_of(shard))
    return rows.filter(rows.column("refused").is_valid()).select(REFUSED_ROWS.names).cast(REFUSED_ROWS)


def _decode_side(encoder: Encoder) -> int:
    return int(getattr(encoder, "decode_side", DECODE_SIDE))
