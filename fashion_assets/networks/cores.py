"""How many cores there are to share among the threads of networks and of those who feed them."""

from __future__ import annotations

import os
from typing import Final

#: Most runs of one network at a time on CPUs. A run on one core wastes nothing on waiting for other threads, but each
#: holds the activations of a batch (about 300 MB for 32 pictures in MobileNetV2).
MAX_LANES: Final = 4

_limit: int | None = None


def limit_cores(n: int | None) -> None:
    """From now on ``core_count`` is at most ``n``: for a process that shares its machine (None: no limit)."""
    global _limit
    _limit = n


def core_count() -> int:
    """Cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if _limit is None else min(_limit, cores)


def cpu_lanes() -> int:
    """Runs of one network at a time on CPUs."""
    return min(MAX_LANES, core_count())
