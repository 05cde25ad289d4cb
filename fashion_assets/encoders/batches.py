"""Batches by length, made ready ahead of the network, halved when memory runs out.

Longest items come first, so that padding is small and a lack of memory shows at once instead of at the end.
While the network works on one batch (or on one a lane), threads read the pictures of the next ones, and one thread
puts each together (stacks, tokenises). However many items a call has, at most ``AHEAD`` batches beside the one in the
network are ready or on their way (more only where a batch has fewer items than there are readers), each
picture as the tower's ``transform`` leaves it: 150 kB an ONNX input of 224 x 224, 600 kB one of float32.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.errors import MediaError
from fashion_assets.networks.cores import core_count
from fashion_assets.networks.memory import is_out_of_memory
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import is_remote

logger = logging.getLogger(__name__)

#: Batches made ready while the network works on one: with a single one the network waits for every batch that takes
#: longer than the mean.
AHEAD: Final = 2
#: Most threads that read pictures: decoders run side by side, but Python's part of each picture one at a time; a
#: machine of 128 cores should not start 128 threads for that.
MAX_READERS: Final = 16


def reader_count() -> int:
    """Threads that read pictures: one a core, at most ``MAX_READERS``."""
    return min(MAX_READERS, core_count())


def readers_for(items: Sequence[Any]) -> int:
    """The same for these items: all that there may be where they lie in a bucket, since then they mostly wait."""
    return MAX_READERS if len(items) and is_remote(items[0]) else reader_count()


@dataclass(frozen=True)
class _Ready:
    """A batch: its ``input`` for the network (None if memory ran out), the numbers of the items in it, and why others
    are not.
    """

    input: Any
    numbers: list[int]
    refused: dict[int, MediaError]


@dataclass(frozen=True)
class _Running:
    """A batch in the network: it ends before position ``stop``; ``rows`` is None where memory ran out."""

    stop: int
    numbers: list[int]
    rows: Future[npt.NDArray[np.float32] | None]


@dataclass(frozen=True)
class _Coming:
    """A batch that is being made: it ends before position ``stop`` of the order."""

    stop: int
    reads: list[Future[Any]]
    ready: Future[_Ready]

    def cancel(self) -> None:
        for future in (*self.reads, self.ready):
            future.cancel()


class BatchRunner:
    """Runs ``forward(prepare(items))`` over batches and hands rows back in the order of the items.

    With ``read`` every item goes through it first, one by one in threads of their own; one that raises MediaError is
    left out. ``lanes`` batches are in the network at a time, each in a thread of its own. When memory runs out, first
    ``lanes`` becomes 1, then ``batch_size`` is halved, for good: the next call starts where this one ended. A network
    whose batch is ``fixed`` always gets the whole of it.
    """

    def __init__(
        self,
        prepare: Callable[[list[Any]], Any],
        forward: Callable[[Any], npt.NDArray[np.float32]],
        *,
        batch_size: int,
        dim: int,
        name: str,
        read: Callable[[Any], Any] | None = None,
        lanes: int = 1,
        fixed: bool = False,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"the batch size is {batch_size}; it has to be at least 1")
        self.prepare = prepare
        self.forward = forward
        self.read = read
        self.lanes = lanes
        self.fixed = fixed
        self.batch_size = batch_size
        self.dim = dim
        self.name = name

    def run(
        self,
        items: Sequence[Any],
        lengths: Sequence[int] | None = None,
        refused: dict[int, str] | None = None,
    ) -> npt.NDArray[np.float32]:
        """(n, dim) float32 in the order of ``items``; ``lengths`` (n) decide which items share a batch.

        An item that ``read`` refuses raises its MediaError; with ``refused`` given it is noted there by its number,
        and its row is zeros.
        """
        out = np.zeros((len(items), self.dim), dtype=np.float32)
        longest_first = None if lengths is None else np.argsort(-np.asarray(lengths), kind="stable")
        order: list[int] = list(range(len(items))) if longest_first is None else longest_first.tolist()
        readers = ThreadPoolExecutor(readers_for(items), thread_name_prefix="read-picture")
        preparer = ThreadPoolExecutor(1, thread_name_prefix="prepare-batch")
        network = ThreadPoolExecutor(self.lanes, thread_name_prefix="network")
        coming: deque[_Coming] = deque()
        running: deque[_Running] = deque()
        # Rows of a GPU arrive while the next batch is in the network: taking them at once would stop both.
        arriving: tuple[list[int], npt.NDArray[np.float32]] | None = None
        # Tiny batches must not leave readers without work.
        ahead = max(AHEAD, self.lanes, -(-readers_for(items) // self.batch_size))
        try:
            done = asked = 0
            while done < len(order):
                while asked < len(order) and len(coming) <= ahead:
                    coming.append(self._ask(readers, preparer, items, order, asked))
                    asked = coming[-1].stop
                while coming and len(running) < self.lanes:
                    batch = coming.popleft()
                    ready = batch.ready.result()
                    for number, error in ready.refused.items():
                        if refused is None:
                            raise error
                        refused[number] = str(error)
                    rows = network.submit(self._rows_of, ready)
                    running.append(_Running(batch.stop, ready.numbers, rows))
                first = running.popleft()
                found = first.rows.result()
                if found is None:
                    _cancel(coming)
                    for other in running:
                        if not other.rows.cancel():
                            other.rows.exception()  # waits: what it holds is what the next try needs
                    running.clear()
                    self._shrink(len(first.numbers), first.numbers[0])
                    asked = done
                    continue
                if arriving is not None:
                    out[arriving[0]] = arriving[1]
                arriving = first.numbers, found
                done = first.stop
            if arriving is not None:
                out[arriving[0]] = arriving[1]
        finally:
            _cancel(coming)
            for pool in (readers, preparer, network):
                pool.shutdown()
        return out

    def _ask(
        self,
        readers: ThreadPoolExecutor,
        preparer: ThreadPoolExecutor,
        items: Sequence[Any],
        order: list[int],
        start: int,
    ) -> _Coming:
        """The next batch from position ``start`` of the order, on its way."""
        # Every lane gets a part of a short call.
        size = self.batch_size if self.fixed else min(self.batch_size, -(-len(order) // self.lanes))
        numbers = order[start : start + size]
        chosen = [items[number] for number in numbers]
        reads = [] if self.read is None else [readers.submit(self.read, item) for item in chosen]
        ready = preparer.submit(self._make_ready, numbers, reads or chosen)
        return _Coming(start + len(numbers), reads, ready)

    def _make_ready(self, numbers: list[int], parts: list[Any]) -> _Ready:
        if self.read is None:
            return _Ready(self._prepared(parts), numbers, {})
        refused: dict[int, MediaError] = {}
        read: dict[int, Any] = {}
        for number, part in zip(numbers, parts, strict=True):
            try:
                read[number] = part.result()
            except MediaError as error:
                refused[number] = error
        return _Ready(self._prepared(list(read.values())), list(read), refused)

    def _prepared(self, parts: list[Any]) -> Any:
        """The network's input, or None if there is no room for it."""
        try:
            return self.prepare(parts) if parts else None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _rows_of(self, ready: _Ready) -> npt.NDArray[np.float32] | None:
        """The batch's rows, or None if memory ran out (the error is dropped here, with the tensors that it
        holds)."""
        if not ready.numbers:
            return np.zeros((0, self.dim), dtype=np.float32)
        if ready.input is None:
            return None
        try:
            return self.forward(ready.input)
        except Exception as error:  # broad because ONNX Runtime's errors have no common base but this one
            if not is_out_of_memory(error):
                raise
            return None

    def _shrink(self, failed_size: int, first_index: int) -> None:
        """Fewer lanes, or half the batch."""
        _give_back_gpu_memory()
        if self.lanes > 1:
            logger.warning(
                "%s: out of memory with %d batches at a time, going on with one", self.name, self.lanes
            )
            self.lanes = 1
            return
        if self.fixed:
            raise UserError(
                f"{self.name}: its batch of {self.batch_size}, which the file fixes, does not fit into memory; export "
                "it with a free or a smaller batch"
            )
        if failed_size == 1:
            raise UserError(
                f"{self.name}: item number {first_index} alone does not fit into memory; "
                "shorten it, take a smaller network, or set another device"
            )
        self.batch_size = failed_size // 2
        logger.warning(
            "%s: out of memory at %d items a batch, going on with %d", self.name, failed_size, self.batch_size
        )


def _give_back_gpu_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _cancel(coming: deque[_Coming]) -> None:
    while coming:
        coming.popleft().cancel()
