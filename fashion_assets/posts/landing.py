"""Landing: every new crawl file of ``incoming/`` into the lake, by the post's month, with author ids hashed.

Belongs here: what is landed, what was before, and in which order things are written. Does not: reading a file
(``crawl_files``), choosing a month (``placement``), pictures (``media_landing``).

Order of writing: moved posts, the new rows, files that they replace, the post index, the ledger. A file whose
digest is not in the ledger is landed again from the start, and every step before it can be done twice. Before each of
these the lock is confirmed: a process that slept must not write over what another has landed meanwhile.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial

import pandas as pd

from fashion_assets.posts.authors import AuthorMasker, hash_author
from fashion_assets.posts.completeness import Deliveries
from fashion_assets.posts.crawl_files import read_crawl_file
from fashion_assets.posts.landed import (
    dating_of_all_rows,
    landed_authors,
    landed_months,
    landing_root,
    move_posts,
    read_ledger,
    read_media_manifest,
    read_post_index,
    remove_rows,
    rows_path,
    write_ledger,
    write_post_index,
    write_rows,
)
from fashion_assets.posts.ledger import (
    Arrival,
    LandedContents,
    LandedFile,
    mask_refusals,
    recorded,
    refused_members,
)
from fashion_assets.posts.mapping import ColumnMapping, load_mappings, mapping_for
from fashion_assets.posts.media_landing import land_media, without_posts
from fashion_assets.posts.month_digests import forget_digests, known_digests, remember_digests
from fashion_assets.posts.placement import (
    date_rows,
    index_of,
    merge_indexes,
    month_of,
    place_rows,
    reaches_before,
)
from fashion_assets.posts.reading import (
    LakeFault,
    Readings,
    deadly_sentence,
    suspect_sentence,
    unreadable_sentence,
)
from fashion_assets.posts.settling import bytes_to_read, grown_sentence, look_around
from fashion_assets.posts.slices import Slice
from fashion_assets.posts.times import is_empty, to_shanghai
from fashion_assets.posts.waiting import Looks, closed_folders, files_that_wait, name_in
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, local_copy
from fashion_assets.storage.locks import Hold, locked
from fashion_assets.storage.places import Place, Stamp, is_remote, require_reachable

__all__ = ["LandedFile", "LandingResult", "land_incoming"]


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


def land_incoming(
    incoming: Place,
    lake: Place,
    salt: bytes,
    *,
    now: datetime,
    settle_seconds: float = 0.2,
    two_looks: bool = False,
    max_files: int | None = None,
    max_bytes: int | None = None,
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
    (``busy``). ``max_files`` and ``max_bytes`` bound the crawl files, and apart from them the media files, that are
    read, one at least; ``remaining`` counts those that were not, and to land again lands them.

    Raises ``UserError`` for an invalid ``columns.yaml``, and for a bucket that cannot be used; TimeoutError where the
    lock was lost to another process, which lands what this one has not.
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
        looks = Looks(lake, salt, incoming)
        settling = None if two_looks else settle_seconds
        waiting = files_that_wait(arrived_files, incoming, deliveries, looks, settling, sleep)
        files = [
            LandedFile(name_in(incoming, path), None, "waiting", reason=reason)
            for path, reason in [*waiting.items(), *closed_folders(arrived_files, incoming)]
        ]
        ledger = read_ledger(lake)
        ready_crawls = [item for item in arrived_files.crawls.items() if item[0] not in waiting]
        there = {(looks.digest(*item), name_in(incoming, item[0])) for item in ready_crawls}
        landed = LandedContents(ledger, there, first_month)
        arrivals: list[Arrival] = []
        room, remaining = Slice(max_files, max_bytes), 0
        readings = Readings(lake, looks.key, arrived_files.crawls, own.confirm)

        def turn(item: tuple[Place, Stamp]) -> tuple[bool, bool, str]:
            # Files that are refused again and again come last, each time in another order, and hold up nobody; after
            # them those that may end the process.
            in_vain = looks.digest(*item) is not None and not landed.holds(looks.digest(*item))
            suspect = readings.note_of(*item) is not None
            return (
                suspect,
                in_vain,
                hashlib.sha256(f"{moment} {item[0]}".encode()).hexdigest() if in_vain else "",
            )

        for path, stamp in sorted(ready_crawls, key=turn):
            rule = _rule_of(path, incoming, mappings, arrived_files.mappings)
            note = readings.note_of(path, stamp)
            digest, name = looks.digest(path, stamp), name_in(incoming, path)
            digest = digest or note.digest if note is not None else digest
            known = None if isinstance(rule, UserError) else landed.known(digest, rule, name)
            if known is not None:
                files.append(known)
                continue
            if note is not None and note.is_deadly:
                files.append(_refused(name, note.digest, deadly_sentence(name), landed))
                continue
            if note is not None and arrivals:
                files.append(LandedFile(name, None, "waiting", reason=suspect_sentence(name)))
                remaining += 1
                continue
            expected = bytes_to_read(path, stamp)
            if not room.takes(expected):
                remaining += digest is None  # else refused before, and in no hurry
                continue
            taken = {arrival.digest for arrival in arrivals}
            looked = _look(path, stamp, incoming, rule, landed, taken, deliveries, readings)
            if isinstance(looked, Arrival):
                arrivals.append(looked)
                room.spend(looked.read.n_bytes - expected)
            else:
                files.append(looked)
            looks.mark_read(path, stamp, looked.digest or "")
        readings.close()
        # Of two copies of which one landed the other has nothing to add to the ledger.
        landing_now = {arrival.digest for arrival in arrivals}
        files = [
            replace(file, digest=None) if file.status == "refused" and file.digest in landing_now else file
            for file in files
        ]
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

        files += [member for arrival in arrivals for member in refused_members(arrival)]
        files = [
            replace(file, name=mask_refused(file.name), reason=mask_refused(file.reason))
            if file.reason
            else file
            for file in files
        ]
        read, arrivals = arrivals, []
        for arrival in read:
            arrival.name = mask(arrival.name)
            arrival.rows = date_rows(
                _anonymous(arrival.read.frame, masker(), salt),
                first_month,
                last_month or month_of(moment),
                moment.date(),
            )
            if reaches_before(arrival.rows):
                arrival.reading += f"@{first_month}"
            try:
                arrival.replaces = landed.replaced_by(arrival)
            except FileNotFoundError:
                reason = f"{arrival.name} was taken away while it was read."
                files.append(LandedFile(arrival.name, None, "waiting", reason=reason))
                continue
            arrivals.append(arrival)
        touched, arrived = _write(lake, arrivals, own) if arrivals else (set(), Counter())
        files += [
            LandedFile(a.name, a.digest, "landed", len(a.rows), [mask_refused(n) for n in a.read.notes])
            for a in arrivals
        ]
        if arrivals:  # a file that was refused before may be named after an author who is here only now
            mask_refusals(ledger, mask)
        new_ledger = recorded(ledger, files, arrivals, moment)
        if new_ledger is not None:
            own.confirm()
            write_ledger(lake, new_ledger)

        ready = {path: stamp for path, stamp in arrived_files.media.items() if path not in waiting}
        landing = land_media(
            incoming, lake, ready, salt, mask, room=Slice(max_files, max_bytes), confirm=own.confirm
        )
        files += [
            LandedFile(name, None, "refused", reason=reason) for name, reason in landing.refused.items()
        ]
        for name, (status, added) in landing.archives.items():
            files.append(LandedFile(name, None, "landed" if status == "landed" else "already landed", added))
        if landing.posts or arrivals:
            index = read_post_index(lake)
            touched |= set(index.loc[index["post_id"].isin(landing.posts), "month"])
            # Pictures may come before their posts, and those with the next slice.
            if len(index) and not remaining and not landing.remaining:
                strange = without_posts(read_media_manifest(lake), index["post_id"])
                files += [LandedFile("media", None, "waiting", reason=strange)] if strange else []
        looks.close()
        if touched or digests is None or landing.changed:
            own.confirm()
            remember_digests(lake, digests or {}, touched)
    return LandingResult(
        sorted(files, key=lambda file: file.name),
        sorted(touched),
        dict(sorted(arrived.items())),
        landing.added,
        remaining + landing.remaining,
    )


def _rule_of(
    path: Place, incoming: Place, mappings: list[ColumnMapping], mapping_files: Collection[Place]
) -> ColumnMapping | UserError | None:
    """The mapping of a file, or what is wrong of the one beside it."""
    try:
        return mapping_for(path, incoming, mappings, mapping_files)
    except UserError as fault:
        return fault


def _look(
    path: Place,
    stamp: Stamp,
    incoming: Place,
    rule: ColumnMapping | UserError | None,
    landed: LandedContents,
    taken: set[str],
    deliveries: Deliveries,
    readings: Readings,
) -> Arrival | LandedFile:
    """Read a file; say of one that is not new what it is, and of one that cannot be read why.

    Raises what is no fault of the file: of the lake, and of a store that does not answer.
    """
    name = name_in(incoming, path)
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
            known = landed.known(digest, rule, name)
            if known is not None:
                return known
            if digest in taken:
                notes = ["Another file of this landing has the same content."]
                return LandedFile(name, digest, "already landed", notes=notes)
            read = readings.read(path, stamp, digest, name, partial(read_crawl_file, copy, rule, name))
    except LakeFault as fault:
        raise fault.fault from None
    except FileNotFoundError:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, None))
    except PermissionError as fault:
        if is_remote(path):
            raise
        reason = f"{name} may not be read ({fault.strerror}); it lands when the account that lands files may read it."
        return LandedFile(name, None, "waiting", reason=reason)
    except OSError as fault:
        if is_remote(path):
            raise
        return LandedFile(name, None, "waiting", reason=unreadable_sentence(name, fault))
    after = Stamp.of(path)
    if after != stamp:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, after))
    if read.refused:
        return _refused(name, digest, read.refused, landed, read.notes)
    return Arrival(path, name, digest, stamp.n_bytes, rule.digest if rule else "", read)


def _refused(
    name: str, digest: str, reason: str, landed: LandedContents, notes: Collection[str] = ()
) -> LandedFile:
    """A file that is refused. Content that landed, by another mapping, keeps its line in the ledger: its rows stay."""
    recorded_as = None if landed.holds(digest) else digest
    return LandedFile(name, recorded_as, "refused", notes=list(notes), reason=reason)


def _anonymous(frame: pd.DataFrame, masker: AuthorMasker, salt: bytes) -> pd.DataFrame:
    """The frame with ``author`` for ``poster_id``, and no raw id that is known by now in any cell."""
    authors = {raw: hash_author(raw, salt) for raw in frame["poster_id"].dropna().unique()}
    rows = masker.mask_frame(frame.drop(columns="poster_id"))
    rows["author"] = [authors.get(raw) if isinstance(raw, str) else None for raw in frame["poster_id"]]
    rows["post_id"] = [None if is_empty(post_id) else post_id.strip() for post_id in rows["post_id"]]
    return rows


def _write(lake: Place, arrivals: list[Arrival], own: Hold) -> tuple[set[str], Counter[str]]:
    """Place and write the rows of all arrivals; returns the months that changed and the rows per month."""
    replaced = {stem for arrival in arrivals for stem in arrival.replaces}
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
    own.confirm()
    forget_digests(lake)
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
    own.confirm()
    write_post_index(lake, index)
    return touched, arrived
