"""An encoder whose work is done by a Ray cluster: the same vectors as in this process, from other ones.

Belongs here: what an encoder owes its callers, and how much is on its way at once. Does not: the cluster
(``ray_session``), what each encoder gets of it (``ray_shares``), the stages (``ray_pipeline``), what runs in the
workers (``ray_workers``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fashion_assets.encoders.cache import SHARD_ROWS
from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.protocol import Items, Modality, Vectors
from fashion_assets.encoders.ray_pipeline import Pipeline
from fashion_assets.encoders.ray_rows import check_kinds, is_reference
from fashion_assets.encoders.ray_session import connect
from fashion_assets.encoders.ray_shares import encoder_share
from fashion_assets.encoders.tables import vectors_of
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place

#: Texts or paths per encoder that are in the pipeline at once: about 40 MB of rows.
REFERENCES_PER_ENCODER: Final = 1 << 18


class RayEncoder:
    """Fills ``ShardingEncoder`` with ``encoders`` copies of what ``spec`` names, loaded by workers in every call.

    The options are those of ``load_encoder``; what each copy gets of the cluster is ``ray_shares.encoder_share``.
    ``model_id``, ``modality`` and ``dim`` come from a worker, since this machine may have no GPU. Raises UserError as
    ``load_encoder``, ``ray_session.connect`` and ``encoder_share``.
    """

    def __init__(
        self,
        spec: str,
        *,
        models_dir: Path | str | None = None,
        precision: str = "float32",
        compile: bool = False,
        batch_size: int | None = None,
        encoders: int = 1,
        gpus_per_encoder: float | None = None,
    ) -> None:
        if encoders < 1:
            raise UserError(f"encoders is {encoders}; it has to be at least 1")
        self.encoders = encoders
        nodes = connect()
        self._pipeline = Pipeline(
            spec,
            {
                # Workers have another working folder.
                "models_dir": None if models_dir is None else Path(models_dir).absolute(),
                "precision": precision,
                "compile": compile,
                "batch_size": batch_size,
            },
            encoders,
            encoder_share(encoders, nodes, gpus_per_encoder),
            sum(node.cpus for node in nodes),
        )
        self._facts = self._pipeline.facts()
        self.model_id: str = self._facts.model_id
        self.modality: Modality = self._facts.modality
        self.dim: int = self._facts.dim

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 unit rows in the order of ``items``, as the same encoder gives them in this process.

        All vectors come back here, so this is for calls that fit into memory. ``refused`` as in ``Encoder``.
        """
        listed = item_list(items, self.model_id)
        out = np.zeros((len(listed), self.dim), dtype=np.float32)
        reasons: dict[int, str] = {}
        keys = [str(number) for number in range(len(listed))]
        for wave_keys, wave in self._waves(keys, listed, SHARD_ROWS):
            for rows in self._pipeline.encoded(self._facts, wave_keys, wave):
                numbers = [int(key) for key in rows.column("key").to_pylist()]
                out[numbers] = vectors_of(rows)
                reasons |= _reasons(numbers, rows)
        if reasons and refused is None:
            raise UserError(reasons[min(reasons)])
        if refused is not None:
            refused |= dict(sorted(reasons.items()))
        return out

    def encode_shards(
        self, root: Place, shard_rows: int, hashes: Sequence[str], items: Items
    ) -> dict[str, str]:
        """Content hash -> reason of the refused pictures; the other vectors are in ``root``, at most ``shard_rows``
        a shard.

        The workers write them: ``root`` and the pictures have to be in a bucket, or where every node sees them by the
        same path.
        Texts and paths stream through one pipeline; items in memory, and those of a function, follow each other in
        waves of ``shard_rows`` per encoder. A killed driver loses the call that each encoder is at, at most
        (``ray_pipeline.call_rows``).
        """
        refused: dict[str, str] = {}
        for keys, wave in self._waves(hashes, items, shard_rows):
            for rows in self._pipeline.stored(self._facts, keys, wave, root.absolute(), shard_rows):
                refused |= _reasons(rows.column("key").to_pylist(), rows)
        return refused

    def _waves(
        self, keys: Sequence[str], items: Items, heavy_rows: int
    ) -> Iterator[tuple[list[str], list[Any]]]:
        """Keys and items, checked, in parts that may be on their way at once."""
        light = not callable(items) and all(is_reference(item) for item in items)
        size = self.encoders * (REFERENCES_PER_ENCODER if light else heavy_rows)
        for start in range(0, len(keys), size):
            stop = min(len(keys), start + size)
            chosen = items(list(range(start, stop))) if callable(items) else items[start:stop]
            if len(chosen) != stop - start:
                raise UserError(
                    f"{len(chosen)} items came for {stop - start} indices, first number {start}; expected one each"
                )
            wave = item_list(chosen, self.model_id)
            check_kinds(wave, self.modality, self.model_id, start)
            yield list(keys[start:stop]), wave


def _reasons(keys: list[Any], rows: pa.Table) -> dict[Any, str]:
    reasons = rows.column("refused").to_pylist()
    return {key: reason for key, reason in zip(keys, reasons, strict=True) if reason is not None}
