"""Ctrl-C and SIGTERM of a command line, noticed for certain.

While a run is at work Dagster's handlers are in place of Python's. What comes between two steps they note and forget
when the run ends, and what they raise within a step is lost where Python was in a destructor just then ("Exception
ignored in …"). Either way the next month would begin as if nobody had asked for an end. Python itself writes the number
of each signal to a wakeup descriptor, whatever handler there is.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fashion_assets.storage.errors import UserError

_ENDING: dict[int, str] = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Interrupted(UserError):
    """The run ended because it was asked to."""


@contextmanager
def noticed_interrupts() -> Iterator[Callable[[], str]]:
    """A function that tells by which signal the process was asked to end since; empty if it was not.

    Outside of the main thread, which alone gets signals, it was never asked.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: ""
        return
    noticed: list[str] = []

    def asked() -> str:
        with suppress(BlockingIOError):  # no signal since the last look
            noticed.extend(_ENDING[number] for number in reader.recv(4096) if number in _ENDING)
        return noticed[0] if noticed else ""

    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield asked
        finally:
            signal.set_wakeup_fd(before)
