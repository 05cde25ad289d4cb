"""One at a time, on disk and in a bucket; a silent owner loses a lease, a waiting process gets it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fashion_assets.storage.locks import locked
from fashion_assets.storage.places import Place, is_remote

PROJECT_ROOT = Path(__file__).parents[2]
#: Takes the lock, says so, and waits to be killed.
_HOLDER = (
    "import sys, time\nfrom fashion_assets.storage.locks import locked\n"
    "from fashion_assets.storage.places import place\n"
    "with locked(place(sys.argv[1]), lease_seconds=float(sys.argv[2])):\n"
    "    print('held', flush=True)\n    time.sleep(600)\n"
)


def test_the_second_waits_or_goes_away(any_root: Place) -> None:
    path = any_root / "deep" / ".lock"
    order: list[str] = []

    def second() -> None:
        with locked(path) as own:
            order.append(f"second {own}")

    with locked(path) as own:
        assert own
        with locked(path, wait=False) as other:
            assert not other
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        order.append("first done")
    waiting.join(30)
    assert order == ["first done", "second True"]
    with locked(path, wait=False) as again:
        assert again


def test_the_lock_of_a_killed_process_is_free(any_root: Place) -> None:
    path = any_root / ".lock"
    lease = 2.0
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path), str(lease)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with locked(path, wait=False, lease_seconds=lease) as own:
            assert not own
    finally:
        holder.kill()
        holder.wait()
    with locked(path, lease_seconds=lease) as own:
        assert own


@pytest.mark.s3
def test_a_lease_is_renewed_while_it_is_held(s3_root: Place) -> None:
    path = s3_root / ".lock"
    assert is_remote(path)
    with locked(path, lease_seconds=0.4):
        tags = set()
        deadline = time.monotonic() + 30
        while len(tags) < 4 and time.monotonic() < deadline:
            tags.add(path.fs.info(path.path)["ETag"])
            with locked(path, wait=False, lease_seconds=0.4) as other:
                assert not other
        assert len(tags) == 4
    assert not path.exists()


@pytest.mark.s3
def test_an_owner_whose_lease_was_taken_hears_of_it(s3_root: Place) -> None:
    path = s3_root / ".lock"
    assert is_remote(path)
    with pytest.raises(TimeoutError, match="was lost while it was held"), locked(path, lease_seconds=0.4):
        path.fs.pipe_file(path.path, b"another owner")
        deadline = time.monotonic() + 30
        while threading.active_count() > 1 and time.monotonic() < deadline:
            if not any(thread.name == "renew-lease" for thread in threading.enumerate()):
                break
    assert path.read_bytes() == b"another owner"
