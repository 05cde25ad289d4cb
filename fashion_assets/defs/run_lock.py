"""One ``fashion-assets run`` of a data root at a time, and what a killed one leaves.

Belongs here: the turn of command lines. Does not: runs of the daemon beside them, which Dagster's pools and limits hold
apart and whose tables appear whole (``storage.files``).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from fashion_assets.settings import Settings
from fashion_assets.storage.files import remove_leftovers
from fashion_assets.storage.locks import locked
from fashion_assets.storage.places import is_remote

logger = logging.getLogger(__name__)

#: The lock, which names the process that has it. A name left behind tells that the process was killed.
LOCK = ".run.lock"


@contextmanager
def one_run_at_a_time(settings: Settings, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Have the data root for oneself; ``on_wait`` gets a sentence where another run has to end first.

    After a run that was killed its temporary files are removed, which nobody sees but which take space.
    """
    path = settings.root / LOCK
    with ExitStack() as stack:
        if not stack.enter_context(locked(path, wait=False)):
            owner = path.read_text().strip()
            on_wait(
                f"Another fashion-assets run{f' (process {owner})' if owner else ''} is at work on {settings.root}; "
                "this one begins when it has ended."
            )
            stack.enter_context(locked(path))
        if path.read_text():
            folders = (settings.lake, settings.models, settings.reports)
            removed = sum(remove_leftovers(folder) for folder in folders if not is_remote(folder))
            logger.info("removed %d temporary files of a run that was killed", removed)
        path.write_text(f"{os.getpid()}\n")
        try:
            yield
        finally:
            path.write_text("")
