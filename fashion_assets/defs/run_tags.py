"""The run tags of ours: what started a run, what it may rely on, and when it has its turn."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from fashion_assets.storage.months import month_of_key

#: Process and host of a run in a command line, so that the next command line knows a killed one; and when the process
#: began, as another one may have its number by then (in a container numbers are small). The UI shows no tag that begins
#: with ``.dagster/``: these would fill the list of runs.
PID, HOST, BEGAN = ".dagster/fashion_pid", ".dagster/fashion_host", ".dagster/fashion_began"
#: Set where ``incoming/`` was landed by whoever started the run: its ``raw_posts`` does not land once more.
LANDED = "fashion/landed"
#: The month that the landing sensor asked for, and by which state of its landed rows.
LANDED_MONTH, LANDED_DIGEST = "fashion/landed_month", "fashion/landed_digest"
#: The month whose close a publication follows.
PUBLISHED_MONTH = "fashion/published_month"
#: Runs that go on from month to month: one at a time, oldest month first (``tag_concurrency_limits``).
IN_ORDER = "fashion/in_order"
#: Dagster's own: queued runs of higher priority begin first.
PRIORITY = "dagster/priority"


def tags_of_this_process() -> dict[str, str]:
    """The tags of a run in this process, after a landing."""
    return {
        PID: str(os.getpid()),
        HOST: socket.gethostname(),
        BEGAN: process_began(os.getpid()),
        LANDED: "yes",
        # A killed command line is gone on with by the next; the daemon has no process to start for it.
        "dagster/max_retries": "0",
    }


def process_began(pid: int) -> str:
    """When a process began, in clock ticks since the machine started; empty if it is gone or there is no ``/proc``."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # Field 22 of proc(5); the name before it, in brackets, may hold anything.
    return status.rpartition(")")[2].split()[19]


def _months_of(partition_key: str) -> int:
    year, month = month_of_key(partition_key).split("-")
    return int(year) * 12 + int(month)


def oldest_first(partition_key: str) -> dict[str, str]:
    """Tags of a run that goes on from the month before: one at a time, and the older before the newer."""
    return {IN_ORDER: "months", PRIORITY: str(-_months_of(partition_key))}


def newest_first(partition_key: str) -> dict[str, str]:
    """Tags of a run that needs no other month: the newest is wanted first."""
    return {PRIORITY: str(_months_of(partition_key))}
