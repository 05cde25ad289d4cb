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
#: For what comes within a second, or within some on a busy machine: a failure, not a hanging test.
SECONDS_AT_MOST = 300.0
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
            order.append(f"second {bool(own)}")

    with locked(path) as own:
        assert own
        with locked(path, wait=False) as other:
            assert not other
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        order.append("first done")
    waiting.join(SECONDS_AT_MOST)
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
        deadline = time.monotonic() + SECONDS_AT_MOST
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
        deadline = time.monotonic() + SECONDS_AT_MOST
        while threading.active_count() > 1 and time.monotonic() < deadline:
            if not any(thread.name == "renew-lease" for thread in threading.enumerate()):
                break
    assert path.read_bytes() == b"another owner"


def answers_get_lost(monkeypatch: pytest.MonkeyPatch, path: Place, condition: str) -> list[str]:
    """Every conditional PUT of the lock is sent twice, as botocore does where the first answer does not come.

    Returns what the second ones were answered, as they come.
    """
    assert is_remote(path)
    store = type(path.fs)
    original = store.call_s3
    answers: list[str] = []

    def twice(self: object, method: str, **named: object) -> object:
        answer = original(self, method, **named)
        if method != "put_object" or condition not in named:
            return answer
        try:
            return original(self, method, **named)
        except OSError as fault:
            answers.append(str(fault))
            raise

    monkeypatch.setattr(store, "call_s3", twice)
    return answers


@pytest.mark.s3
@pytest.mark.parametrize("condition", ["IfNoneMatch", "IfMatch"])
def test_a_write_whose_answer_was_lost_is_known_as_one_s_own(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    path = s3_root / ".lock"
    assert is_remote(path)
    answers = answers_get_lost(monkeypatch, path, condition)
    with locked(path, wait=False, lease_seconds=0.4) as own:
        assert own
        tags = set()
        deadline = time.monotonic() + SECONDS_AT_MOST
        while len(tags) < 3 and time.monotonic() < deadline:
            tags.add(path.head()["ETag"])
        own.confirm()
        assert len(tags) == 3, "it goes on being renewed"
    assert answers and all("pre-condition" in answer for answer in answers)
    assert not path.exists()


@pytest.mark.s3
def test_an_owner_that_slept_learns_before_it_writes_that_it_has_lost_the_lock(s3_root: Place) -> None:
    path = s3_root / ".lock"
    assert is_remote(path)
    # An hour: the thread that renews has no turn before the end, like one of a machine that is paused.
    with (
        pytest.raises(TimeoutError, match="was lost while it was held"),
        locked(path, lease_seconds=3600) as own,
    ):
        own.confirm()
        path.fs.pipe_file(path.path, b"another owner")
        with pytest.raises(TimeoutError, match="was lost while it was held"):
            own.confirm()
        with pytest.raises(TimeoutError):
            own.confirm()
    assert path.read_bytes() == b"another owner", "what the other has written stays"


@pytest.mark.s3
def test_an_owner_that_slept_at_the_end_does_not_give_back_the_lock_of_another(s3_root: Place) -> None:
    path = s3_root / ".lock"
    assert is_remote(path)
    with pytest.raises(TimeoutError, match="was lost while it was held"), locked(path, lease_seconds=3600):
        path.fs.pipe_file(path.path, b"another owner")
    assert path.read_bytes() == b"another owner"
