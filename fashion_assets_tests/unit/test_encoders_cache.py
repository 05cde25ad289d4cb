"""Exactly once: repeats, later calls, other processes, killed runs, and vectors that must not be kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.protocol import Items, Modality, ShardingEncoder
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place


class CountingEncoder:
    """Unit vectors made from the text's length and first letter; remembers what it was given."""

    modality: Modality = "text"

    def __init__(self, model_id: str = "count/er:x@1", dim: int = 3, fail_at: int | None = None) -> None:
        self.model_id = model_id
        self.dim = dim
        self.fail_at = fail_at
        self.seen: list[str] = []

    def encode(self, items: Sequence[Any], refused: dict[int, str] | None = None) -> npt.NDArray[np.float32]:
        if self.fail_at is not None and len(self.seen) >= self.fail_at:
            raise KeyboardInterrupt
        self.seen.extend(items)
        rows = np.asarray([[len(item), ord(item[0]) % 7, 1] for item in items], np.float32)[:, : self.dim]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


TEXTS = [f"{letter}{'x' * number}" for number, letter in enumerate("abcdefghij")]


def test_repeats_are_encoded_once_and_order_is_kept(any_root: Place) -> None:
    cache, encoder = EmbeddingCache(any_root), CountingEncoder()
    texts = ["bb", "a", "bb", "ccc", "a"]
    result = cache.encode_missing(encoder, texts, texts)
    assert encoder.seen == ["bb", "a", "ccc"]
    assert (result.new, result.reused) == (3, 2)
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(texts))
    again = EmbeddingCache(any_root).encode_missing(encoder, texts[::-1], texts[::-1])
    assert (again.new, again.reused, len(encoder.seen)) == (0, 5, 3)
    np.testing.assert_array_equal(again.vectors, result.vectors[::-1])


def test_only_missing_items_are_fetched(any_root: Place) -> None:
    cache, encoder = EmbeddingCache(any_root, shard_rows=2), CountingEncoder()
    cache.encode_missing(encoder, TEXTS[:4], TEXTS[:4])
    asked: list[list[int]] = []

    def fetch(indices: list[int]) -> list[str]:
        asked.append(indices)
        return [TEXTS[index] for index in indices]

    result = cache.encode_missing(encoder, TEXTS, fetch)
    assert asked == [[4, 5], [6, 7], [8, 9]]
    assert (result.new, result.reused) == (6, 4)
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(TEXTS))


def test_models_do_not_mix(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    first, second = CountingEncoder("m:a/b@1"), CountingEncoder("m:a_b@1")
    assert cache.folder(first.model_id) != cache.folder(second.model_id)
    assert cache.encode_missing(first, TEXTS, TEXTS).new == 10
    assert cache.encode_missing(second, TEXTS, TEXTS).new == 10
    with pytest.raises(UserError, match="with 3 dimensions; expected"):
        cache.encode_missing(CountingEncoder("m:a/b@1", dim=2), TEXTS, TEXTS)


def test_nothing_to_do(tmp_path: Path) -> None:
    result = EmbeddingCache(tmp_path).encode_missing(CountingEncoder(), [], [])
    assert (result.vectors.shape, result.new, result.reused) == ((0, 3), 0, 0)


def test_a_killed_run_loses_the_shard_in_flight_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        EmbeddingCache(tmp_path, shard_rows=3).encode_missing(CountingEncoder(fail_at=6), TEXTS, TEXTS)
    folder = EmbeddingCache(tmp_path).folder(CountingEncoder().model_id)
    (folder / ".half.parquet.abc.tmp").write_bytes(b"PAR1 half a file")
    (folder / ".half.parquet").write_bytes(b"PAR1 half a file")
    encoder = CountingEncoder()
    result = EmbeddingCache(tmp_path).encode_missing(encoder, TEXTS, TEXTS)
    assert encoder.seen == TEXTS[6:]
    assert (result.new, result.reused) == (4, 6)


def test_a_process_killed_while_it_encodes_loses_one_shard(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from fashion_assets_tests.unit.test_encoders_cache import CountingEncoder, EmbeddingCache, TEXTS\n"
        "class Slow(CountingEncoder):\n"
        "    def encode(self, items, refused=None):\n"
        "        rows = super().encode(items)\n"
        "        if len(self.seen) > 6:\n"
        "            print('in the third shard', flush=True); time.sleep(600)\n"
        "        return rows\n"
        "EmbeddingCache(Path(sys.argv[1]), shard_rows=3).encode_missing(Slow(), TEXTS, TEXTS)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "in the third shard\n"
        writer.kill()
    encoder = CountingEncoder()
    result = EmbeddingCache(tmp_path, shard_rows=3).encode_missing(encoder, TEXTS, TEXTS)
    assert encoder.seen == TEXTS[6:]
    assert (result.new, result.reused) == (4, 6)
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(TEXTS))


def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from fashion_assets_tests.unit.test_encoders_cache import CountingEncoder, EmbeddingCache;"
        "texts = [chr(97 + n % 26) + 'x' * n for n in range(int(sys.argv[2]), int(sys.argv[2]) + 60)];"
        "EmbeddingCache(Path(sys.argv[1]), shard_rows=5).encode_missing(CountingEncoder(), texts, texts)"
    )
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), start], cwd=root)
        for start in ("0", "30")
    ]
    assert [writer.wait(timeout=600) for writer in writers] == [0, 0]
    texts = [chr(97 + n % 26) + "x" * n for n in range(90)]
    encoder = CountingEncoder()
    result = EmbeddingCache(tmp_path).encode_missing(encoder, texts, texts)
    assert (result.new, encoder.seen) == (0, [])
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(texts))


