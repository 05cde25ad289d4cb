"""Landing: every new crawl file of ``incoming/`` into the lake, by the post's month, with author ids hashed.

Belongs here: what is landed, what was before, and in which order things are written. Does not: reading a file
(``crawl_files``), choosing a month (``placement``), pictures (``media_landing``).

Order of writing: moved posts, the new rows, files that they replace, the post index, the ledger. A file whose
digest is not in the ledger is landed again from the start, and every step before it can be done twice.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Literal

import pandas as pd

from fashion_assets.posts.authors import AuthorMasker, hash_author
from fashion_assets.posts.completeness import Deliveries
from fashion_assets.posts.crawl_files import CrawlRead, read_crawl_file
from fashion_assets.posts.landed import (
    DIGEST_IN_NAME,
    dating_of_all_rows,
    forget_digests,
    known_digests,
    landed_authors,
    landed_months,
    landing_digest,
    landing_digests,
    landing_root,
    move_posts,
    read_crawl_seen,
    read_ledger,
    read_post_index,
    remember_digests,
    remove_rows,
    rows_path,
    write_crawl_seen,
    write_ledger,
    write_post_index,
    write_rows,
)
from fashion_assets.posts.mapping import ColumnMapping, load_mappings, mapping_for
from fashion_assets.posts.media_landing import land_media
from fashion_assets.posts.media_names import readable
from fashion_assets.posts.placement import date_rows, index_of, merge_indexes, month_of, place_rows
from fashion_assets.posts.schemas import LEDGER
from fashion_assets.posts.settling import (
    Arrivals,
    digest_of_beginning,
    grown_sentence,
    look_around,
    still_written,
    unfinished_download,
)
from fashion_assets.posts.times import is_empty, to_shanghai
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, local_copy
from fashion_assets.storage.locks import locked
from fashion_assets.storage.places import Place, Stamp, inside, require_reachable

__all__ = [
    "LandedFile",
    "LandingResult",
    "land_incoming",
    "landed_months",
    "landing_digest",
    "landing_digests",
]

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


@dataclass(frozen=True)
class LandingResult:
    """What one landing did; ``arrived_by_month`` counts the rows of the files that are new in it."""

    files: list[LandedFile] = field(default_factory=list)
    touched_months: list[str] = field(default_factory=list)
    arrived_by_month: dict[str, int] = field(default_factory=dict)
    media_added: int = 0
    #: New files that were left for the next landing, because this one was given ``max_files``.
    remaining: int = 0
    #: Whether nothing was looked at, because another landing is at work.
    busy: bool = False


@dataclass
class _Arrival:
    """A file that is about to land."""

    path: Place
    name: str
    digest: str
    n_bytes: int
    mapping: str | None
    read: CrawlRead
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)


def land_incoming(
    incoming: Place,
    lake: Place,
    salt: bytes,
    *,
    now: datetime,
    settle_seconds: float = 0.2,
    two_looks: bool = False,
    max_files: int | None = None,
    first_month: str = "2019-01",
    last_month: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> LandingResult:
    """Land every file of ``incoming`` that is whole and new; returns what became of each file.

    ``salt`` hashes the author ids, ``now`` (naive: Asia/Shanghai) bounds the dates together with
    ``first_month`` and ``last_month`` ("2024-06", default the month of ``now``). What cannot be read is
    refused by name and looked at again the next time.

    Whole is what a marker says is whole (``completeness``), else what does not change within ``settle_seconds``, or
    with ``two_looks`` what is as the landing before saw it; who comes again does not wait for another landing, either
    (``busy``). ``max_files`` bounds the crawl files, and apart from them
    the media files, that are read; ``remaining`` counts those that were not, and to land again lands them.

    Raises ``UserError`` for an invalid ``columns.yaml``, and for a bucket that cannot be used.
    """
    require_reachable(incoming)
    require_reachable(lake)
    arrived_files = look_around(incoming)
    if not incoming.is_dir():
        return LandingResult()
    moment = to_shanghai(now)
    mappings = load_mappings(incoming)
    deliveries = Deliveries.of(arrived_files.markers)
    with locked(landing_root(lake) / ".lock", wait=not two_looks) as own:
        if not own:
            return LandingResult(busy=True)
        digests = known_digests(lake)
        looks = _Looks(lake, salt, incoming)
        waiting = _waiting(
            arrived_files, incoming, deliveries, looks, None if two_looks else settle_seconds, sleep
        )
        files = [LandedFile(_name(path, incoming), None, "waiting", reason=waiting[path]) for path in waiting]
        ledger = read_ledger(lake)
        landed = _Landed(ledger)
        arrivals: list[_Arrival] = []
        n_read = remaining = 0
        # What was never read comes first: files that are refused again and again must not hold up the others.
        ready_crawls = [item for item in arrived_files.crawls.items() if item[0] not in waiting]
        for path, stamp in sorted(ready_crawls, key=lambda item: looks.digest(*item) is not None):
            rule = _rule_of(path, incoming, mappings, arrived_files.mappings)
            known = None if isinstance(rule, UserError) else landed.known(looks.digest(path, stamp), rule)
            if known is not None:
                files.append(known)
                continue
            if max_files is not None and n_read >= max_files:
                remaining += looks.digest(path, stamp) is None  # else refused before, and in no hurry
                continue
            n_read += 1
            taken = {arrival.digest for arrival in arrivals}
            looked = _look(path, stamp, incoming, rule, landed, taken, deliveries)
            if isinstance(looked, _Arrival):
                arrivals.append(looked)
            else:
                files.append(looked)
            if looked.digest is not None:
                looks.mark_read(path, stamp, looked.digest)
        ids = {
            raw
            for arrival in arrivals
            for raw in arrival.read.frame["poster_id"].dropna().unique()
            if raw.strip()
        }

        @cache  # lists the whole landing folder, and most landings have nothing new to mask
        def masker() -> AuthorMasker:
            return AuthorMasker(ids, salt, landed_authors(lake))

        def mask(text: str, column: str = "") -> str:
            return masker().mask(text, column)

        def mask_refused(text: str) -> str:
            # The folders of media/ are posts, and a person must be able to find them.
            return mask(text) if text.startswith("media/") else masker().mask_refused(text)

        files = [
            replace(file, name=mask_refused(file.name), reason=mask_refused(file.reason))
            if file.reason
            else file
            for file in files
        ]
        for arrival in arrivals:
            arrival.name = mask(arrival.name)
            arrival.rows = date_rows(
                _anonymous(arrival.read.frame, masker(), salt),
                first_month,
                last_month or month_of(moment),
                moment.date(),
            )
        if arrivals:
            forget_digests(lake)
        touched, arrived = _write(lake, arrivals, landed) if arrivals else (set(), Counter())
        files += [
            LandedFile(a.name, a.digest, "landed", len(a.rows), [mask_refused(n) for n in a.read.notes])
            for a in arrivals
        ]
        if arrivals:  # a file that was refused before may be named after an author who is here only now
            _mask_refusals(ledger, mask)
        _record(lake, ledger, landed, files, arrivals, moment)

        ready = {path: stamp for path, stamp in arrived_files.media.items() if path not in waiting}
        landing = land_media(incoming, lake, ready, salt, mask, max_files=max_files)
        files += [
            LandedFile(name, None, "refused", reason=reason) for name, reason in landing.refused.items()
        ]
        for name, (status, added) in landing.archives.items():
            files.append(LandedFile(name, None, "landed" if status == "landed" else "already landed", added))
        if landing.posts:
            index = read_post_index(lake)
            touched |= set(index.loc[index["post_id"].isin(landing.posts), "month"])
        looks.close()
        if touched or digests is None or landing.changed:
            remember_digests(lake, digests or {}, touched)
    return LandingResult(
        sorted(files, key=lambda file: file.name),
        sorted(touched),
        dict(sorted(arrived.items())),
        landing.added,
        remaining + landing.remaining,
    )


class _Looks:
    """What the landings before saw of ``incoming/``, and what this one sees: kept in the lake, not in a cursor."""

    def __init__(self, lake: Place, salt: bytes, incoming: Place) -> None:
        self._lake, self._salt, self._incoming = lake, salt, incoming
        self._before = read_crawl_seen(lake)
        self._now: dict[str, tuple[str, str | None]] = {}

    def _key(self, path: Place) -> str:
        return hmac.new(self._salt, _name(path, self._incoming).encode(), hashlib.sha256).hexdigest()[:32]

    def is_as_before(self, path: Place, stamp: Stamp) -> bool:
        """Whether the look before saw this size and time; if not, the next one will compare with this."""
        key, seen = self._key(path), f"{stamp.n_bytes} {stamp.text}"
        same = key in self._before and self._before[key][0] == seen
        self._now.setdefault(key, self._before[key] if same else (seen, None))
        return same

    def digest(self, path: Place, stamp: Stamp) -> str | None:
        """The SHA-256 of a file that was read when it had this stamp."""
        return self._now[self._key(path)][1] if self.is_as_before(path, stamp) else None

    def mark_read(self, path: Place, stamp: Stamp, digest: str) -> None:
        self._now[self._key(path)] = (f"{stamp.n_bytes} {stamp.text}", digest)

    def close(self) -> None:
        """Write what was seen, if that is new; files that are gone are forgotten."""
        if self._now != self._before:
            write_crawl_seen(self._lake, self._now)


def _waiting(
    arrived: Arrivals,
    incoming: Place,
    deliveries: Deliveries,
    looks: _Looks,
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
    for path in deliveries.listed.keys() - files.keys():
        waiting[path] = deliveries.contradiction(path, None) or ""
    if settle_seconds is not None:
        return waiting | still_written(undecided, settle_seconds, sleep)
    for path, stamp in undecided.items():
        if stamp is not None and not looks.is_as_before(path, stamp):
            waiting[path] = (
                f"{path.name} is new or has changed; it lands when it is the same at the next look."
            )
    return waiting


def _rule_of(
    path: Place, incoming: Place, mappings: list[ColumnMapping], mapping_files: Collection[Place]
) -> ColumnMapping | UserError | None:
    """The mapping of a file, or what is wrong of the one beside it."""
    try:
        return mapping_for(path, incoming, mappings, mapping_files)
    except UserError as fault:
        return fault


class _Landed:
    """The landed files of the ledger by content and by name: a landing of thousands asks for each of them."""

    def __init__(self, ledger: pd.DataFrame) -> None:
        self._by_digest: dict[str, tuple[str, int, str | None]] = {}
        self._by_name: dict[str, list[tuple[str, int]]] = {}
        rows = ledger[ledger["status"] == "landed"]
        columns = (rows[name] for name in ("digest", "file", "rows", "mapping", "n_bytes"))
        for digest, file, n_rows, mapping, n_bytes in zip(*columns, strict=True):
            self._by_digest[digest] = (file, int(n_rows), mapping or None)
            self._by_name.setdefault(file, []).append((digest, int(n_bytes)))

    def known(self, digest: str | None, rule: ColumnMapping | None) -> LandedFile | None:
        """The file of this content, if it has landed under this mapping."""
        if digest not in self._by_digest:
            return None
        file, n_rows, mapping = self._by_digest[digest]
        return (
            LandedFile(file, digest, "already landed", n_rows)
            if mapping == (rule.digest if rule else None)
            else None
        )

    def replaced_by(self, arrival: _Arrival) -> list[str]:
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


def _look(
    path: Place,
    stamp: Stamp,
    incoming: Place,
    rule: ColumnMapping | UserError | None,
    landed: _Landed,
    taken: set[str],
    deliveries: Deliveries,
) -> _Arrival | LandedFile:
    """Read a file; say of one that is not new what it is."""
    name = _name(path, incoming)
    try:
        with local_copy(path) as copy:
            digest = file_digest(copy)
            after = Stamp.of(path)
            if after != stamp:
                return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, after))
            contradiction = deliveries.contradiction(path, stamp, digest)
            if contradiction:
                return LandedFile(name, None, "waiting", reason=contradiction)
            if isinstance(rule, UserError):
                return LandedFile(name, digest, "refused", reason=f"{name} was refused: {rule}")
            known = landed.known(digest, rule)
            if known is not None:
                return known
            if digest in taken:
                notes = ["Another file of this landing has the same content."]
                return LandedFile(name, digest, "already landed", notes=notes)
            read = read_crawl_file(copy, rule, name)
    except FileNotFoundError:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, None))
    after = Stamp.of(path)
    if after != stamp:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, after))
    if read.refused:
        return LandedFile(name, digest, "refused", notes=read.notes, reason=read.refused)
    return _Arrival(path, name, digest, stamp.n_bytes, rule.digest if rule else None, read)


def _anonymous(frame: pd.DataFrame, masker: AuthorMasker, salt: bytes) -> pd.DataFrame:
    """The frame with ``author`` for ``poster_id``, and no raw id that is known by now in any cell."""
    authors = {raw: hash_author(raw, salt) for raw in frame["poster_id"].dropna().unique()}
    rows = masker.mask_frame(frame.drop(columns="poster_id"))
    rows["author"] = [authors.get(raw) if isinstance(raw, str) else None for raw in frame["poster_id"]]
    rows["post_id"] = [None if is_empty(post_id) else post_id.strip() for post_id in rows["post_id"]]
    return rows


def _write(lake: Place, arrivals: list[_Arrival], landed: _Landed) -> tuple[set[str], Counter[str]]:
    """Place and write the rows of all arrivals; returns the months that changed and the rows per month."""
    replaced = {stem for arrival in arrivals for stem in landed.replaced_by(arrival)}
    old = read_post_index(lake)
    if replaced or (old.empty and landed_months(lake)):
        # What decided a post's month may be among the rows that go: work it out from those that stay.
        kept = index_of(dating_of_all_rows(lake, without=replaced))
    else:
        kept = old
    index = merge_indexes(kept, *(index_of(arrival.rows) for arrival in arrivals))
    months = dict(zip(index["post_id"], index["month"], strict=True))
    moves = {
        post_id: (month, months[post_id])
        for post_id, month in zip(old["post_id"], old["month"], strict=True)
        if months.get(post_id, month) != month
    }
    touched = move_posts(lake, moves)
    arrived: Counter[str] = Counter()
    written: set[Place] = set()
    for arrival in arrivals:
        arrival.rows["month"] = place_rows(arrival.rows, index)
        for month, rows in arrival.rows.groupby("month", sort=True):
            path = rows_path(lake, str(month), arrival.digest)
            write_rows(path, rows)
            written.add(path)
            arrived[str(month)] += len(rows)
            touched.add(str(month))
    for month in landed_months(lake):
        for stem in replaced:
            path = landing_root(lake) / month / f"{stem}.parquet"
            if path not in written and path.exists():
                remove_rows(path)
                touched.add(month)
    write_post_index(lake, index)
    return touched, arrived


def _mask_refusals(ledger: pd.DataFrame, mask: Callable[[str], str]) -> None:
    refused = ledger["status"] == "refused"
    for column in ("file", "reason"):
        ledger.loc[refused, column] = [mask(text) for text in ledger.loc[refused, column]]


def _record(
    lake: Place,
    ledger: pd.DataFrame,
    landed: _Landed,
    files: list[LandedFile],
    arrivals: list[_Arrival],
    moment: datetime,
) -> None:
    """Write the ledger if this landing adds to it: landed files, and refused ones with their reason."""
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
            detail.mapping if detail else None,
        )
        new.append(dict(zip(LEDGER.names, values, strict=True)))
    if not new:
        return
    gone = {row["digest"] for row in new}
    replaced = {stem for arrival in arrivals for stem in landed.replaced_by(arrival)}
    gone |= {digest for digest in ledger["digest"] if digest[:DIGEST_IN_NAME] in replaced}
    # A file that was refused and has come again is spoken of as it is now.
    again = ledger["file"].isin({row["file"] for row in new}) & (ledger["status"] == "refused")
    kept = ledger[~ledger["digest"].isin(gone) & ~again]
    added = pd.DataFrame(new, columns=LEDGER.names)
    write_ledger(lake, added if kept.empty else pd.concat([kept, added], ignore_index=True))


def _name(path: Place, incoming: Place) -> str:
    return readable(inside(incoming, path).as_posix())
