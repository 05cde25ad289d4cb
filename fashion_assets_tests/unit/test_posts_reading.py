"""posts.reading: a crawl file that cannot be read, or that kills who reads it, holds up no other."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fashion_assets.posts import allowance, crawl_files, reading
from fashion_assets.posts import landing as landing_module
from fashion_assets.posts.crawl_files import CrawlRead
from fashion_assets.posts.landed import read_ledger
from fashion_assets.posts.landing import LandingResult
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.places import Place, is_remote
from fashion_assets_tests.unit.test_posts_landing import AUTHOR, check_books, land, put, record

#: Ends as the kernel ends a process that has taken all memory: nothing is cleaned up, no handler runs.
KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
from fashion_assets.posts import allowance, crawl_files
from fashion_assets.posts.landing import land_incoming
allowance.LARGE_BYTES = 1_000_000
original = crawl_files._read_csv
def read_csv(lines, damaged, mapping, name, notes):
    if "deadly" in name:
        os._exit(137)
    return original(lines, damaged, mapping, name, notes)
crawl_files._read_csv = read_csv
root = Path(sys.argv[1])
land_incoming(root / "incoming", root / "lake", b"s" * 32, now=datetime(2025, 8, 1, 12), settle_seconds=0.0)
"""


@pytest.fixture(autouse=True)
def _large_is_one_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "LARGE_BYTES", 1_000_000)


def large(name: str, rows: int = 400) -> list[dict[str, str]]:
    """More than 1 MB of posts."""
    return [
        record(f"{name}{number}", post_content=f"{number}" + "好看的裙子" * 200) for number in range(rows)
    ]


def note_path(root: Place) -> Place:
    return root / "lake" / "landing" / ".reading.json"


def killed(root: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(root)], capture_output=True, timeout=600)
    assert ended.returncode == 137, ended.stderr.decode()


def statuses(result: LandingResult) -> dict[str, str]:
    return {file.name: file.status for file in result.files}


def check_ledger(lake: Place) -> None:
    ledger = read_ledger(lake)
    assert not ledger["digest"].duplicated().any()
    assert int(ledger.loc[ledger["status"] == "landed", "rows"].sum()) == check_books(lake)


