"""Every different text or picture is encoded once, ever: vectors on disk by model id and content hash.

``<root>/<safe model id>/<digest of its hashes>.parquet`` are shards that are written whole and never changed; so any
number of processes may write at the same time (a hash that two of them encode in different company is there twice,
with the same vector). On a disk or in a bucket: nothing here rests on locks or renames. When a model has many small
ones they are put together (``compaction``).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.encoders.compaction import compact_shards, is_fragmented
from fashion_assets.encoders.protocol import Encoder, Items, ShardingEncoder, Vectors
from fashion_assets.encoders.rows import checked_vectors
from fashion_assets.encoders.schemas import shard_schema
from fashion_assets.encoders.shards import list_shards, shard_hashes, shard_length, shard_path, shard_vectors
from fashion_assets.encoders.tables import vector_array
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic
from fashion_assets.storage.places import ASKING_THREADS, Place, is_remote

logger = logging.getLogger(__name__)

#: Rows a shard: what a killed run loses at most, against the number of files.
SHARD_ROWS = 4096


@dataclass(frozen=True)
class EncodeResult:
    """``vectors`` (n, d) float32 in the order asked; ``new`` + ``reused`` + ``len(refused)`` = n."""

    vectors: Vectors
    #: Different hashes that were encoded now.
    new: int
    #: Items whose vector was there already, or that repeat another item of the call.
    reused: int
    #: Number of each item that is a picture which cannot be read -> why; its row is zeros, and nothing is kept.
    refused: dict[int, str] = field(default_factory=dict)


class EmbeddingCache:
    """Vectors by (model id, content hash) under ``root``."""

    def __init__(self, root: Place, *, shard_rows: int = SHARD_ROWS) -> None:
        if shard_rows < 1:
            raise UserError(f"shard_rows is {shard_rows}; it has to be at least 1")
        self.root = root
        self.shard_rows = shard_rows
        # Shards never change, so their hashes are read once in the life of this object.
        self._hashes: dict[Place, pa.Array] = {}

    def folder(self, model_id: str) -> Place:
        """The model's folder: its id in safe characters, with a digest so that no two ids share one."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", model_id).strip("._")[:80]
        return self.root / f"{readable}-{hashlib.sha256(model_id.encode()).hexdigest()[:12]}"

    def encode_missing(self, encoder: Encoder, hashes: Sequence[str], items: Items) -> EncodeResult:
        """The vectors of all items; only hashes that have none yet go through the encoder, each once.

        ``items`` is parallel to ``hashes``, or a callable that is given the indices it has to fetch (in
        shards), so that what is cached is never read or decoded. Each finished shard is on disk before the
        next begins. A call that wrote puts the model's shards together if they have become many.

        A picture that cannot be read costs its own row (``EncodeResult.refused``) and is tried again by the next
        call. Raises UserError naming the item for NaN or a wrong dimension; the shards before it stay.
        """
        if not callable(items) and len(items) != len(hashes):
            raise UserError(f"{len(hashes)} content hashes for {len(items)} items; expected one each")
        first_rows: dict[str, int] = {}
        for index, content_hash in enumerate(hashes):
            first_rows.setdefault(content_hash, index)
        distinct = list(first_rows)
        vectors = np.zeros((len(distinct), encoder.dim), dtype=np.float32)
        found = self._fill(encoder, distinct, vectors)
        missing = np.flatnonzero(~found)
        reasons: dict[str, str] = {}
        if len(missing):
            indices = [first_rows[distinct[row]] for row in missing]
            if isinstance(encoder, ShardingEncoder):
                vectors[missing], reasons = self._let_encode(encoder, hashes, indices, items)
            else:
                for start in range(0, len(missing), self.shard_rows):
                    stop = start + self.shard_rows
                    vectors[missing[start:stop]], unreadable = self._encode_shard(
                        encoder, hashes, indices[start:stop], items
                    )
                    reasons |= unreadable
            self._compact_if_fragmented(encoder.model_id)
        position = {content_hash: row for row, content_hash in enumerate(distinct)}
        order = np.asarray([position[content_hash] for content_hash in hashes], dtype=np.int64)
        refused = {index: reasons[one] for index, one in enumerate(hashes) if one in reasons}
        new = len(missing) - len(reasons)
        return EncodeResult(vectors[order], new, len(hashes) - new - len(refused), refused)

    def lookup(self, encoder: Encoder, hashes: Sequence[str]) -> tuple[Vectors, npt.NDArray[np.bool_]]:
        """((n, d) vectors, (n,) whether each was found); rows that were not found are zeros."""
        vectors = np.zeros((len(hashes), encoder.dim), dtype=np.float32)
        distinct = list(dict.fromkeys(hashes))
        kept = np.zeros((len(distinct), encoder.dim), dtype=np.float32)
        found = self._fill(encoder, distinct, kept)
        position = {content_hash: row for row, content_hash in enumerate(distinct)}
        order = np.asarray([position[content_hash] for content_hash in hashes], dtype=np.int64)
        vectors[:] = kept[order]
        return vectors, found[order]

    def _encode_shard(
        self, encoder: Encoder, hashes: Sequence[str], indices: list[int], items: Items
    ) -> tuple[Vectors, dict[str, str]]:
        """The vectors of the items at ``indices``, which are one shard on disk now, and the refused hashes."""
        chosen = items(indices) if callable(items) else [items[index] for index in indices]
        names = [f"number {index} (content hash {hashes[index]})" for index in indices]
        if len(chosen) != len(indices):
            raise UserError(
                f"{len(chosen)} items came for {len(indices)} indices, first {names[0]}; expected one each"
            )
        refused: dict[int, str] = {}
        raw = encoder.encode(chosen, refused)
        vectors = checked_vectors(raw, len(indices), encoder.dim, encoder.model_id, names)
        kept = [row for row in range(len(indices)) if row not in refused]
        if kept:
            self.store(encoder.model_id, [hashes[indices[row]] for row in kept], vectors[kept])
        return vectors, {hashes[indices[row]]: reason for row, reason in refused.items()}

    def _let_encode(
        self, encoder: ShardingEncoder, hashes: Sequence[str], indices: list[int], items: Items
    ) -> tuple[Vectors, dict[str, str]]:
        """The same where the encoder writes the shards."""

        def fetch(numbers: list[int]) -> Sequence[Any]:
            chosen = [indices[number] for number in numbers]
            return items(chosen) if callable(items) else [items[index] for index in chosen]

        wanted = [hashes[index] for index in indices]
        own: Items = fetch if callable(items) else fetch(list(range(len(indices))))
        refused = encoder.encode_shards(self.root, self.shard_rows, wanted, own)
        vectors = np.zeros((len(wanted), encoder.dim), dtype=np.float32)
        found = self._fill(encoder, wanted, vectors)
        lost = [row for row in np.flatnonzero(~found) if wanted[row] not in refused]
        if lost:
            raise UserError(
                f"{encoder.model_id} left {len(lost)} of {len(wanted)} items without a vector in {self.root}, first "
                f"number {indices[lost[0]]} (content hash {wanted[lost[0]]}); see that every worker writes into this "
                "folder, and run again"
            )
        return vectors, refused

    def store(self, model_id: str, hashes: Sequence[str], vectors: npt.NDArray[np.float32]) -> Place:
        """Write one shard and return its path; from now on its hashes are not encoded again."""
        table = pa.table(
            [pa.array(hashes, pa.string()), vector_array(vectors)],
            schema=shard_schema(int(vectors.shape[1]), model_id),
        )
        path = shard_path(self.folder(model_id), hashes)
        write_parquet_atomic(path, table)
        return path

    def compact(self, model_id: str) -> int:
        """How many shards of the model were replaced by fewer, larger ones without repeated hashes.

        Other processes may read and write meanwhile, and a kill at any point loses no vector; 0 if there is
        nothing to gain, or another process is at it. Raises as ``compaction.compact_shards``.
        """
        removed = compact_shards(self.folder(model_id), self.shard_rows)
        for path in removed:
            self._hashes.pop(path, None)
        return len(removed)

    def _compact_if_fragmented(self, model_id: str) -> None:
        try:
            if is_fragmented(self.folder(model_id), self.shard_rows, self._length):
                self.compact(model_id)
        except OSError as error:
            # The vectors are encoded and kept: a full disk or a shard removed by hand is no reason to fail a month.
            logger.warning(
                "the embedding cache of %s was not compacted (%s); the next run tries again", model_id, error
            )

    def _fill(
        self, encoder: Encoder, distinct: list[str], vectors: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.bool_]:
        """Copy what the shards hold into ``vectors``; (n,) whether each hash was found.

        Hash columns are read first; vectors only of shards with a hit. While hashes are missing the folder is
        listed again until it shows no new shard: a compaction may have moved rows of a listed shard, or one that
        the listing just missed, into a shard that was not there yet.
        """
        found = np.zeros(len(distinct), dtype=bool)
        wanted = pa.array(distinct, pa.string())
        folder = self.folder(encoder.model_id)
        seen: set[Place] = set()
        while not found.all():
            fresh = [path for path in list_shards(folder) if path not in seen]
            if not fresh:
                break
            seen.update(fresh)
            read = zip(fresh, self._hashes_of(fresh), strict=True)
            listed = [(path, hashes) for path, hashes in read if hashes is not None]
            if not listed:
                continue
            # One look-up for all shards: the table of wanted hashes is built once and not for each.
            every = pa.chunked_array([hashes for _, hashes in listed])
            targets = pc.index_in(every, value_set=wanted).combine_chunks()
            start = 0
            for path, hashes in listed:
                target = targets.slice(start, len(hashes))
                start += len(hashes)
                if found.all():
                    break
                try:
                    self._fill_from(path, target, encoder, vectors, found)
                except FileNotFoundError:
                    self._hashes.pop(path, None)
        return found

    def _fill_from(
        self,
        path: Place,
        target: pa.Array,
        encoder: Encoder,
        vectors: npt.NDArray[np.float32],
        found: npt.NDArray[np.bool_],
    ) -> None:
        """Copy the wanted vectors of one shard into ``vectors`` and mark them in ``found``.

        ``target`` (n,): where each row of the shard goes, null for those that nobody wants.
        """
        rows = np.flatnonzero(target.is_valid().to_numpy(zero_copy_only=False))
        targets = target.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
        fresh = ~found[targets]
        if fresh.any():
            vectors[targets[fresh]] = shard_vectors(path, rows[fresh], encoder.model_id, encoder.dim)
            found[targets[fresh]] = True

    def _length(self, path: Place) -> int:
        return len(self._hashes[path]) if path in self._hashes else shard_length(path)

    def _hashes_of(self, paths: list[Place]) -> list[pa.Array | None]:
        """``_hashes_or_none`` of each; in a bucket some are read side by side, since each is mostly waited for."""
        if not is_remote(self.root):
            return [self._hashes_or_none(path) for path in paths]
        with ThreadPoolExecutor(ASKING_THREADS, thread_name_prefix="read-hashes") as pool:
            return list(pool.map(self._hashes_or_none, paths))

    def _hashes_or_none(self, path: Place) -> pa.Array | None:
        """The shard's hashes; None if a compaction has removed it meanwhile."""
        if path not in self._hashes:
            try:
                self._hashes[path] = shard_hashes(path)
            except FileNotFoundError:
                return None
        return self._hashes[path]
