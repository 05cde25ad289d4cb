"""How much of one crawl file is unpacked and read: bytes and lines, over all members of an archive together.

Sizes that a file declares of itself are not believed: what is unpacked is counted while it comes.
"""

from __future__ import annotations

from collections.abc import Callable

from fashion_assets.storage.errors import UserError

#: Unpacked bytes of one crawl file, packed or plain: several months of 50,000 posts. Rows in memory take many times the
#: bytes of their text, so that a file of this size needs gigabytes.
MAX_UNPACKED_BYTES = 256_000_000
#: A line becomes a row in memory even where it holds two characters, of which the bytes say nothing.
MAX_LINES = 4_000_000
#: What may take so much memory that it kills the process; of less text nobody need be told before, as a note is written
#: durably and would be a large part of the time that a small file takes.
LARGE_BYTES = 8_000_000


class TooLarge(UserError):
    """What refuses a crawl file as a whole, and not the one member that went beyond the bound."""


class Allowance:
    """Counts what is unpacked of one crawl file; ``TooLarge`` beyond the bound.

    ``on_large`` is called once, before what makes the file a large one is kept in memory.
    """

    def __init__(self, most_bytes: int | None = None, on_large: Callable[[], None] | None = None) -> None:
        self.n_bytes = 0
        self._most = MAX_UNPACKED_BYTES if most_bytes is None else most_bytes
        self._lines = 0
        self._on_large = on_large

    @classmethod
    def of(cls, limit: int | Allowance | None) -> Allowance:
        """The allowance itself, or one of so many bytes."""
        return limit if isinstance(limit, Allowance) else cls(limit)

    def announce(self, n_bytes: int) -> None:
        """So many bytes are said to come: refuses at once what says of itself that it is too large."""
        if self.n_bytes + n_bytes > self._most:
            raise TooLarge(f"more than {self._most:,} bytes")

    def count(self, n_bytes: int) -> None:
        """So many bytes have been unpacked."""
        self.announce(n_bytes)
        self.n_bytes += n_bytes
        if self.n_bytes > LARGE_BYTES:
            self.count_as_large()

    def count_as_large(self) -> None:
        """It may become large, whatever its bytes are so far."""
        told, self._on_large = self._on_large, None
        if told is not None:
            told()

    def count_lines(self, data: bytes) -> None:
        """These bytes are about to become lines of text; of UTF-16 and of all line ends about as many as counted."""
        self._lines += max(data.count(b"\n"), data.count(b"\r"))
        if self._lines > MAX_LINES:
            raise TooLarge(f"more than {MAX_LINES:,} lines")
