"""Landing: every new crawl file of ``incoming/`` into the lake, by the post's month, with author ids hashed.

Belongs here: what is landed, what was before, and in which order things are written. Does not: reading a file
(``crawl_files``), choosing a month (``placement``), pictures (``media_landing``).

Order of writing: moved posts, the new rows, files that they replace, the post index, the ledger. A file whose
digest is not in the ledger is landed again from the start, and every step before it can be done twice.
"""

from __future__ import annotations

import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd

from fashion_assets.posts.authors import AuthorMasker, hash_author
from fashion_assets.posts.crawl_files import CrawlRead, read_crawl_file
from fashion_assets.posts.landed import (
    DIGEST_IN_NAME,
    all_rows,
    landed_authors,
    landed_months,
    landing_digest,
    landing_digests,
    landing_root,
    move_posts,
    read_ledger,
    read_post_index,
    rows_path,
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
    Stamp,
    crawl_candidates,
    digest_of_beginning,
    digest_whole_file,
    grown_sentence,
    media_candidates,
    still_written,
)
from fashion_assets.posts.times import is_empty, to_shanghai
from fashion_assets.storage.errors import UserError

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


@dataclass
class _Arrival:
    """A file that is about to land."""

    path: Path
    name: str
    digest: str
    n_bytes: int
    mapping: str | None
    read: CrawlRead
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)


def land_incoming(
    incoming: Path,
    lake: Path,
    salt: bytes,
    *,
    now: datetime,
    settle_seconds: float = 0.2,
    first_month: str = "2019-01",
    last_month: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> LandingResult:
    """Land every file of ``incoming`` that is whole and new; returns what became of each file.

    ``salt`` hashes the author ids, ``now`` (naive: Asia/Shanghai) bounds the dates together with
    ``first_month`` and ``last_month`` ("2024-06", default the month of ``now``). What cannot be read is
    refused by name and looked at again the next time. Raises ``UserError`` for an invalid ``columns.yaml``.
    """
    if not incoming.is_dir():
        return LandingResult()
    moment = to_shanghai(now)
    mappings = load_mappings(incoming)
    with _locked(lake):
        crawls, media = crawl_candidates(incoming), media_candidates(incoming)
        waiting = still_written([*crawls, *media], settle_seconds, sleep)
        files = [LandedFile(_name(path, incoming), None, "waiting", reason=waiting[path]) for path in waiting]
        ledger = read_ledger(lake)
        arrivals: list[_Arrival] = []
        for path in crawls:
            if path not in waiting:
                looked = _look(path, incoming, mappings, ledger, {arrival.digest for arrival in arrivals})
                if isinstance(looked, _Arrival):
                    arrivals.append(looked)
                else:
                    files.append(looked)
        ids = {
            raw
            for arrival in arrivals
            for raw in arrival.read.frame["poster_id"].dropna().unique()
            if raw.strip()
        }

        @cache  # reads the authors of the whole lake, and most landings have nothing new to mask
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
        touched, arrived = _write(lake, arrivals, ledger) if arrivals else (set(), Counter())
        files += [
            LandedFile(a.name, a.digest, "landed", len(a.rows), [mask_refused(n) for n in a.read.notes])
            for a in arrivals
        ]
        if arrivals:  # a file that was refused before may be named after an author who is here only now
            _mask_refusals(ledger, mask)
        _record(lake, ledger, files, arrivals, moment)

        landing = land_media(incoming, lake, [path for path in media if path not in waiting], salt, mask)
        files += [
            LandedFile(name, None, "refused", reason=reason) for name, reason in landing.refused.items()
        ]
        for name, (status, added) in landing.archives.items():
            files.append(LandedFile(name, None, "landed" if status == "landed" else "already landed", added))
        if landing.posts:
            index = read_post_index(lake)
            touched |= set(index.loc[index["post_id"].isin(landing.posts), "month"])
    return LandingResult(
        sorted(files, key=lambda file: file.name),
        sorted(touched),
        dict(sorted(arrived.items())),
        landing.added,
    )


def _look(
    path: Path, incoming: Path, mappings: list[ColumnMapping], ledger: pd.DataFrame, taken: set[str]
) -> _Arrival | LandedFile:
    """Read a file that is new; say of any other what it is."""
    name = _name(path, incoming)
    before = Stamp.of(path)
    digested = digest_whole_file(path)
    if digested is None:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, before, Stamp.of(path)))
    digest, stamp = digested
    try:
        mapping = mapping_for(path, incoming, mappings)
    except UserError as fault:
        return LandedFile(name, digest, "refused", reason=f"{name} was refused: {fault}")
    rule = mapping.digest if mapping else None
    known = ledger[(ledger["digest"] == digest) & (ledger["status"] == "landed")]
    if len(known) and (known["mapping"].iloc[0] or None) == rule:
        return LandedFile(known["file"].iloc[0], digest, "already landed", int(known["rows"].iloc[0]))
    if digest in taken:
        return LandedFile(
            name, digest, "already landed", notes=["Another file of this landing has the same content."]
        )
    read = read_crawl_file(path, mapping, name)
    if Stamp.of(path) != stamp:
        return LandedFile(name, None, "waiting", reason=grown_sentence(name, stamp, Stamp.of(path)))
    if read.refused:
        return LandedFile(name, digest, "refused", notes=read.notes, reason=read.refused)
    return _Arrival(path, name, digest, stamp.n_bytes, rule, read)


