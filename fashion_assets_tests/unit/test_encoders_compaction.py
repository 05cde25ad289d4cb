"""Compaction: fewer shards, the same vectors, whatever others read or write and wherever it is killed."""

from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.encoders import cache as cache_module
from fashion_assets.encoders import compaction
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.shards import list_shards, open_shard, shard_hashes, shard_length, shard_vectors
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place
from fashion_assets_tests.unit.test_encoders_cache import CountingEncoder

MODEL = CountingEncoder().model_id
PROJECT_ROOT = Path(__file__).parents[2]


def vectors_for(hashes: list[str]) -> npt.NDArray[np.float32]:
    return CountingEncoder().encode(hashes)


def stored(root: Place, shards: list[list[str]], shard_rows: int = 2) -> EmbeddingCache:
    """A cache with these hashes in these shards."""
    cache = EmbeddingCache(root, shard_rows=shard_rows)
    for hashes in shards:
        cache.store(MODEL, hashes, vectors_for(hashes))
    return cache


def assert_holds(root: Place, hashes: list[str]) -> None:
    """A process that starts now finds every vector, and the right one."""
    vectors, found = EmbeddingCache(root).lookup(CountingEncoder(), hashes)
    assert found.all()
    np.testing.assert_array_equal(vectors, vectors_for(hashes))


def kept_hashes(root: Place) -> list[str]:
    shards = list_shards(EmbeddingCache(root).folder(MODEL))
    return sorted(value for path in shards for value in shard_hashes(path).to_pylist())


def test_small_shards_become_few_without_repeats(any_root: Place) -> None:
    cache = stored(any_root, [["a", "bb"], ["bb", "ccc"], ["d"], ["a"], ["ee", "f", "ggg"]])
    assert cache.compact(MODEL) == 5
    (path,) = list_shards(cache.folder(MODEL))
    assert kept_hashes(any_root) == ["a", "bb", "ccc", "d", "ee", "f", "ggg"]
    # Row groups keep the size of a written shard, so that a look-up reads no more than before.
    with open_shard(path) as file:
        metadata = file.metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [2, 2, 2, 1]
    assert_holds(any_root, ["ggg", "a", "bb", "ccc", "d", "ee", "f", "a"])
    assert cache.compact(MODEL) == 0


