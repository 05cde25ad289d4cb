"""The way of items to a network: ahead of it, within bounds, bad ones apart, rows in order."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashion_assets.encoders.batches import AHEAD, BatchRunner, reader_count
from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError

Rows = npt.NDArray[np.float32]


def read(item: int) -> int:
    if item < 0:
        raise MediaError(f"{item} is broken")
    return item


def forward(batch: list[int]) -> Rows:
    return np.asarray([[item] for item in batch], np.float32)


def runner(batch_size: int = 4, **changes: Any) -> BatchRunner:
    given: dict[str, Any] = {"prepare": list, "forward": forward, "read": read} | changes
    return BatchRunner(batch_size=batch_size, dim=1, name="x", **given)


@settings(max_examples=30)
@given(st.lists(st.integers(-3, 9), max_size=30), st.integers(1, 7), st.integers(1, 5))
def test_bad_items_cost_their_own_row_alone(items: list[int], batch_size: int, lanes: int) -> None:
    refused: dict[int, str] = {}
    rows = runner(batch_size, lanes=lanes).run(items, refused=refused)
    assert rows[:, 0].tolist() == [max(item, 0) for item in items]
    assert refused == {number: f"{item} is broken" for number, item in enumerate(items) if item < 0}


def test_without_a_place_to_note_it_a_bad_item_ends_the_call_and_the_rest_is_not_read() -> None:
    seen: list[int] = []

    def counting(item: int) -> int:
        seen.append(item)
        return read(item)

    with pytest.raises(MediaError, match="-1 is broken"):
        runner(batch_size=2, read=counting).run([1, -1, *range(1000)])
    assert len(seen) <= 2 * (1 + max(AHEAD, reader_count()))


def test_pictures_are_read_while_the_network_works() -> None:
    later = threading.Event()

    def noticing(item: int) -> int:
        if item == 3:
            later.set()
        return item

    def waiting(batch: list[int]) -> Rows:
        assert later.wait(timeout=300), "the second batch was not read while the first one was in the network"
        return forward(batch)

    runner(batch_size=2, read=noticing, forward=waiting).run(range(4))


def test_however_many_items_few_are_in_memory() -> None:
    lock = threading.Lock()
    held = most = 0

    def holding(item: int) -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return item

    def releasing(batch: list[int]) -> Rows:
        nonlocal held
        rows = forward(batch)
        with lock:
            held -= len(batch)
        return rows

    rows = runner(batch_size=8, read=holding, forward=releasing).run(range(20_000))
    assert rows[:, 0].tolist() == list(range(20_000))
    assert 8 < most <= 8 * (1 + max(AHEAD, -(-reader_count() // 8)))


def test_memory_that_runs_out_halves_the_batches_and_bad_items_stay_apart() -> None:
    sizes: list[int] = []

    def small(batch: list[int]) -> Rows:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise MemoryError
        return forward(batch)

    refused: dict[int, str] = {}
    tight = runner(batch_size=8, forward=small)
    rows = tight.run([-1, *range(1, 21)], refused=refused)
    assert rows[:, 0].tolist() == [0, *range(1, 21)]
    assert (list(refused), tight.batch_size, sizes[0]) == ([0], 3, 7)
    with pytest.raises(UserError, match="item number 1 alone does not fit"):
        runner(batch_size=8, forward=lambda batch: small(batch * 4)).run([-1, 5], refused={})


def test_other_errors_of_a_reader_are_not_hidden() -> None:
    def wrong(item: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        runner(read=wrong).run([1], refused={})


def test_an_encoder_of_both_kinds_names_refused_pictures_by_their_number(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")

    def length(texts: list[str]) -> Rows:
        return np.asarray([[len(text), 1] for text in texts], np.float32)

    image = Tower(
        np.asarray, lambda batch: batch.reshape(len(batch), -1), lambda pixels: pixels[0, 0, :2] + 1.0
    )
    both = NetworkEncoder("m@1", 2, text=Tower(list, length), image=image, batch_size=2)
    assert both.model_id == "m@1.p2"
    assert NetworkEncoder("m@1", 2, text=Tower(list, length), batch_size=2).model_id == "m@1"
    items = ["ab", tmp_path / "bad.png", "", tmp_path / "good.png", tmp_path / "bad.png"]
    refused: dict[int, str] = {}
    rows = both.encode(items, refused)
    assert list(refused) == [1, 4] and "bad.png is empty" in refused[1]
    np.testing.assert_array_equal(np.linalg.norm(rows, axis=1).round(5), [1, 0, 0, 1, 0])
    np.testing.assert_allclose(rows[3], [0.5**0.5] * 2, atol=1e-6)
    with pytest.raises(MediaError, match=r"bad\.png is empty"):
        both.encode(items)


class Room:
    """A network with room for so many items, over all batches that are in it at a time.

    A batch stays for ``seconds``, so that batches side by side do meet, or until there have once been too many.
    """

    def __init__(self, items: int, seconds: float = 0.002) -> None:
        self.items = items
        self.seconds = seconds
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()
        self.crowded = threading.Event()

    def __call__(self, batch: list[int]) -> Rows:
        with self.lock:
            self.inside += len(batch)
            self.most = max(self.most, self.inside)
            fits = self.inside <= self.items
        try:
            if not fits:
                self.crowded.set()
                raise MemoryError
            self.crowded.wait(self.seconds)
            return forward(batch)
        finally:
            with self.lock:
                self.inside -= len(batch)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 4), st.integers(1, 8))
def test_whatever_fits_alone_passes_in_the_end(count: int, batch_size: int, lanes: int, room: int) -> None:
    made = runner(batch_size, forward=Room(room), lanes=lanes)
    assert made.run(list(range(count)))[:, 0].tolist() == list(range(count))


def test_fewer_lanes_come_before_smaller_batches(caplog: pytest.LogCaptureFixture) -> None:
    made = runner(8, forward=Room(8, seconds=300), lanes=4)
    made.run(list(range(64)))
    assert (made.lanes, made.batch_size) == (1, 8)
    assert "out of memory with 4 batches at a time, going on with one" in caplog.text


def test_batches_side_by_side_are_in_the_network_together() -> None:
    room = Room(100)
    meeting = threading.Barrier(3)

    def together(batch: list[int]) -> Rows:
        meeting.wait(timeout=300)
        return room(batch)

    rows = runner(2, forward=together, lanes=3).run(list(range(12)))
    assert rows[:, 0].tolist() == list(range(12))


def test_a_short_call_is_spread_over_the_lanes_unless_the_batch_is_fixed() -> None:
    for fixed, expected in ((False, [4, 4]), (True, [8])):
        sizes: list[int] = []

        def noting(batch: list[int], sizes: list[int] = sizes) -> Rows:
            sizes.append(len(batch))
            return forward(batch)

        runner(32, forward=noting, lanes=2, fixed=fixed).run(list(range(8)))
        assert sizes == expected


def test_a_fixed_batch_that_does_not_fit_is_not_blamed_on_an_item() -> None:
    with pytest.raises(UserError, match="batch of 8, which the file fixes, does not fit"):
        runner(8, forward=Room(0), fixed=True).run([1, 2, 3])


def test_memory_that_runs_out_while_a_batch_is_put_together_halves_it() -> None:
    def prepare(items: list[int]) -> list[int]:
        if len(items) > 3:
            raise MemoryError
        return items

    made = runner(16, prepare=prepare, lanes=2)
    assert made.run(list(range(20)))[:, 0].tolist() == list(range(20))
    assert made.batch_size == 2