def _anonymous(frame: pd.DataFrame, masker: AuthorMasker, salt: bytes) -> pd.DataFrame:
    """The frame with ``author`` for ``poster_id``, and no raw id that is known by now in any cell."""
    authors = {raw: hash_author(raw, salt) for raw in frame["poster_id"].dropna().unique()}
    rows = masker.mask_frame(frame.drop(columns="poster_id"))
    rows["author"] = [authors.get(raw) if isinstance(raw, str) else None for raw in frame["poster_id"]]
    rows["post_id"] = [None if is_empty(post_id) else post_id.strip() for post_id in rows["post_id"]]
    return rows


def _write(lake: Path, arrivals: list[_Arrival], ledger: pd.DataFrame) -> tuple[set[str], Counter[str]]:
    """Place and write the rows of all arrivals; returns the months that changed and the rows per month."""
    replaced = {stem for arrival in arrivals for stem in _replaced_by(arrival, ledger)}
    old = read_post_index(lake)
    if replaced or (old.empty and landed_months(lake)):
        # What decided a post's month may be among the rows that go: work it out from those that stay.
        kept = index_of(all_rows(lake, without=replaced))
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
    written: set[Path] = set()
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
            if path.exists() and path not in written:
                path.unlink()
                touched.add(month)
    write_post_index(lake, index)
    return touched, arrived


def _replaced_by(arrival: _Arrival, ledger: pd.DataFrame) -> list[str]:
    """The landed files (16 digits) that this one stands for: itself under another mapping, or its own
    beginning.

    A file that was added to holds all rows of the landing before. A file of the same name with other content
    does not, and both stay.
    """
    landed = ledger[ledger["status"] == "landed"]
    found = list(landed.loc[landed["digest"] == arrival.digest, "digest"])
    same_name = landed[landed["file"] == arrival.name]
    found += [
        digest
        for digest, n_bytes in zip(same_name["digest"], same_name["n_bytes"].astype(int), strict=True)
        if n_bytes < arrival.n_bytes and digest_of_beginning(arrival.path, n_bytes) == digest
    ]
    return [digest[:DIGEST_IN_NAME] for digest in found]


def _mask_refusals(ledger: pd.DataFrame, mask: Callable[[str], str]) -> None:
    refused = ledger["status"] == "refused"
    for column in ("file", "reason"):
        ledger.loc[refused, column] = [mask(text) for text in ledger.loc[refused, column]]


def _record(
    lake: Path, ledger: pd.DataFrame, files: list[LandedFile], arrivals: list[_Arrival], moment: datetime
) -> None:
    """Write the ledger if this landing adds to it: landed files, and refused ones with their reason."""
    details = {arrival.digest: arrival for arrival in arrivals}
    said = set(zip(ledger["digest"], ledger["reason"], strict=True))
    new = []
    for file in files:
        landed = file.status == "landed"
        if not file.digest or not (
            landed or (file.status == "refused" and (file.digest, file.reason) not in said)
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
    for arrival in arrivals:
        gone |= {d for d in ledger["digest"] if d[:DIGEST_IN_NAME] in _replaced_by(arrival, ledger)}
    # A file that was refused and has come again is spoken of as it is now.
    again = ledger["file"].isin({row["file"] for row in new}) & (ledger["status"] == "refused")
    kept = ledger[~ledger["digest"].isin(gone) & ~again]
    added = pd.DataFrame(new, columns=LEDGER.names)
    write_ledger(lake, added if kept.empty else pd.concat([kept, added], ignore_index=True))


def _name(path: Path, incoming: Path) -> str:
    return readable(path.relative_to(incoming).as_posix())


@contextmanager
def _locked(lake: Path) -> Iterator[None]:
    """One landing at a time per lake: a sensor and a person may come at the same moment."""
    root = landing_root(lake)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
