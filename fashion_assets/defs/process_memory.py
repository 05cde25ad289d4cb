"""The memory of a process that makes assets: what it has needed at most, and that it gives back what it frees."""

from __future__ import annotations

import ctypes
import os
import sys

#: Metadata of a stored table: highest resident memory of its process up to then, in MB.
PEAK_MEMORY = "peak_memory_mb"

#: Bytes from which on an array has pages of its own. glibc raises this up to 32 MB whenever a large array is freed
#: (mallopt(3)), and then keeps a month's freed arrays in a heap that small ones which live on hold open.
_OWN_PAGES = 1 << 20
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, MB of 10^6 bytes; of all its runs, if it has run several."""
    import resource

    # Kilobytes on Linux, bytes on macOS (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def give_back_what_is_freed() -> None:
    """From here on the process returns large arrays and Arrow's buffers to the system when they are freed.

    Otherwise each step of a month starts above what the steps before it have let go of
    (``benchmarks/load_history.py``). Nothing changes where the C library is not glibc, or memory was set up by whoever
    started the process (``MALLOC_MMAP_THRESHOLD_``, ``ARROW_DEFAULT_MEMORY_POOL``).
    """
    import pyarrow as pa

    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux" and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES)
