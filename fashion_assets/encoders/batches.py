"""Batches by length, prepared ahead of the network, halved when memory runs out.

Longest items come first, so that padding is small and a lack of memory shows at once instead of at the end.
While the network works on one batch, a thread prepares (reads, decodes, tokenises) the next.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

logger = logging.getLogger(__name__)

#: Fragments of the messages by which PyTorch (CPU allocator) and ONNX Runtime report a lack of memory.
_MEMORY_MESSAGES = ("out of memory", "can't allocate memory", "failed to allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the batch was too large, judged without importing any framework."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(fragment in str(error).lower() for fragment in _MEMORY_MESSAGES)


class BatchRunner:
    """Runs ``forward(prepare(items))`` over batches and hands rows back in the order of the items.

    ``batch_size`` shrinks for good when memory ran out once: the next call starts where this one ended.
    """

    def __init__(
        self,
        prepare: Callable[[list[Any]], Any],
        forward: Callable[[Any], npt.NDArray[np.float32]],
        *,
        batch_size: int,
        dim: int,
        name: str,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"the batch size is {batch_size}; it has to be at least 1")
        self.prepare = prepare
        self.forward = forward
        self.batch_size = batch_size
        self.dim = dim
        self.name = name

    def run(self, items: Sequence[Any], lengths: Sequence[int] | None = None) -> npt.NDArray[np.float32]:
        """(n, dim) float32 in the order of ``items``; ``lengths`` (n) decide which items share a batch."""
        n_items = len(items)
        out = np.zeros((n_items, self.dim), dtype=np.float32)
        order = np.arange(n_items) if lengths is None else np.argsort(-np.asarray(lengths), kind="stable")
        start = 0
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare-batch") as pool:
            ahead: tuple[int, int, Future[Any]] | None = None
            while start < n_items:
                stop = min(n_items, start + self.batch_size)
                if ahead is None or ahead[:2] != (start, stop):
                    ahead = (start, stop, self._submit(pool, items, order[start:stop]))
                prepared = ahead[2].result()
                ahead = None
                if stop < n_items:
                    after = min(n_items, stop + self.batch_size)
                    ahead = (stop, after, self._submit(pool, items, order[stop:after]))
                vectors = self._forward_or_none(prepared)
                del prepared
                if vectors is None:
                    if ahead is not None:
                        ahead[2].cancel()
                        ahead = None
                    self._halve(stop - start, int(order[start]))
                    continue
                out[order[start:stop]] = vectors
                start = stop
        return out

    def _submit(
        self, pool: ThreadPoolExecutor, items: Sequence[Any], indices: npt.NDArray[np.intp]
    ) -> Future[Any]:
        return pool.submit(self.prepare, [items[int(index)] for index in indices])

    def _forward_or_none(self, prepared: Any) -> npt.NDArray[np.float32] | None:
        """The batch's rows, or None if memory ran out (the error is dropped here, with the tensors that it
        holds)."""
        try:
            return self.forward(prepared)
        except Exception as error:  # broad because ONNX Runtime's errors have no common base but this one
            if not is_out_of_memory(error):
                raise
            return None

    def _halve(self, failed_size: int, first_index: int) -> None:
        if failed_size == 1:
            raise UserError(
                f"{self.name}: item number {first_index} alone does not fit into memory; "
                "shorten it, take a smaller network, or set another device"
            )
        self.batch_size = failed_size // 2
        logger.warning(
            "%s: out of memory at %d items a batch, going on with %d", self.name, failed_size, self.batch_size
        )
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
