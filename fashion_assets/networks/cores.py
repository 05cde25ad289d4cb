"""How many cores there are to share among the threads of networks and of those who feed them."""

from __future__ import annotations

import os
from typing import Final

#: Most runs of one network at a time on CPUs. A run on one core wastes nothing on waiting for other threads, but each
#: holds the activations of a batch (about 300 MB for 32 pictures in MobileNetV2).
MAX_LANES: Final = 4


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_lanes() -> int:
    """Runs of one network at a time on CPUs."""
    return min(MAX_LANES, core_count())
