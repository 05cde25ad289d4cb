"""Threads that share forward passes: each gets its own result, and those who wait go together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fashion_assets.media.waiting_batches import WaitingBatches


class Doubling:
    """Doubles numbers, notes its batches, and lets the first one wait until told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        assert self.go_on.wait(300)
        if 13 in items:
            raise RuntimeError("no thirteens")
        return [2 * item for item in items]


def gathered(largest: int, items: list[int], keys: list[str]) -> tuple[Doubling, list[object]]:
    """What comes out if the first item runs alone while all others arrive."""
    forward = Doubling()
    shared = WaitingBatches(forward, largest)

    def call(item: int, key: str) -> object:
        try:
            return shared(item, key)
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=len(items)) as pool:
        futures = [pool.submit(call, items[0], keys[0])]
        assert forward.begun.wait(300)
        futures += [pool.submit(call, item, key) for item, key in zip(items[1:], keys[1:], strict=True)]
        while len(shared._queue) < len(items) - 1:
            time.sleep(0.001)
        forward.go_on.set()
        return forward, [future.result() for future in futures]


def test_those_who_wait_share_a_pass_and_get_their_own_results() -> None:
    forward, results = gathered(8, [1, 2, 3, 4, 5], ["a"] * 5)
    assert results == [2, 4, 6, 8, 10]
    assert [len(batch) for batch in forward.batches] == [1, 4]


def test_a_batch_is_no_larger_than_allowed_and_of_one_key() -> None:
    forward, results = gathered(2, [1, 2, 3, 4, 5], ["a", "a", "b", "a", "b"])
    assert results == [2, 4, 6, 8, 10]
    assert sorted(sorted(batch) for batch in forward.batches) == [[1], [2, 4], [3, 5]]


def test_one_at_a_time() -> None:
    forward, results = gathered(1, [1, 2, 3], ["a"] * 3)
    assert results == [2, 4, 6]
    assert [len(batch) for batch in forward.batches] == [1, 1, 1]


def test_an_error_reaches_everyone_in_its_batch_and_nobody_else() -> None:
    forward, results = gathered(8, [1, 13, 3], ["a"] * 3)
    assert results == [2, "no thirteens", "no thirteens"]
    shared = WaitingBatches(forward, 8)
    with pytest.raises(RuntimeError, match="no thirteens"):
        shared(13, "a")
    assert shared(4, "a") == 8
