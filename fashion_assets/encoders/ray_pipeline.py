"""The way of items through a Ray cluster: tasks decode, a pool of actors encodes and writes the shards.

Ray Data streams: a stage starts as soon as the one before has a block, and stops while the next is behind, so that
what is on its way stays within the object store whatever the number of pictures. What dies is done again by Ray, a
task elsewhere, an actor with its encoder loaded anew. A shard that is written twice that way is the same twice, and
compaction drops one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fashion_assets.encoders.ray_rows import rows_of_items
from fashion_assets.encoders.ray_shares import Share
from fashion_assets.encoders.ray_workers import (
    EncoderFacts,
    EncodeRows,
    EncodeShards,
    decode_rows,
    encoder_facts,
)
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place

#: Pixels a block, in bytes: what a stage hands on at once (64 crops of 256 x 256 with their region).
BLOCK_BYTES: Final = 16 * 1024**2
#: Most items that an encoder is handed at once: four of the largest batches of texts on a GPU.
CALL_ROWS: Final = 4096
#: Bytes of pixels that it is handed at once, if they are as large as it has files decoded. On a GPU a quarter of them
#: is a batch: 113 pictures at a long side of 512.
CPU_CALL_BYTES: Final = 64 * 1024**2
GPU_CALL_BYTES: Final = 256 * 1024**2
#: An encoder reads the next batches while the network is at one, but not beyond what it was handed.
BATCHES_A_CALL: Final = 4
#: Most items that one decoding task takes: what is read again when it dies.
TASK_ROWS: Final = 256
#: Tasks a CPU, where there are few items: so that none waits long for the last one.
TASKS_PER_CPU: Final = 4
#: How often a task or an actor's batch is done again when its process died: a picture that kills every decoder has
#: to end the run, not to keep it busy for ever.
RETRIES: Final = 3


@dataclass(frozen=True)
class Pipeline:
    """``load_encoder(spec, **options)`` in ``encoders`` actors with ``share`` each; ``cpus`` are the cluster's.

    Running it raises UserError as a worker did, or with what is wrong with the cluster.
    """

    spec: str
    options: dict[str, Any]
    encoders: int
    share: Share
    cpus: float

    def facts(self) -> EncoderFacts:
        """What the encoder is, found out by a worker with the resources of an encoder."""
        import ray

        task = ray.remote(**self._resources, max_retries=RETRIES)(encoder_facts)
        with _sentences(f"encoder {self.spec!r}"):
            facts = ray.get(task.remote(self.spec, self.options, self._cores))
        if isinstance(facts, UserError):
            raise facts
        return facts

    def encoded(self, facts: EncoderFacts, keys: list[str], items: list[Any]) -> Iterator[pa.Table]:
        """Tables (key, vector, refused) of the items, in any order."""
        with _context():
            rows = self._encode(EncodeRows, facts, keys, items, "number {}")
        yield from _tables(rows, facts.model_id)

    def stored(
        self, facts: EncoderFacts, keys: list[str], items: list[Any], root: Place, shard_rows: int
    ) -> Iterator[pa.Table]:
        """Tables (key, refused) of the refused, in any order; the others are in the cache under ``root``, at most
        ``shard_rows`` a file."""
        with _context():
            rows = self._encode(
                EncodeShards, facts, keys, items, "(content hash {})", root=root, shard_rows=shard_rows
            )
        yield from _tables(rows, facts.model_id)

    @property
    def _resources(self) -> dict[str, float]:
        return {"num_cpus": self.share.cpus, "num_gpus": self.share.gpus}

    @property
    def _cores(self) -> int:
        return max(1, int(self.share.cpus))

    def _encode(
        self,
        actor: type[EncodeRows],
        facts: EncoderFacts,
        keys: list[str],
        items: list[Any],
        naming: str,
        **storing: Any,
    ) -> Any:
        import ray.data

        on_gpu = self.share.gpus > 0
        options = self.options
        if on_gpu and facts.modality != "text" and options["batch_size"] is None:
            options = {**options, "batch_size": call_rows(facts, None, on_gpu=True) // BATCHES_A_CALL}
        # However few there are, every encoder has some.
        rows_a_call = min(
            call_rows(facts, options["batch_size"], on_gpu=on_gpu), math.ceil(len(keys) / self.encoders)
        )

        step = min(TASK_ROWS, math.ceil(len(keys) / (TASKS_PER_CPU * max(1.0, self.cpus))))
        starts = range(0, len(keys), step)
        rows = ray.data.from_blocks(
            [rows_of_items(keys[start : start + step], items[start : start + step]) for start in starts]
        )
        if facts.modality != "text":
            # Other arguments than the encoders', or Ray would decode inside the encoders.
            rows = rows.map_batches(
                decode_rows,
                batch_size=None,
                batch_format="pyarrow",
                fn_kwargs={"max_side": facts.decode_side, "block_bytes": BLOCK_BYTES},
                max_retries=RETRIES,
            )
        return rows.map_batches(
            actor,
            batch_size=rows_a_call,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=self.encoders),
            fn_constructor_args=(self.spec, options, facts, naming, self._cores),
            fn_constructor_kwargs=storing,
            max_restarts=-1,
            max_task_retries=RETRIES,
            **self._resources,
        )


def call_rows(facts: EncoderFacts, batch_size: int | None, *, on_gpu: bool) -> int:
    """Items that an encoder is handed at once: ``BATCHES_A_CALL`` batches, if the batch is known, within the bounds.

    Pictures count as 3:4 RGB at the encoder's long side.
    """
    most = CALL_ROWS
    if facts.modality != "text":
        picture_bytes = facts.decode_side**2 * 3 * 3 // 4
        most = min(most, (GPU_CALL_BYTES if on_gpu else CPU_CALL_BYTES) // picture_bytes)
    if batch_size is None:
        return max(1, most)
    return max(batch_size, min(most, BATCHES_A_CALL * batch_size))


@contextmanager
def _context() -> Iterator[None]:
    """Small blocks and no progress bars for the datasets made inside; each keeps the context it was made in."""
    from ray.data import DataContext
    from ray.util.annotations import RayDeprecationWarning

    context = DataContext.get_current().copy()
    context.target_max_block_size = BLOCK_BYTES
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A worker's UserError as it is, not inside an error of Ray Data's own.
    context.raise_original_map_exception = True
    with DataContext.current(context), warnings.catch_warnings():
        # Ray 2.60, which is pinned, has no other way to bound retries, and its own default is to retry for ever.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        yield


def _tables(rows: Any, model_id: str) -> Iterator[pa.Table]:
    """Run the dataset; its tables as they come."""
    with _sentences(model_id):
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


@contextmanager
def _sentences(what: str) -> Iterator[None]:
    """Turns Ray's errors into the UserError that a worker raised, or one that names the cluster's fault."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        # Ray Data writes its advice on retries below what the worker said.
        cause = getattr(error, "cause", error)
        lines = str(cause).strip().splitlines()
        said = lines[0] if lines else type(cause).__name__
        if isinstance(cause, UserError):
            raise UserError(said) from error
        raise UserError(
            f"{what} on Ray: a worker failed for good ({type(cause).__name__}: {said}); see the logs of the Ray "
            "session (/tmp/ray/session_latest/logs) and run again: what is encoded stays"
        ) from error