class RefusingEncoder(CountingEncoder):
    """Refuses what ends in "!"."""

    def encode(self, items: Sequence[Any], refused: dict[int, str] | None = None) -> npt.NDArray[np.float32]:
        rows = super().encode(items)
        for number, item in enumerate(items):
            if item.endswith("!"):
                assert refused is not None
                refused[number] = f"{item} is broken"
                rows[number] = 0
        return rows


class ShardWriter(RefusingEncoder):
    """Writes its own shards, as an engine of other processes does; ``loses`` one vector on the way."""

    def __init__(self, loses: str = "") -> None:
        super().__init__()
        self.loses = loses

    def encode_shards(
        self, root: Path, shard_rows: int, hashes: Sequence[str], items: Items
    ) -> dict[str, str]:
        refused: dict[int, str] = {}
        chosen = list(items(list(range(len(hashes)))) if callable(items) else items)
        rows = self.encode(chosen, refused)
        kept = [row for row in range(len(hashes)) if row not in refused and hashes[row] != self.loses]
        cache = EmbeddingCache(root, shard_rows=shard_rows)
        for start in range(0, len(kept), shard_rows):
            part = kept[start : start + shard_rows]
            cache.store(self.model_id, [hashes[row] for row in part], rows[part])
        return {hashes[row]: reason for row, reason in refused.items()}


@pytest.mark.parametrize("make", [RefusingEncoder, ShardWriter])
@pytest.mark.parametrize("fetched", [False, True])
def test_refused_items_are_told_not_kept_and_tried_again(
    tmp_path: Path, make: type[RefusingEncoder], fetched: bool
) -> None:
    texts = ["a", "b!", "c", "d!", "b!", "a", "e"]
    items: Items = (lambda indices: [texts[index] for index in indices]) if fetched else texts
    cache, encoder = EmbeddingCache(tmp_path, shard_rows=2), make()
    assert isinstance(encoder, ShardingEncoder) == (make is ShardWriter)
    result = cache.encode_missing(encoder, texts, items)
    assert result.refused == {1: "b! is broken", 3: "d! is broken", 4: "b! is broken"}
    assert (result.new, result.reused) == (3, 1)
    expected = CountingEncoder().encode(texts)
    expected[[1, 3, 4]] = 0
    np.testing.assert_array_equal(result.vectors, expected)
    assert cache.lookup(encoder, texts)[1].tolist() == [True, False, True, False, False, True, True]
    encoder.seen.clear()
    again = cache.encode_missing(encoder, texts, items)
    assert encoder.seen == ["b!", "d!"]
    assert (again.new, again.reused, again.refused) == (0, 4, result.refused)
    if make is ShardWriter:
        return
    only_bad = EmbeddingCache(tmp_path / "other").encode_missing(encoder, ["b!"], ["b!"])
    assert (only_bad.new, only_bad.reused, len(only_bad.refused)) == (0, 0, 1)
    assert not list((tmp_path / "other").rglob("*.parquet"))


def test_a_vector_that_workers_lost_is_not_taken_for_zeros(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"left 1 of 3 items without a vector .* number 1 \(content hash b\)"):
        EmbeddingCache(tmp_path).encode_missing(ShardWriter(loses="b"), ["a", "b", "c"], ["a", "b", "c"])


def test_bad_vectors_name_the_item_and_are_not_kept(tmp_path: Path) -> None:
    class Broken(CountingEncoder):
        def encode(
            self, items: Sequence[Any], refused: dict[int, str] | None = None
        ) -> npt.NDArray[np.float32]:
            rows = super().encode(items)
            rows[[item == "bad" for item in items], 0] = np.nan
            return rows

    cache = EmbeddingCache(tmp_path, shard_rows=2)
    with pytest.raises(UserError, match=r"number 3 \(content hash h3\)"):
        cache.encode_missing(Broken(), ["h0", "h1", "h2", "h3"], ["a", "b", "c", "bad"])
    _, found = cache.lookup(CountingEncoder(), ["h0", "h1", "h2", "h3", "h0"])
    assert found.tolist() == [True, True, False, False, True]

    class Narrow(CountingEncoder):
        def encode(
            self, items: Sequence[Any], refused: dict[int, str] | None = None
        ) -> npt.NDArray[np.float32]:
            return super().encode(items)[:, :2]

    with pytest.raises(UserError, match=r"expected \(1, 3\)"):
        cache.encode_missing(Narrow(), ["n"], ["n"])


def test_wrong_use_is_said(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    with pytest.raises(UserError, match="2 content hashes for 1 items"):
        cache.encode_missing(CountingEncoder(), ["a", "b"], ["a"])
    with pytest.raises(UserError, match="0 items came for 1 indices"):
        cache.encode_missing(CountingEncoder(), ["a"], lambda indices: [])
    with pytest.raises(UserError, match="at least 1"):
        EmbeddingCache(tmp_path, shard_rows=0)
    path = cache.store("m@1", ["a"], np.ones((1, 3), np.float32))
    path.write_bytes(b"rubbish")
    with pytest.raises(UserError, match="delete the file"):
        cache.encode_missing(CountingEncoder("m@1"), ["a"], ["a"])


@settings(max_examples=25)
@given(
    calls=st.lists(st.lists(st.sampled_from(TEXTS), max_size=12), max_size=4), shard_rows=st.integers(1, 5)
)
def test_each_text_is_encoded_once_over_any_calls(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]], shard_rows: int
) -> None:
    root, encoder = tmp_path_factory.mktemp("cache"), CountingEncoder()
    for texts in calls:
        result = EmbeddingCache(root, shard_rows=shard_rows).encode_missing(encoder, texts, texts)
        assert result.new + result.reused == len(texts)
        if texts:
            np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(texts))
    assert len(encoder.seen) == len(set(encoder.seen)) == len({text for texts in calls for text in texts})
