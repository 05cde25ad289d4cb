"""The way of items through a Ray cluster: tasks decode, a pool of actors encodes, tasks write the shards.

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
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from fashion_assets.encoders.ray_rows import rows_of_items
from fashion_assets.encoders.ray_workers import (
    EncoderFacts,
    EncodeRows,
    decode_rows,
    encoder_facts,
    store_rows,
)
from fashion_assets.storage.errors import UserError

#: Pixels a block, in bytes: what a stage hands on at once (64 crops of 256 x 256 with their region).
BLOCK_BYTES: Final = 16 * 1024**2
#: Most items that one decoding task takes: what is read again when it dies.
TASK_ROWS: Final = 256
#: Tasks a CPU, where there are few items: so that none waits long for the last one.
TASKS_PER_CPU: Final = 4
#: How often a task or an actor's batch is done again when its process died: a picture that kills every decoder has
#: to end the run, not to keep it busy for ever.
RETRIES: Final = 3


@dataclass(frozen=True)
class Pipeline:
    """``load_encoder(spec, **options)`` in ``encoders`` actors, each with ``resources`` (num_cpus, num_gpus).

    Each is handed ``rows`` items at once; ``cpus`` are the cluster's. Running it raises UserError as a worker did,
    or with what is wrong with the cluster.
    """

    spec: str
    options: dict[str, Any]
    encoders: int
    resources: dict[str, float]
    rows: int
    cpus: float

    def facts(self) -> EncoderFacts:
        """What the encoder is, found out by a worker with the resources of an encoder."""
        import ray

        task = ray.remote(**self.resources, max_retries=RETRIES)(encoder_facts)
        with _sentences(f"encoder {self.spec!r}"):
            facts = ray.get(task.remote(self.spec, self.options))
        if isinstance(facts, UserError):
            raise facts
        return facts

    def encoded(self, facts: EncoderFacts, keys: list[str], items: list[Any]) -> Iterator[pa.Table]:
        """Tables (key, vector, refused) of the items, in any order."""
        with _context():
            rows = self._encode(facts, keys, items, "number {}")
        yield from _tables(rows, facts.model_id)

    def stored(
        self, facts: EncoderFacts, keys: list[str], items: list[Any], root: Path, shard_rows: int
    ) -> Iterator[pa.Table]:
        """Tables (key, refused) of the refused, in any order; the others are in the cache, ``shard_rows`` a file."""
        with _context():
            rows = self._encode(facts, keys, items, "(content hash {})")
            rows = rows.repartition(target_num_rows_per_block=shard_rows, strict=True).map_batches(
                store_rows,
                batch_size=None,
                batch_format="pyarrow",
                fn_kwargs={"root": root, "model_id": facts.model_id},
                max_retries=RETRIES,
            )
        yield from _tables(rows, facts.model_id)

    def _encode(self, facts: EncoderFacts, keys: list[str], items: list[Any], naming: str) -> Any:
        import ray.data

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
            EncodeRows,
            batch_size=self.rows,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=self.encoders),
            fn_constructor_args=(self.spec, self.options, facts, naming),
            max_restarts=-1,
            max_task_retries=RETRIES,
            **self.resources,
        )


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
