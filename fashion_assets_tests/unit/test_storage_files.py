"""Atomic files: whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_assets.storage.files import (
    file_digest,
    open_temporary,
    remove_leftovers,
    write_atomic,
    write_bytes_atomic,
    write_parquet_atomic,
)


def test_bytes_and_parquet_arrive_whole(tmp_path: Path) -> None:
    write_bytes_atomic(tmp_path / "deep" / "a.bin", b"one")
    write_bytes_atomic(tmp_path / "deep" / "a.bin", b"two")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == b"two"
    table = pa.table({"x": [1, 2, 3]})
    write_parquet_atomic(tmp_path / "t.parquet", table)
    assert pq.read_table(tmp_path / "t.parquet").equals(table)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.bin", "deep", "t.parquet"]


def test_a_failing_writer_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_bytes_atomic(target, b"old")

    def half(handle: object) -> None:
        handle.write(b"ne")  # type: ignore[attr-defined]
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_atomic(target, half)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_bytes_atomic(target, b"old")
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from fashion_assets.storage.files import write_atomic\n"
        "def write(handle):\n"
        "    handle.write(b'half'); handle.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomic(Path(sys.argv[1]), write)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"


def test_files_are_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    write_bytes_atomic(tmp_path / "a.bin", b"x")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_a_living_writer_writes_is_no_leftover(tmp_path: Path) -> None:
    descriptor, temporary = open_temporary(tmp_path / "a.bin")
    assert remove_leftovers(tmp_path) == 0 and temporary.exists()
    os.close(descriptor)
    assert remove_leftovers(tmp_path) == 1 and not temporary.exists()


def test_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
