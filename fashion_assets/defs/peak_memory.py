"""The memory that this process has needed at most."""

from __future__ import annotations

import sys

#: Metadata of a stored table: highest resident memory of its process up to then, in MB.
PEAK_MEMORY = "peak_memory_mb"


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, MB of 10^6 bytes; of all its runs, if it has run several."""
    import resource

    # Kilobytes on Linux, bytes on macOS (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
