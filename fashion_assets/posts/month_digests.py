"""The digest of a month: over all that its ``raw_posts`` depends on, so that another digest is a reason to make it.

Belongs here: computing digests, and writing them down so that a look at thousands of landed files opens none of them.
Does not: the files themselves (``landed``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa

from fashion_assets.posts.landed import (
    ROWS_DIGEST,
    landed_files,
    landing_root,
    months_with_rows,
    read_hidden,
    read_media_manifest,
    read_post_index,
)
from fashion_assets.posts.schemas import MONTH_DIGESTS, ROW_DIGESTS, table_to_frame
from fashion_assets.storage.files import write_parquet_atomic
from fashion_assets.storage.parquet_files import read_parquet_schema
from fashion_assets.storage.places import Place, Stamp

#: Landed file ("<month>/<name>") -> (its stamp, the digest of its rows).
_RowDigests = dict[str, tuple[str, str]]


class MonthDigest(NamedTuple):
    """A month's digest, and the names and sizes of the files that it was made of."""

    files: list[str]
    digest: str


def landing_digest(lake: Place, month: str) -> str:
    """64 hex digits over all that the month's ``raw_posts`` depends on: its landed rows and their media."""
    return landing_digests(lake, [month])[month]


def landing_digests(lake: Place, months: Iterable[str] | None = None) -> dict[str, str]:
    """The digest of each month (of all landed months by default), as the last landing wrote them down.

    A month of which that does not hold any more is worked out; post index and media manifest are then read once.
    """
    files = landed_files(lake)
    wanted = months_with_rows(lake, files) if months is None else months
    return _digests(lake, files, wanted, _kept(lake))[0]


def forget_digests(lake: Place) -> None:
    """To be called before anything changes that a digest depends on: a killed landing leaves none that is wrong."""
    _digests_path(lake).unlink(missing_ok=True)


def remember_digests(lake: Place, before: Mapping[str, MonthDigest], touched: Collection[str]) -> None:
    """Write the digests down, those of ``touched`` months and of changed files anew, the others as ``before``."""
    files = landed_files(lake)
    months = months_with_rows(lake, files)
    known = {month: digest for month, digest in before.items() if month not in touched}
    digests, of_rows = _digests(lake, files, months, known)
    if of_rows is not None:
        there = {_key(month, path) for month, paths in files.items() for path in paths}
        kept = [
            {"file": file, "stamp": stamp, "digest": digest}
            for file, (stamp, digest) in of_rows.items()
            if file in there
        ]
        write_parquet_atomic(_row_digests_path(lake), pa.Table.from_pylist(kept, schema=ROW_DIGESTS))
    rows = [
        {"month": month, "files": _named(files.get(month, {})), "digest": digests[month]} for month in months
    ]
    write_parquet_atomic(_digests_path(lake), pa.Table.from_pylist(rows, schema=MONTH_DIGESTS))


def known_digests(lake: Place) -> dict[str, MonthDigest] | None:
    """What the last landing wrote down; None if that is gone or damaged though there are months."""
    kept = _kept(lake)
    return kept if kept or not landed_files(lake) else None


def _kept(lake: Place) -> dict[str, MonthDigest]:
    try:
        kept = table_to_frame(read_hidden(_digests_path(lake), MONTH_DIGESTS))
    except FileNotFoundError:  # a landing in another process has forgotten them at this moment
        return {}
    rows = zip(kept["month"], kept["files"], kept["digest"], strict=True)
    return {month: MonthDigest(list(files), digest) for month, files, digest in rows}


def _digests(
    lake: Place,
    files: Mapping[str, Mapping[Place, Stamp]],
    months: Iterable[str],
    known: Mapping[str, MonthDigest],
) -> tuple[dict[str, str], _RowDigests | None]:
    """(the digest of each month, the digests of files' rows if some had to be read)."""
    digests: dict[str, str] = {}
    unknown: list[str] = []
    for month in months:
        if month in known and known[month].files == _named(files.get(month, {})):
            digests[month] = known[month].digest
        else:
            unknown.append(month)
    if not unknown:
        return digests, None
    of_rows = _known_row_digests(lake)
    read = _read_new_row_digests({month: files.get(month, {}) for month in unknown}, of_rows)
    media = _media_by_post(lake)
    posts = _posts_by_month(lake) if media else {}
    for month in unknown:
        total = hashlib.sha256()
        for path in files.get(month, {}):
            total.update(f"{path.name}\t{of_rows[_key(month, path)][1]}\n".encode())
        for post_id in sorted(posts.get(month, set()) & media.keys()):
            total.update("\n".join([post_id, *sorted(media[post_id])]).encode())
        digests[month] = total.hexdigest()
    return digests, of_rows if read else None


def _read_new_row_digests(files: Mapping[str, Mapping[Place, Stamp]], known: _RowDigests) -> bool:
    """Add what is not known yet of these files, by opening them; whether there was any."""
    read = False
    for month, paths in files.items():
        for path, stamp in paths.items():
            stamped = f"{stamp.n_bytes} {stamp.text}"
            if known.get(_key(month, path), ("", ""))[0] != stamped:
                kept = (read_parquet_schema(path).metadata or {}).get(ROWS_DIGEST, b"")
                known[_key(month, path)] = (stamped, kept.decode())
                read = True
    return read


def _known_row_digests(lake: Place) -> _RowDigests:
    kept = read_hidden(_row_digests_path(lake), ROW_DIGESTS).to_pydict()
    columns = (kept[name] for name in ROW_DIGESTS.names)
    return {file: (stamp, digest) for file, stamp, digest in zip(*columns, strict=True)}


def _posts_by_month(lake: Place) -> dict[str, set[str]]:
    index = read_post_index(lake)
    return {str(month): set(posts) for month, posts in index.groupby("month")["post_id"]}


def _media_by_post(lake: Place) -> dict[str, list[str]]:
    manifest = read_media_manifest(lake)
    by_post: dict[str, list[str]] = {}
    media = zip(manifest["post_id"], manifest["name"], manifest["digest"], manifest["reason"], strict=True)
    for post_id, name, digest, reason in media:
        by_post.setdefault(post_id, []).append(f"{name}\t{digest}\t{reason}")
    return by_post


def _key(month: str, path: Place) -> str:
    return f"{month}/{path.name}"


def _named(files: Mapping[Place, Stamp]) -> list[str]:
    return [f"{path.name} {stamp.n_bytes}" for path, stamp in files.items()]


def _digests_path(lake: Place) -> Place:
    return landing_root(lake) / "month_digests.parquet"


def _row_digests_path(lake: Place) -> Place:
    # Hidden: nothing is lost with it.
    return landing_root(lake) / ".row_digests.parquet"
