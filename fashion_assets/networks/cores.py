"""How many cores there are to share among the threads of networks and of those who feed them, and when BLAS has one."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any, Final

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


def one_blas_thread() -> AbstractContextManager[Any]:
    """Products and decompositions run on one thread inside: another number of them adds up in another order, and what
    is made would differ in its last digits from one machine or setting to the next.
    """
    # SciPy brings a BLAS of its own, and only what is loaded is limited: a first import inside would go round this.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits
