"""One forward pass for the items of several threads: whoever comes next takes along those who wait.

A GPU takes eight pictures in little more time than one, but pictures arrive one by one from the threads that decode
them. No thread waits for a batch to fill: a batch is what gathered while the pass before it ran.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    key: Hashable
    results: list[Result]
    error: BaseException | None = None


class WaitingBatches(Generic[Item, Result]):
    """Calls ``forward`` with lists of one to ``largest`` items of equal ``key``, by one thread at a time.

    ``forward`` gives one result per item, in their order. It may lower ``largest`` for the batches that follow.
    """

    def __init__(self, forward: Callable[[Sequence[Item]], Sequence[Result]], largest: int) -> None:
        self._forward = forward
        self.largest = largest
        self._queue: list[_Waiting[Item, Result]] = []
        self._guard = threading.Lock()
        self._running = threading.Lock()

    def __call__(self, item: Item, key: Hashable) -> Result:
        """The result of ``item``. An error of ``forward`` is raised for every item of its batch."""
        mine: _Waiting[Item, Result] = _Waiting(item, key, [])
        with self._guard:
            self._queue.append(mine)
        with self._running:
            if not mine.results and mine.error is None:
                self._run(self._taken_along(mine))
        if mine.error is not None:
            raise mine.error
        return mine.results[0]

    def _taken_along(self, mine: _Waiting[Item, Result]) -> list[_Waiting[Item, Result]]:
        with self._guard:
            others = [other for other in self._queue if other is not mine and other.key == mine.key]
            batch = [mine, *others[: self.largest - 1]]
            self._queue = [left for left in self._queue if not any(left is taken for taken in batch)]
        return batch

    def _run(self, batch: list[_Waiting[Item, Result]]) -> None:
        try:
            results = self._forward([waiting.item for waiting in batch])
        except BaseException as error:
            for waiting in batch:
                waiting.error = error
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.results.append(result)
