"""The ledger while a landing adds to it: what has landed by content and by name, what is new, what was refused.

Belongs here: what became of a file, and its line. Does not: where the ledger lies (``landed``), and what lands
(``landing``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

import pandas as pd

from fashion_assets.posts.crawl_files import CrawlRead
from fashion_assets.posts.landed import DIGEST_IN_NAME
from fashion_assets.posts.mapping import ColumnMapping
from fashion_assets.posts.schemas import LEDGER
from fashion_assets.posts.settling import digest_of_beginning
from fashion_assets.storage.places import Place

LandingStatus = Literal["landed", "already landed", "refused", "waiting"]


@dataclass(frozen=True)
class LandedFile:
    """What became of one file: ``reason`` says why it was refused or has to wait, ``notes`` what a reader
    should know.
    """

    name: str
    digest: str | None
    status: LandingStatus
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    reason: str | None = None


@dataclass
class Arrival:
    """A file that is about to land."""

    path: Place
    name: str
    digest: str
    n_bytes: int
    #: Digest of its mapping, and ``@2019-01`` if rows of it were refused because the lake begins there.
    reading: str
    read: CrawlRead
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: The landed files (16 digits) that it stands for.
    replaces: list[str] = field(default_factory=list)


class LandedContents:
    """The landed files of the ledger by content and by name: a landing of thousands asks for each of them.

    ``there`` are (digest, name) of the files that lie in ``incoming/`` now, as far as they were read before;
    ``first_month`` is the first that this landing takes.
    """

    def __init__(
        self, ledger: pd.DataFrame, there: Collection[tuple[str | None, str]], first_month: str
    ) -> None:
        self._there, self._first_month = there, first_month
        self._by_digest: dict[str, tuple[str, int, str | None]] = {}
        self._by_name: dict[str, list[tuple[str, int]]] = {}
        rows = ledger[ledger["status"] == "landed"]
        columns = (rows[name] for name in ("digest", "file", "rows", "mapping", "n_bytes"))
        for digest, file, n_rows, mapping, n_bytes in zip(*columns, strict=True):
            self._by_digest[digest] = (file, int(n_rows), mapping or None)
            self._by_name.setdefault(file, []).append((digest, int(n_bytes)))

    def holds(self, digest: str | None) -> bool:
        """Whether a file of this content has landed, under whatever mapping."""
        return digest in self._by_digest

    def known(self, digest: str | None, rule: ColumnMapping | None, name: str) -> LandedFile | None:
        """The file of this content, if it has landed under this mapping, or from another file that is still there.

        Of two files of one content under two mappings the other's would else take its place at each landing. A file
        of which rows were refused for a first month that is earlier now is not known: it has to land again.
        """
        if digest not in self._by_digest:
            return None
        file, n_rows, reading = self._by_digest[digest]
        mapping, _, refused_before = (reading or "").partition("@")
        same = mapping == (rule.digest if rule else "") and refused_before <= self._first_month
        return (
            LandedFile(file, digest, "already landed", n_rows)
            if same or (file != name and (digest, file) in self._there)
            else None
        )

    def replaced_by(self, arrival: Arrival) -> list[str]:
        """The landed files (16 digits) that an arrival stands for: itself under another mapping, or its own beginning.

        A file that was added to holds all rows of the landing before. A file of the same name with other content
        does not, and both stay.
        """
        found = [arrival.digest] if arrival.digest in self._by_digest else []
        found += [
            digest
            for digest, n_bytes in self._by_name.get(arrival.name, [])
            if n_bytes < arrival.n_bytes and digest_of_beginning(arrival.path, n_bytes) == digest
        ]
        return [digest[:DIGEST_IN_NAME] for digest in found]


def refused_members(arrival: Arrival) -> Iterator[LandedFile]:
    """The crawl files in an archive that lands without them, each with a digest to be told by in the ledger."""
    for name, reason in arrival.read.refused_members.items():
        digest = hashlib.sha256(f"{arrival.digest}\t{name}".encode()).hexdigest()
        yield LandedFile(name, digest, "refused", reason=reason)


def mask_refusals(ledger: pd.DataFrame, mask: Callable[[str], str]) -> None:
    """Take author ids out of the names and reasons of refused files, in place."""
    refused = ledger["status"] == "refused"
    for column in ("file", "reason"):
        ledger.loc[refused, column] = [mask(text) for text in ledger.loc[refused, column]]


def recorded(
    ledger: pd.DataFrame,
    files: list[LandedFile],
    arrivals: list[Arrival],
    moment: datetime,
) -> pd.DataFrame | None:
    """The ledger and what this landing adds to it, landed files and refused ones with their reason; None if nothing."""
    details = {arrival.digest: arrival for arrival in arrivals}
    said = set(zip(ledger["digest"], ledger["reason"], strict=True))
    new = []
    for file in files:
        if not file.digest or not (
            file.status == "landed" or (file.status == "refused" and (file.digest, file.reason) not in said)
        ):
            continue
        detail = details.get(file.digest)
        values = (
            file.name,
            file.digest,
            detail.n_bytes if detail else 0,
            file.rows,
            file.status,
            file.reason,
            file.notes,
            moment.replace(microsecond=0),
            detail.reading or None if detail else None,
        )
        new.append(dict(zip(LEDGER.names, values, strict=True)))
    if not new:
        return None
    gone = {row["digest"] for row in new}
    replaced = {stem for arrival in arrivals for stem in arrival.replaces}
    gone |= {digest for digest in ledger["digest"] if digest[:DIGEST_IN_NAME] in replaced}
    # A file that was refused and has come again is spoken of as it is now, a member of an archive with its archive.
    names = {row["file"] for row in new}
    come_again = [
        status == "refused" and not names.isdisjoint([file, *map(str, PurePosixPath(file).parents)])
        for file, status in zip(ledger["file"], ledger["status"], strict=True)
    ]
    again = pd.Series(come_again, index=ledger.index, dtype=bool)
    kept = ledger[~ledger["digest"].isin(gone) & ~again]
    added = pd.DataFrame(new, columns=LEDGER.names)
    return added if kept.empty else pd.concat([kept, added], ignore_index=True)
