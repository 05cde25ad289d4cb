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
from fashion_assets.encoders.protocol import Modality
from fashion_assets.storage.errors import UserError


class CountingEncoder:
    """Unit vectors made from the text's length and first letter; remembers what it was given."""

    modality: Modality = "text"

    def __init__(self, model_id: str = "count/er:x@1", dim: int = 3, fail_at: int | None = None) -> None:
        self.model_id = model_id
        self.dim = dim
        self.fail_at = fail_at
        self.seen: list[str] = []

    def encode(self, items: Sequence[Any]) -> npt.NDArray[np.float32]:
        if self.fail_at is not None and len(self.seen) >= self.fail_at:
            raise KeyboardInterrupt
        self.seen.extend(items)
        rows = np.asarray([[len(item), ord(item[0]) % 7, 1] for item in items], np.float32)[:, : self.dim]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


TEXTS = [f"{letter}{'x' * number}" for number, letter in enumerate("abcdefghij")]


def test_repeats_are_encoded_once_and_order_is_kept(tmp_path: Path) -> None:
    cache, encoder = EmbeddingCache(tmp_path), CountingEncoder()
    texts = ["bb", "a", "bb", "ccc", "a"]
    result = cache.encode_missing(encoder, texts, texts)
    assert encoder.seen == ["bb", "a", "ccc"]
    assert (result.new, result.reused) == (3, 2)
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(texts))
    again = EmbeddingCache(tmp_path).encode_missing(encoder, texts[::-1], texts[::-1])
    assert (again.new, again.reused, len(encoder.seen)) == (0, 5, 3)
    np.testing.assert_array_equal(again.vectors, result.vectors[::-1])


def test_only_missing_items_are_fetched(tmp_path: Path) -> None:
    cache, encoder = EmbeddingCache(tmp_path, shard_rows=2), CountingEncoder()
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
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    texts = [chr(97 + n % 26) + "x" * n for n in range(90)]
    encoder = CountingEncoder()
    result = EmbeddingCache(tmp_path).encode_missing(encoder, texts, texts)
    assert (result.new, encoder.seen) == (0, [])
    np.testing.assert_array_equal(result.vectors, CountingEncoder().encode(texts))


def test_bad_vectors_name_the_item_and_are_not_kept(tmp_path: Path) -> None:
    class Broken(CountingEncoder):
        def encode(self, items: Sequence[Any]) -> npt.NDArray[np.float32]:
            rows = super().encode(items)
            rows[[item == "bad" for item in items], 0] = np.nan
            return rows

    cache = EmbeddingCache(tmp_path, shard_rows=2)
    with pytest.raises(UserError, match=r"number 3 \(content hash h3\)"):
        cache.encode_missing(Broken(), ["h0", "h1", "h2", "h3"], ["a", "b", "c", "bad"])
    _, found = cache.lookup(CountingEncoder(), ["h0", "h1", "h2", "h3", "h0"])
    assert found.tolist() == [True, True, False, False, True]

    class Narrow(CountingEncoder):
        def encode(self, items: Sequence[Any]) -> npt.NDArray[np.float32]:
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
