"""Which new files wait, by what they are called, what markers say, and what the landings before saw.

Belongs here: the decision, and the memory of looks. Does not: what a marker says (``completeness``), and what lies in
``incoming/`` (``settling``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

from fashion_assets.posts.completeness import Deliveries
from fashion_assets.posts.landed import read_crawl_seen, write_crawl_seen
from fashion_assets.posts.media_names import readable
from fashion_assets.posts.settling import Arrivals, still_written, unfinished_download
from fashion_assets.storage.places import Place, Stamp, existing, inside


def name_in(incoming: Place, path: Place) -> str:
    """The name of a file of ``incoming/`` that people read: its path there."""
    return readable(inside(incoming, path).as_posix())


class Looks:
    """What the landings before saw of ``incoming/``, and what this one sees: kept in the lake, not in a cursor."""

    def __init__(self, lake: Place, salt: bytes, incoming: Place) -> None:
        self._lake, self._salt, self._incoming = lake, salt, incoming
        self._before = read_crawl_seen(lake)
        self._now: dict[str, tuple[str, str | None]] = {}

    def key(self, path: Place) -> str:
        """What stands for the file in the lake: a keyed hash, because names may be those of authors."""
        return hmac.new(self._salt, name_in(self._incoming, path).encode(), hashlib.sha256).hexdigest()[:32]

    def is_as_before(self, path: Place, stamp: Stamp) -> bool:
        """Whether the look before saw this size and time; if not, the next one will compare with this."""
        key, seen = self.key(path), f"{stamp.n_bytes} {stamp.text}"
        same = key in self._before and self._before[key][0] == seen
        self._now.setdefault(key, self._before[key] if same else (seen, None))
        return same

    def digest(self, path: Place, stamp: Stamp) -> str | None:
        """The SHA-256 of a file that was read when it had this stamp; empty if that was in vain."""
        return self._now[self.key(path)][1] if self.is_as_before(path, stamp) else None

    def mark_read(self, path: Place, stamp: Stamp, digest: str) -> None:
        self._now[self.key(path)] = (f"{stamp.n_bytes} {stamp.text}", digest)

    def close(self) -> None:
        """Write what was seen, if that is new; files that are gone are forgotten."""
        if self._now != self._before:
            write_crawl_seen(self._lake, self._now)


def closed_folders(arrived: Arrivals, incoming: Place) -> Iterator[tuple[Place, str]]:
    """The folders that may not be read, each with a sentence."""
    for folder, said in arrived.closed.items():
        yield (
            folder,
            f"{name_in(incoming, folder)}/ may not be read ({said}); what lies in it lands when the account that lands "
            "files may read it.",
        )


def files_that_wait(
    arrived: Arrivals,
    incoming: Place,
    deliveries: Deliveries,
    looks: Looks,
    settle_seconds: float | None,
    sleep: Callable[[float], None],
) -> dict[Place, str]:
    """The files that are not ready, each with a sentence; without ``settle_seconds`` by two looks."""
    files: dict[Place, Stamp | None] = {**arrived.crawls, **arrived.media}
    waiting: dict[Place, str] = {}
    undecided: dict[Place, Stamp | None] = {}
    for path, stamp in files.items():
        reason = unfinished_download(path) or deliveries.contradiction(path, stamp)
        if reason:
            waiting[path] = reason
        elif stamp is not None and not deliveries.says_whole(path, stamp, incoming):
            undecided[path] = stamp
    # A delivery may list its own markers and mappings, which are no files to land.
    others = deliveries.listed.keys() - files.keys()
    for path in others - existing(others):
        waiting[path] = deliveries.contradiction(path, None) or ""
    if settle_seconds is not None:
        return waiting | still_written(undecided, settle_seconds, sleep)
    for path, stamp in undecided.items():
        if stamp is not None and not looks.is_as_before(path, stamp):
            waiting[path] = (
                f"{path.name} is new or has changed; it lands when it is the same at the next look."
            )
    return waiting