def test_full_shards_stay_as_they_are(any_root: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SHARDS_IN_ONE", 2)
    names = [letter * 3 for letter in "abcdefghijk"]
    cache = stored(any_root, [[name] for name in names])
    cache.compact(MODEL)
    lengths = {path: shard_length(path) for path in list_shards(cache.folder(MODEL))}
    assert sorted(lengths.values()) == [3, 4, 4]
    cache.store(MODEL, ["new", names[0]], vectors_for(["new", names[0]]))
    assert cache.compact(MODEL) == 2
    left = {path: shard_length(path) for path in list_shards(cache.folder(MODEL))}
    assert {path for path, length in lengths.items() if length == 4} < set(left)
    assert sorted(left.values()) == [4, 4, 4]
    assert kept_hashes(any_root) == sorted([*names, "new"])


def test_what_full_shards_repeat_is_dropped(any_root: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SHARDS_IN_ONE", 1)
    cache = stored(any_root, [["a", "b"], ["b", "a"], ["b", "c"]])
    assert cache.compact(MODEL) == 2
    assert kept_hashes(any_root) == ["a", "b", "c"]
    assert_holds(any_root, ["a", "b", "c"])


def test_nothing_to_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EmbeddingCache(tmp_path).compact("never seen") == 0
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(compaction, "SHARDS_IN_ONE", 2)
    cache = stored(tmp_path, [["a", "b", "c"], ["d", "e", "f"]])
    before = list_shards(cache.folder(MODEL))
    assert cache.compact(MODEL) == 0
    assert list_shards(cache.folder(MODEL)) == before


def test_encoding_compacts_once_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "COMPACT_ABOVE", 4)
    cache, encoder = EmbeddingCache(tmp_path, shard_rows=2), CountingEncoder()
    folder = cache.folder(MODEL)
    counts = []
    for name in "abcdefghij":
        cache.encode_missing(encoder, [name], [name])
        counts.append(len(list_shards(folder)))
    assert counts == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    again = cache.encode_missing(encoder, list("jihgfedcba"), list("jihgfedcba"))
    assert (again.new, len(encoder.seen)) == (0, 10)
    np.testing.assert_array_equal(again.vectors, vectors_for(list("jihgfedcba")))


def test_a_disk_that_is_full_does_not_fail_the_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = stored(tmp_path, [["a"], ["b"], ["c"]])
    monkeypatch.setattr(compaction, "COMPACT_ABOVE", 1)
    monkeypatch.setattr(compaction, "write_parquet_stream_atomic", full)
    assert cache.encode_missing(CountingEncoder(), ["d"], ["d"]).new == 1
    assert "No space left" in caplog.text
    assert len(list_shards(cache.folder(MODEL))) == 4
    assert_holds(tmp_path, list("abcd"))


def test_shards_of_another_model_are_refused(tmp_path: Path) -> None:
    cache = stored(tmp_path, [["a"], ["b"]])
    cache.store(MODEL, ["c"], np.ones((1, 2), np.float32))
    with pytest.raises(UserError, match="dimensions; expected"):
        cache.compact(MODEL)
    assert len(list_shards(cache.folder(MODEL))) == 3


def test_one_process_compacts_at_a_time(tmp_path: Path) -> None:
    cache = stored(tmp_path, [["a"], ["b"]])
    with (cache.folder(MODEL) / ".compaction.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert cache.compact(MODEL) == 0
    assert cache.compact(MODEL) == 2


#: Where it dies: in a file that is half written, between two new files, before the removals, between them.
_KILLED = """
import os, signal, sys
from pathlib import Path
from fashion_assets.encoders import compaction
from fashion_assets.encoders.cache import EmbeddingCache
compaction.SHARDS_IN_ONE = 2
step, left = sys.argv[2], int(sys.argv[3])
def reached(name):
    global left
    left -= name == step
    if left < 0: os.kill(os.getpid(), signal.SIGKILL)
def tables(*arguments, whole=compaction._regrouped):
    for table in whole(*arguments):
        reached("table")
        yield table
def write(*arguments, whole=compaction.write_parquet_stream_atomic):
    reached("write")
    whole(*arguments)
def unlink(*arguments, whole=Path.unlink, **named):
    reached("unlink")
    whole(*arguments, **named)
compaction._regrouped, compaction.write_parquet_stream_atomic, Path.unlink = tables, write, unlink
EmbeddingCache(Path(sys.argv[1]), shard_rows=2).compact(sys.argv[4])
"""


@pytest.mark.parametrize(
    ("step", "number", "n_shards"), [("table", 1, 6), ("write", 1, 7), ("unlink", 0, 8), ("unlink", 3, 5)]
)
def test_killed_between_the_steps_loses_nothing(
    tmp_path: Path, step: str, number: int, n_shards: int
) -> None:
    cache = stored(tmp_path, [["a", "b"], ["c"], ["b", "d"], ["e"], ["f", "g"], ["a"]])
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), step, str(number), MODEL],
        cwd=PROJECT_ROOT,
        timeout=600,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list_shards(cache.folder(MODEL))) == n_shards
    assert_holds(tmp_path, list("gfedcba"))
    # The lock of the dead is free, and what it left twice is dropped.
    assert EmbeddingCache(tmp_path, shard_rows=2).compact(MODEL) > 0
    assert kept_hashes(tmp_path) == list("abcdefg")
    assert_holds(tmp_path, list("gfedcba"))