def test_a_file_that_kills_who_reads_it_is_refused_by_name_and_the_others_land(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    packed = put(incoming, "a_deadly.csv", large("p"))
    put(incoming, "b.csv", [record("q1")])
    (incoming / "a_deadly.csv.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    killed(tmp_path)
    assert note_path(tmp_path).exists()
    # It may have died of anything: the file is tried once more, when nothing else is in memory.
    result = land(tmp_path)
    assert statuses(result) == {"a_deadly.csv.gz": "waiting", "b.csv": "landed"}
    assert "tries it alone" in result.files[0].reason and result.remaining == 1
    killed(tmp_path)
    result = land(tmp_path)
    assert statuses(result) == {"a_deadly.csv.gz": "refused", "b.csv": "already landed"}
    assert result.files[0].reason == (
        "a_deadly.csv.gz was being read when the process ended (killed, perhaps for memory), and alone once more; "
        "split it into smaller files, or deliver it again to have it tried again."
    )
    check_ledger(tmp_path / "lake")
    # Not tried again, whoever asks: this would die of it.
    killer = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, timeout=600)
    assert killer.returncode == 0, killer.stderr.decode()
    assert statuses(land(tmp_path)) == {"a_deadly.csv.gz": "refused", "b.csv": "already landed"}
    (incoming / "a_deadly.csv.gz").write_bytes(gzip.compress(b"\n"))
    put(incoming, "a_deadly.csv", large("p", 300))
    (incoming / "a_deadly.csv.gz").write_bytes(gzip.compress((incoming / "a_deadly.csv").read_bytes()))
    (incoming / "a_deadly.csv").unlink()
    assert statuses(land(tmp_path)) == {"a_deadly.csv.gz": "landed", "b.csv": "already landed"}
    assert check_books(tmp_path / "lake") == 301
    check_ledger(tmp_path / "lake")
    assert not note_path(tmp_path).exists()


def test_a_file_that_was_read_when_the_machine_went_down_lands_alone(tmp_path: Path) -> None:
    put(tmp_path / "incoming", "innocent_deadly.csv", large("p"))  # only that process dies of the name
    killed(tmp_path)
    assert statuses(land(tmp_path)) == {"innocent_deadly.csv": "landed"}
    assert not note_path(tmp_path).exists()
    assert statuses(land(tmp_path)) == {"innocent_deadly.csv": "already landed"}
    check_ledger(tmp_path / "lake")


def test_several_deadly_files_cost_two_processes_each(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / "incoming", f"{number}_deadly.csv", large(f"p{number}"))
    put(tmp_path / "incoming", "z.csv", [record("q1")])
    killed(tmp_path)
    killed(tmp_path)
    assert len(json.loads(note_path(tmp_path).read_bytes())) == 2
    assert statuses(land(tmp_path)) == {
        "0_deadly.csv": "waiting",
        "1_deadly.csv": "waiting",
        "z.csv": "landed",
    }
    killed(tmp_path)
    killed(tmp_path)
    assert statuses(land(tmp_path)) == {
        "0_deadly.csv": "refused",
        "1_deadly.csv": "refused",
        "z.csv": "already landed",
    }
    (tmp_path / "incoming" / "0_deadly.csv").unlink()
    os.utime(tmp_path / "incoming" / "1_deadly.csv", (1, 1))  # the same file, delivered again
    assert statuses(land(tmp_path))["1_deadly.csv"] == "landed"
    assert not note_path(tmp_path).exists()
    check_ledger(tmp_path / "lake")


def dead_note(root: Place, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The note as it lies there while a large file is read for the second time."""
    seen: list[bytes] = []

    def interrupted(*_: object) -> CrawlRead:
        seen.append(note_path(root).read_bytes())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(crawl_files, "_read_csv", interrupted)
        land(root)
    notes = {key: [stamp, digest, tries + 1] for key, (stamp, digest, tries) in json.loads(seen[-1]).items()}
    return json.dumps(notes).encode()


def test_a_note_is_removed_when_reading_ends_in_any_way_that_python_sees(
    any_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(any_root / "incoming", f"by_{AUTHOR}00.csv", large("p"))
    note = dead_note(any_root, monkeypatch)
    assert AUTHOR.encode() not in note, "names of files may be those of authors"
    assert not note_path(any_root).exists()
    write_bytes_atomic(note_path(any_root), note)
    assert [file.status for file in land(any_root).files] == ["refused"]
    assert note_path(any_root).exists()
    put(any_root / "incoming", f"by_{AUTHOR}00.csv", large("q"))
    assert [file.status for file in land(any_root).files] == ["landed"]
    assert not note_path(any_root).exists()


def test_a_copy_of_a_deadly_file_that_lands_is_in_the_ledger_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "incoming", "a.csv", large("p"))
    note = dead_note(tmp_path, monkeypatch)
    write_bytes_atomic(note_path(tmp_path), note)
    write_bytes_atomic(path.with_name("b.csv"), path.read_bytes())
    assert statuses(land(tmp_path)) == {"a.csv": "refused", "b.csv": "landed"}
    check_ledger(tmp_path / "lake")
    assert {file.status for file in land(tmp_path).files} == {"already landed"}
    check_ledger(tmp_path / "lake")


def test_small_files_cost_no_note_and_a_damaged_note_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "incoming", "a.csv", [record("p1")])
    write_bytes_atomic(note_path(tmp_path), b"{")
    monkeypatch.setattr(reading, "write_bytes_atomic", lambda *_: pytest.fail("a note was written"))
    assert statuses(land(tmp_path)) == {"a.csv": "landed"}


def test_a_lake_that_takes_no_note_ends_the_landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "incoming", "a.csv", large("p"))
    path.with_name("a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reading, "write_bytes_atomic", full)
    with pytest.raises(OSError, match="No space left"):
        land(tmp_path)
    assert read_ledger(tmp_path / "lake").empty


@pytest.mark.parametrize("where", ["file_digest", "read_crawl_file"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_file_that_its_disk_does_not_give_waits_by_name_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int
) -> None:
    put(tmp_path / "incoming", "a.csv", [record("pa")])
    put(tmp_path / "incoming", "b.csv", [record("pb")])
    original = getattr(landing_module, where)

    def broken(path: Path, *rest: object) -> object:
        if path.name == "a.csv":
            raise OSError(number, os.strerror(number), str(path))
        return original(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(landing_module, where, broken)
        first = land(tmp_path)
    assert statuses(first) == {"a.csv": "waiting", "b.csv": "landed"}
    assert first.files[0].reason == (
        f"a.csv cannot be read ({os.strerror(number)}); check the disk or mount that it lies on, or deliver it again. "
        "It lands when it can be read."
    )
    assert statuses(land(tmp_path))["a.csv"] == "landed"
    check_ledger(tmp_path / "lake")


@pytest.mark.s3
def test_a_store_that_does_not_answer_ends_the_landing(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_root / "incoming", "a.csv", [record("pa")])
    assert is_remote(s3_root)

    def silent(*_: object) -> str:
        raise OSError(errno.EIO, "the store does not answer")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="does not answer"):
        patch.setattr(landing_module, "local_copy", silent)
        land(s3_root)
    assert statuses(land(s3_root)) == {"a.csv": "landed"}


@pytest.mark.parametrize("fault", [MemoryError(), RecursionError("of cells"), TypeError(f"author {AUTHOR}")])
def test_a_file_that_a_reader_fails_at_is_refused_by_name_and_holds_up_nobody(
    any_root: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    put(any_root / "incoming", "a.csv", [record("pa")])
    put(any_root / "incoming", "b.csv", [record("pb")])
    original = crawl_files._assemble

    def broken(columns: object, records: object, mapping: object, name: str, notes: object) -> CrawlRead:
        if name == "a.csv":
            raise fault
        return original(columns, records, mapping, name, notes)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(crawl_files, "_assemble", broken)
        result = land(any_root)
    assert statuses(result) == {"a.csv": "refused", "b.csv": "landed"}
    reason = result.files[0].reason or ""
    assert reason.startswith("a.csv was refused: ") and type(fault).__name__ in reason
    assert "crawl_files.py" in caplog.text and type(fault).__name__ in caplog.text
    assert AUTHOR not in caplog.text + reason, "the message of a fault may quote a cell"
    check_ledger(any_root / "lake")
    assert statuses(land(any_root))["a.csv"] == "landed"
    check_ledger(any_root / "lake")
