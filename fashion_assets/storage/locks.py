"""One process at a time: a file lock on disk, a lease in a bucket.

A file lock is freed by the kernel, also of a process that is killed. In a bucket the lock is an object that only one
process can make (a conditional PUT) and that its owner renews; one that is not renewed for ``LEASE_SECONDS`` by the
clock of whoever waits belongs to nobody and is taken over, again by a conditional PUT.

A process that sleeps longer than its lease (a paused machine) does not know that it has lost the lock until it asks.
So it asks right before it writes what others see: ``Hold.confirm``.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fashion_assets.storage.places import is_remote

if TYPE_CHECKING:
    from pathlib import Path

    from fashion_assets.storage.places import Place
    from fashion_assets.storage.s3 import S3Place

logger = logging.getLogger(__name__)

#: How long an owner in a bucket may be silent: some failed renewals, each retried by the client.
LEASE_SECONDS = 60.0
#: Renewals in that time.
_RENEWALS = 4
_LOOK_SECONDS = 1.0
#: The object's own note of who has it.
_OWNER = "owner"


class Hold:
    """Whether this process has a lock (its truth value), and how to be sure of it later."""

    def __init__(self, own: bool, lease: _Lease | None = None) -> None:
        self._own = own
        self._lease = lease

    def __bool__(self) -> bool:
        return self._own

    def confirm(self) -> None:
        """Renew a lease, so that it holds for what is written next; a file lock needs no such thing.

        To be called before what cannot be done by two. Raises TimeoutError where the lock was lost, and OSError where
        the store does not answer: either way nothing may be written.
        """
        if self._lease is not None:
            self._lease.confirm()


@contextmanager
def locked(path: Place, *, wait: bool = True, lease_seconds: float = LEASE_SECONDS) -> Iterator[Hold]:
    """Whether this process has the lock at ``path``: always, once the others are done; with ``wait=False`` perhaps not.

    Raises TimeoutError at the end where the lease was lost meanwhile (a machine that slept): what was done then may
    have been undone by another process, and has to be done again.
    """
    if is_remote(path):
        with _leased(path, wait, lease_seconds) as own:
            yield own
    else:
        with _file_lock(path, wait) as own:
            yield own


@contextmanager
def _file_lock(path: Path, wait: bool) -> Iterator[Hold]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield Hold(False)
            return
        yield Hold(True)


@contextmanager
def _leased(path: S3Place, wait: bool, lease_seconds: float) -> Iterator[Hold]:
    lease = _Lease(path, lease_seconds)
    if not lease.take(wait):
        yield Hold(False)
        return
    lease.start()
    try:
        yield Hold(True, lease)
    finally:
        lease.stop()
    lease.require()


class _Lease:
    """The lock object of this process: taken, renewed by a thread, given back."""

    def __init__(self, path: S3Place, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._bucket, self._key, _ = path.fs.split_path(path.path)
        self._owner = f"{socket.gethostname()} process {os.getpid()} {uuid.uuid4().hex}"
        # Differs at every renewal, so that its ETag does.
        self._renewals = 0
        self._tag = ""
        self._lost = False
        # The thread renews, and whoever is about to write does.
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="renew-lease", daemon=True)

    def take(self, wait: bool) -> bool:
        seen, since = "", 0.0
        while not self._put(IfNoneMatch="*"):
            tag, _ = self._current()
            if tag != seen:
                seen, since = tag, time.monotonic()
            elif tag and time.monotonic() - since > self._seconds and self._put(IfMatch=f'"{tag}"'):
                logger.warning("the lock %s was taken over: its owner has been silent", self._path)
                return True
            if not wait:
                return False
            time.sleep(min(_LOOK_SECONDS, self._seconds / _RENEWALS))
        return True

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        try:
            self.confirm()
        except TimeoutError:
            if self._lost:
                return  # what lies there is the lock of whoever took it over
            raise
        self._path.unlink(missing_ok=True)

    def confirm(self) -> None:
        with self._turn:
            if not self._lost:
                self._lost = not self._put(IfMatch=f'"{self._tag}"')
        self.require()

    def require(self) -> None:
        if self._lost:
            raise TimeoutError(
                f"the lock {self._path} was lost while it was held, because its owner was silent; run again"
            )

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWALS):
            try:
                self.confirm()
            except TimeoutError as fault:
                # Of the store, too, some faults are of this class.
                if self._lost:
                    return
                logger.warning("the lock %s could not be renewed (%s)", self._path, fault)
            except Exception as fault:
                logger.warning("the lock %s could not be renewed (%s)", self._path, fault)

    def _put(self, **condition: str) -> bool:
        """Whether the object is ours now; False if the condition does not hold."""
        self._renewals += 1
        body = f"{self._owner} {self._renewals}\n".encode()
        try:
            answer = self._path.fs.call_s3(
                "put_object",
                Bucket=self._bucket,
                Key=self._key,
                Body=body,
                Metadata={_OWNER: self._owner},
                **condition,
            )
        except FileNotFoundError:
            return False  # IfMatch on what was given back meanwhile
        except OSError as fault:
            if "pre-condition" not in str(fault) and "ConditionalRequestConflict" not in str(fault):
                raise
            # The client sends a request again whose answer was lost: then it is our own first one that stands there.
            tag, owner = self._current()
            if owner != self._owner:
                return False
            self._tag = tag
            return True
        self._tag = str(answer["ETag"]).strip('"')
        return True

    def _current(self) -> tuple[str, str]:
        """(ETag, owner) of the object, empty where there is none; in one answer, so that they belong together."""
        try:
            said = self._path.head()
        except FileNotFoundError:
            return "", ""
        return str(said["ETag"]).strip('"'), str(said.get("Metadata", {}).get(_OWNER, ""))