def test_a_reader_that_listed_before_reads_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = stored(tmp_path, [["a"], ["b"], ["c"]])
    listings = []

    def list_then_compact(folder: Path) -> list[Path]:
        listed = list_shards(folder)
        listings.append(len(listed))
        if len(listings) == 1:
            cache.compact(MODEL)
        return listed

    monkeypatch.setattr(cache_module, "list_shards", list_then_compact)
    encoder = CountingEncoder()
    result = EmbeddingCache(tmp_path).encode_missing(encoder, list("abc"), list("abc"))
    assert (result.new, encoder.seen, listings) == (0, [], [3, 1])
    np.testing.assert_array_equal(result.vectors, vectors_for(list("abc")))


def test_a_listing_that_missed_old_and_new_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(tmp_path, [["a"], ["b"]])
    listings = iter([slice(0, 1)])
    monkeypatch.setattr(
        cache_module, "list_shards", lambda folder: list_shards(folder)[next(listings, slice(None))]
    )
    assert EmbeddingCache(tmp_path).lookup(CountingEncoder(), ["a", "b"])[1].all()


def test_hashes_in_memory_outlive_their_shards(tmp_path: Path) -> None:
    reader = stored(tmp_path, [["a"], ["b"], ["c"]])
    reader.lookup(CountingEncoder(), ["a", "b", "c", "absent"])
    EmbeddingCache(tmp_path).compact(MODEL)
    vectors, found = reader.lookup(CountingEncoder(), ["a", "b", "c", "absent"])
    assert found.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(vectors[:3], vectors_for(["a", "b", "c"]))


_WRITER = """
import sys
from pathlib import Path
from fashion_assets.encoders import compaction
from fashion_assets_tests.unit.test_encoders_compaction import stored
compaction.SHARDS_IN_ONE = 3
for number in range(60):
    cache = stored(Path(sys.argv[1]), [[f"x{number}"], [f"y{number}", f"x{number // 2}"]])
    print(number, flush=True)
    cache.compact(sys.argv[2])
"""


def test_readers_find_everything_while_two_processes_write_and_compact(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), MODEL]
    with (
        subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL) as second,
    ):
        assert first.stdout is not None
        reader = EmbeddingCache(tmp_path)
        for line in first.stdout:
            names = [f"{letter}{number}" for number in range(int(line) + 1) for letter in "xy"]
            vectors, found = reader.lookup(CountingEncoder(), names)
            assert found.all()
            np.testing.assert_array_equal(vectors, vectors_for(names))
    assert (first.returncode, second.returncode) == (0, 0)
    names = [f"{letter}{number}" for number in range(60) for letter in "xy"]
    assert sorted(set(kept_hashes(tmp_path))) == sorted(names)
    assert_holds(tmp_path, names)


@settings(max_examples=40, deadline=None)
@given(
    shards=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=7), min_size=1, max_size=8),
    shard_rows=st.integers(1, 4),
)
def test_any_shards_keep_each_hash_once(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[str]], shard_rows: int
) -> None:
    root = tmp_path_factory.mktemp("cache")
    cache = stored(root, shards, shard_rows)
    n_before = len(list_shards(cache.folder(MODEL)))
    cache.compact(MODEL)
    every = sorted({name for hashes in shards for name in hashes})
    assert_holds(root, every)
    if n_before > 1:
        assert kept_hashes(root) == every
        assert len(list_shards(cache.folder(MODEL))) <= n_before


def test_vectors_are_read_by_row_group(tmp_path: Path) -> None:
    names = [letter * (1 + number % 4) for number, letter in enumerate("abcdefghijk")]
    cache = stored(tmp_path, [names[start : start + 2] for start in range(0, 11, 2)])
    cache.compact(MODEL)
    (path,) = list_shards(cache.folder(MODEL))
    order = shard_hashes(path).to_pylist()
    rows = np.asarray([10, 0, 5, 5, 3])
    np.testing.assert_array_equal(
        shard_vectors(path, rows, MODEL, 3), vectors_for([order[row] for row in rows])
    )
