"""Faults of the storage: damaged files, a full disk, a lake that cannot be written, two runs, a warehouse in use.

Each time what is wrong is named, nothing half-made is visible, and the next run ends as an undisturbed one does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.run_lock import LOCK
from fashion_assets.defs.runner import RunSummary, StepFailed, run_pipeline
from fashion_assets.sample import make_sample
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_atomic
from fashion_assets.storage.locks import locked
from fashion_assets.storage.warehouse import query
from fashion_assets_tests.integration.killing import ended, fork, slots_held

pytestmark = pytest.mark.slow

SELECT = "raw_posts,cleaned_posts,quarantined_posts,warehouse"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small months, landed and cleaned, with a warehouse."""
    root = tmp_path_factory.mktemp("made") / "data"
    make_sample(root, months=2, posts_per_month=12, products=0, seed=3)
    (root / "author_salt").write_text("0" * 64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        assert run(Settings(data_dir=root)).made == 7
    return root


@pytest.fixture
def settings(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of its own, in which nothing is to be done."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings(data_dir=shutil.copytree(made, tmp_path / "data", copy_function=shutil.copy2))


def run(settings: Settings, select: str = SELECT) -> RunSummary:
    return run_pipeline(build_definitions(settings), settings, select=select)


def tables(settings: Settings) -> dict[str, str]:
    files = sorted(
        path for path in settings.root.glob("lake/*/2024-*.parquet") if path.parent.name != "landing"
    )
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "emptied":
        path.write_bytes(b"")
    else:
        data[len(data) // 3] ^= 0x10
        path.write_bytes(data)


def test_damaged_tables_are_named_and_made_again(settings: Settings) -> None:
    before = tables(settings)
    lake = settings.root / "lake"
    damaged = {
        lake / "raw_posts" / "2024-01.parquet": "bit flipped",
        lake / "cleaned_posts" / "2024-02.parquet": "cut short",
        lake / "quarantined_posts" / "2024-02.parquet": "emptied",
    }
    for path, kind in damaged.items():
        damage(path, kind)
    summary = run(settings)
    assert summary.made == 6, (
        "what is damaged, what it is made with and what is made of it; not February's raw_posts"
    )
    for path in damaged:
        [note] = [note for note in summary.notes if str(path) in note]
        assert (
            note == f"{path} is damaged: its content is not what {path.parent.name} stored. It is made again."
        )
    assert tables(settings) == before and len(before) == 6
    assert run(settings).nothing_to_do


def test_damage_that_left_size_and_time_is_found_by_its_reader_and_made_again(settings: Settings) -> None:
    """Bits that rot on a disk change no time: the checksum of the page tells, and the next run looks."""
    before = tables(settings)
    path = settings.root / "lake" / "cleaned_posts" / "2024-01.parquet"
    status = path.stat()
    damage(path, "bit flipped")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(settings).nothing_to_do
    with pytest.raises(
        StepFailed, match=r"2024-01\.parquet cannot be read .* a plain fashion-assets run makes it again"
    ):
        run_pipeline(build_definitions(settings), settings, select="warehouse", force=True)
    assert run(settings).made
    assert tables(settings) == before


def test_a_damaged_warehouse_is_published_again(settings: Settings) -> None:
    damage(settings.warehouse, "bit flipped")
    [note] = run(settings).notes
    assert note.startswith(f"{settings.warehouse} is damaged")
    assert len(query(settings.warehouse, "from posts")) > 12
    assert run(settings).nothing_to_do


def test_a_lake_that_was_copied_or_restored_is_the_same_lake(settings: Settings) -> None:
    for path in settings.root.rglob("*.parquet"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert run(settings).nothing_to_do


def test_a_clock_that_goes_back_makes_nothing_fresh(settings: Settings) -> None:
    """Order is that of the materialisations, not of their times or of the files'."""
    raw = settings.root / "lake" / "raw_posts" / "2024-01.parquet"
    damage(raw, "cut short")
    run_pipeline(build_definitions(settings), settings, select="raw_posts")
    os.utime(raw, (1_000_000_000, 1_000_000_000))
    for path in settings.root.glob("lake/cleaned_posts/*.parquet"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
    summary = run(settings)
    assert (summary.made, summary.months) == (3, ["2024-01"]), "the month's two tables and the warehouse"


@pytest.fixture
def small_disk(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The lake on a file system of its own of 2 MB, a real one: a tmpfs."""
    disk, lake = tmp_path / "disk", settings.root / "lake"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here ({mounted.stderr.strip()}); needs root")
    try:
        shutil.copytree(lake, disk, dirs_exist_ok=True, copy_function=shutil.copy2)
        shutil.rmtree(lake)
        lake.symlink_to(disk)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def retries(settings: Settings) -> int:
    """Steps that were tried again in the newest run."""
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        [newest] = instance.get_runs(limit=1)
        kinds = {dg.DagsterEventType.STEP_UP_FOR_RETRY, dg.DagsterEventType.STEP_RESTARTED}
        return len(instance.all_logs(newest.run_id, of_type=kinds))


def hidden(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".*.tmp*")]


def test_a_full_disk_ends_the_run_with_a_sentence_and_leaves_what_was_there(
    settings: Settings, small_disk: Path
) -> None:
    before = tables(settings)
    with (
        (small_disk / "filler").open("wb", buffering=0) as filler,
        pytest.raises(OSError, match="No space left"),
    ):
        while True:
            filler.write(b"x" * 4096)
    with pytest.raises(
        StepFailed, match=r"the disk of .*lake.* is full \(No space left on device\); make room"
    ):
        run_pipeline(build_definitions(settings), settings, select="cleaned_posts", force=True)
    assert retries(settings) == 0
    assert tables(settings) == before and not hidden(small_disk)
    (small_disk / "filler").unlink()
    run(settings)
    assert tables(settings) == before and run(settings).nothing_to_do


def test_a_lake_that_cannot_be_written_ends_the_run_with_a_sentence(
    settings: Settings, small_disk: Path
) -> None:
    before = tables(settings)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises((StepFailed, OSError), match=r"Read-only file system.*lake"):
        run_pipeline(build_definitions(settings), settings, select="cleaned_posts", force=True)
    assert tables(settings) == before
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    run(settings)
    assert tables(settings) == before and run(settings).nothing_to_do


def test_the_warehouse_is_published_while_another_process_reads_it(settings: Settings) -> None:
    reads = (
        "import duckdb, sys; reader = duckdb.connect(sys.argv[1], read_only=True); "
        "count = lambda: reader.execute('select count(*) from posts').fetchone()[0]; "
        "print(count(), flush=True); sys.stdin.readline(); print(count(), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reads, str(settings.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        first = int(reader.stdout.readline())
        inode = settings.warehouse.stat().st_ino
        assert run_pipeline(build_definitions(settings), settings, select="warehouse", force=True).made == 1
        assert settings.warehouse.stat().st_ino != inode
        second, _ = reader.communicate("go on\n")
    assert first == int(second) == len(query(settings.warehouse, "from posts"))


def test_two_runs_of_one_data_root_take_turns(settings: Settings) -> None:
    before = tables(settings)
    children = [
        fork(lambda: 0 * run_pipeline(build_definitions(settings), settings, select=SELECT, force=True).made)
        for _ in range(2)
    ]
    assert [ended(child)[0] for child in children] == [0, 0]
    assert tables(settings) == before and not hidden(settings.root)
    assert run(settings).nothing_to_do
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
    assert slots_held(settings.root) == 0


def test_a_run_waits_with_a_sentence(settings: Settings) -> None:
    has_it, tell_it = os.pipe()
    go_on, let_go = os.pipe()
    ready, tell = os.pipe()

    def holds() -> int:
        os.close(let_go)
        with locked(settings.root / LOCK) as own:
            (settings.root / LOCK).write_text("4711\n")
            os.write(tell_it, b"x")
            os.read(go_on, 1)
        return 0 if own else 1

    def waits() -> int:
        os.close(let_go)
        definitions = build_definitions(settings)
        return run_pipeline(definitions, settings, select=SELECT, on_wait=said).made

    def said(sentence: str) -> None:
        os.write(tell, sentence.encode())

    # Processes of their own: a fork of whoever has the lock would have it too.
    holder = fork(holds)
    os.read(has_it, 1)
    waiting = fork(waits)
    sentence = os.read(ready, 1000).decode()
    assert os.waitpid(waiting, os.WNOHANG) == (0, 0), "it is still waiting"
    os.close(let_go)
    assert ended(holder)[0] == ended(waiting)[0] == 0
    assert sentence == (
        f"Another fashion-assets run (process 4711) is at work on {settings.root}; this one begins when it has ended."
    )


def test_what_a_killed_writer_left_is_removed_but_not_what_is_being_written(settings: Settings) -> None:
    lake = settings.root / "lake"
    (lake / "raw_posts" / ".2024-01.parquet.dead.tmp").write_bytes(b"half")
    (settings.root / LOCK).write_text("4711\n")  # the name of a run that did not take it back
    inside: list[int] = []

    def slow(handle: IO[bytes]) -> None:
        handle.write(b"half of what is being written")
        assert run(settings).nothing_to_do
        inside.append(len(hidden(lake)))
        handle.write(b" and the rest")

    write_atomic(lake / "note.json", slow)
    assert inside == [1], "the dead one is gone, the one of a writer at work is not"
    assert (lake / "note.json").read_bytes().endswith(b"written and the rest")
    assert not hidden(lake)
