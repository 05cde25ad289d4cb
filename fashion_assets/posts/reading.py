"""Reading crawl files so that none of them stops the landing of the others, not even one that kills the process.

Belongs here: the note of the large file that is being read, and what becomes of a reader's own faults. Does not:
reading (``crawl_files``), and what lands (``landing``).

A process that the system kills for memory cannot say of which file. So a file is noted beside the ledger before more
than ``LARGE_BYTES`` of it are kept in memory (smaller ones cannot kill, and a delivery of thousands would be slowed by
their notes). The note is removed when the file was read or refused, or reading was interrupted in any way that Python
sees. Who finds a note while it has the landing's lock finds that of a dead process. It may have died of anything (a
machine that was restarted), or of what was in memory besides: so the file is tried once more, last and alone. After a
second death it is left alone until its size or time of change (in a bucket its ETag) is another: else each landing
would die of it again. What is done with rows after they were read is not noted.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fashion_assets.posts.crawl_files import CrawlRead, refused_read
from fashion_assets.posts.landed import landing_root
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.places import Place, Stamp

logger = logging.getLogger(__name__)

ReadFile = Callable[[Callable[[], None]], CrawlRead]


class LakeFault(Exception):
    """Carries a fault of the lake out of the reading of a file, where any other is taken for the file's own.

    No subclass of what readers of archives catch.
    """

    def __init__(self, fault: Exception) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Note(NamedTuple):
    """A file that was being read: when it had this stamp, the SHA-256 of its bytes, and for the how many-th time."""

    stamp: str
    digest: str
    tries: int = 1

    @property
    def is_deadly(self) -> bool:
        """Whether it is not tried again."""
        return self.tries > 1


class Readings:
    """The readings of one landing, and those that the landings before did not survive."""

    def __init__(
        self,
        lake: Place,
        key: Callable[[Place], str],
        arrived: Mapping[Place, Stamp],
        confirm: Callable[[], None],
    ) -> None:
        """``key`` names a file without its author's id; ``confirm`` is called before a note is written."""
        # Hidden: nothing but a second try is lost with it.
        self._path = landing_root(lake) / ".reading.json"
        self._key, self._confirm = key, confirm
        self._noted = _read_notes(self._path)
        current = {key(path): _stamped(stamp) for path, stamp in arrived.items()} if self._noted else {}
        #: Notes of files that are gone or were delivered again are forgotten.
        self._kept = {name: note for name, note in self._noted.items() if current.get(name) == note.stamp}

    def note_of(self, path: Place, stamp: Stamp) -> Note | None:
        """The note of a file, if a process ended while it read just this."""
        note = self._kept.get(self._key(path)) if self._kept else None
        return note if note is not None and note.stamp == _stamped(stamp) else None

    def read(self, path: Place, stamp: Stamp, digest: str, name: str, read_file: ReadFile) -> CrawlRead:
        """What ``read_file`` returns, which calls its argument before it takes much memory; refused if it raises.

        Passed on are OSError, of which the landing knows what it means, and as ``LakeFault`` what went wrong of the
        note: a file that may kill is not read without one.
        """
        before = self.note_of(path, stamp)
        tries = before.tries + 1 if before is not None else 1
        mine = self._kept | {self._key(path): Note(_stamped(stamp), digest, tries)}
        try:
            return read_file(lambda: self._note(mine))
        except (LakeFault, OSError):
            raise
        except MemoryError as fault:
            _log(fault, digest)
            return refused_read(
                f"{name} was refused: there was not enough memory to read its {stamp.n_bytes:,} bytes (MemoryError); "
                "split it into several files, or give the process more memory."
            )
        except Exception as fault:
            _log(fault, digest)
            return refused_read(
                f"{name} was refused: reading it failed by a fault of the program ({type(fault).__name__}; the log has "
                "the place); the other files land. Report it with the file, or save the file again in another format."
            )
        finally:
            if before is not None:
                self._kept = {key: note for key, note in self._kept.items() if key != self._key(path)}
            if self._noted is mine:
                self._note(self._kept)

    def close(self) -> None:
        """Forget the notes of files that are not as they were."""
        if self._noted != self._kept:
            self._write(self._kept)

    def _note(self, notes: dict[str, Note]) -> None:
        try:
            self._write(notes)
        except Exception as fault:
            raise LakeFault(fault) from fault

    def _write(self, notes: dict[str, Note]) -> None:
        # First: a store whose answer was lost may have the note all the same, and it has to be removed.
        self._noted = notes
        self._confirm()
        if notes:
            write_bytes_atomic(self._path, json.dumps(notes).encode())
        else:
            self._path.unlink(missing_ok=True)


def deadly_sentence(name: str) -> str:
    """Why a file is not tried."""
    return (
        f"{name} was being read when the process ended (killed, perhaps for memory), and alone once more; split "
        "it into smaller files, or deliver it again to have it tried again."
    )


def suspect_sentence(name: str) -> str:
    """Why a file waits that is tried once more."""
    return f"{name} was being read when the process ended; the next landing with nothing else to read tries it alone."


def unreadable_sentence(name: str, fault: OSError) -> str:
    """Why a file waits that its disk or mount does not give."""
    said = fault.strerror or type(fault).__name__
    return (
        f"{name} cannot be read ({said}); check the disk or mount that it lies on, or deliver it again. "
        "It lands when it can be read."
    )


def _stamped(stamp: Stamp) -> str:
    return f"{stamp.n_bytes} {stamp.text}"


def _read_notes(path: Place) -> dict[str, Note]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        return {
            str(key): Note(str(stamp), str(digest), int(tries))
            for key, (stamp, digest, tries) in json.loads(content).items()
        }
    except (ValueError, TypeError, AttributeError):
        logger.warning("%s is damaged; the files that it named are tried again", path)
        return {}


def _log(fault: Exception, digest: str) -> None:
    """Where it happened, without values: the message of a fault may quote a cell, and a name an author."""
    traceback.clear_frames(fault.__traceback__)  # what filled the memory
    where = "".join(traceback.format_tb(fault.__traceback__))
    logger.error("reading the crawl file of SHA-256 %s failed: %s\n%s", digest, type(fault).__name__, where)
