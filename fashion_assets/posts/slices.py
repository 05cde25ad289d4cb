"""How much of what is new one landing reads."""

from __future__ import annotations


class Slice:
    """Room for files: at least for one, then for no more than so many files and bytes (None: any number).

    What does not fit ends the slice, also for smaller files behind it: a large file would else wait for ever.
    """

    def __init__(self, max_files: int | None = None, max_bytes: int | None = None) -> None:
        self._files = max_files
        self._bytes = max_bytes
        self._taken = 0
        self._full = False

    def takes(self, n_bytes: int) -> bool:
        """Whether one more file, of this size, may be read; it counts then."""
        self._full |= self._files is not None and self._taken >= self._files
        self._full |= self._bytes is not None and self._taken > 0 and n_bytes > self._bytes
        if self._full:
            return False
        self._taken += 1
        if self._bytes is not None:
            self._bytes -= n_bytes
        return True

    def spend(self, n_bytes: int) -> None:
        """A file that was taken had so many bytes more than it was taken for."""
        if self._bytes is not None:
            self._bytes -= max(0, n_bytes)
