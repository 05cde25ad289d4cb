"""The landed files on disk: ``lake/landing/<month>/<digest>.parquet``, the ledger and the post index.

Belongs here: paths, reading and writing of what landing keeps, and the digest of a month. Does not: what
lands (``landing``) and what becomes of it (``raw``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fashion_assets.posts.schemas import (
    LANDING_ROWS,
    LEDGER,
    MEDIA_MANIFEST,
    MEDIA_SEEN,
    POST_INDEX,
    frame_to_table,
    table_to_frame,
)
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic

_MONTH = re.compile(r"\d{4}-\d{2}")
_ROWS_DIGEST = b"rows_digest"
#: 64 bits of the file's SHA-256 name its rows in each month.
DIGEST_IN_NAME = 16


def landing_root(lake: Path) -> Path:
    """The folder of everything that landing keeps."""
    return lake / "landing"


def rows_path(lake: Path, month: str, digest: str) -> Path:
    """Where the rows of one crawl file for one month lie."""
    return landing_root(lake) / month / f"{digest[:DIGEST_IN_NAME]}.parquet"


def landed_months(lake: Path) -> list[str]:
    """The months that hold landed rows, in order, and those that held some when ``raw_posts`` was made of them.

    Where all posts of a month have moved away, what was made of it must be made again without them.
    """
    root = landing_root(lake)
    if not root.is_dir():
        return []
    return sorted(
        folder.name
        for folder in root.iterdir()
        if _MONTH.fullmatch(folder.name)
        and (any(folder.glob("[!.]*.parquet")) or (lake / "raw_posts" / f"{folder.name}.parquet").exists())
    )


def month_files(lake: Path, month: str) -> list[Path]:
    """The landed files of a month, in name order."""
    return sorted((landing_root(lake) / month).glob("[!.]*.parquet"))


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of one landed file; ``UserError`` names it if it is damaged."""
    return table_to_frame(_read(path, LANDING_ROWS))


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Put rows at ``path`` in source order with a digest of them, or take the file away if there is none."""
    if rows.empty:
        path.unlink(missing_ok=True)
        return
    ordered = rows.sort_values(["source_file", "source_row"], kind="stable")
    table = frame_to_table(ordered, LANDING_ROWS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    digest = hashlib.sha256(memoryview(sink.getvalue())).hexdigest()
    write_parquet_atomic(path, table.replace_schema_metadata({_ROWS_DIGEST: digest.encode()}))


def read_ledger(lake: Path) -> pd.DataFrame:
    """What was looked at so far (``LEDGER``), empty before the first landing."""
    return _read_kept(lake, "ledger", LEDGER)


def write_ledger(lake: Path, ledger: pd.DataFrame) -> None:
    """Put the ledger, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "ledger.parquet", frame_to_table(ledger, LEDGER))


def read_post_index(lake: Path) -> pd.DataFrame:
    """The month of every landed post (``POST_INDEX``)."""
    return _read_kept(lake, "post_index", POST_INDEX)


def write_post_index(lake: Path, index: pd.DataFrame) -> None:
    """Put the post index, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "post_index.parquet", frame_to_table(index, POST_INDEX))


def read_media_manifest(lake: Path) -> pd.DataFrame:
    """The pictures and videos of every post (``MEDIA_MANIFEST``), landed or not."""
    return _read_kept(lake, "media", MEDIA_MANIFEST)


def write_media_manifest(lake: Path, manifest: pd.DataFrame) -> None:
    """Put the media manifest, all or nothing, by post and name."""
    ordered = manifest.sort_values(["post_id", "name", "source"], kind="stable")
    write_parquet_atomic(landing_root(lake) / "media.parquet", frame_to_table(ordered, MEDIA_MANIFEST))


def read_media_seen(lake: Path) -> pd.DataFrame:
    """Which media files were looked at already (``MEDIA_SEEN``)."""
    return _read_kept(lake, "media_seen", MEDIA_SEEN)


def write_media_seen(lake: Path, seen: pd.DataFrame) -> None:
    """Put the list of media files that were looked at, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "media_seen.parquet", frame_to_table(seen, MEDIA_SEEN))


def landing_digest(lake: Path, month: str) -> str:
    """64 hex digits over all that the month's ``raw_posts`` depends on: its landed rows and their media."""
    return landing_digests(lake, [month])[month]


def landing_digests(lake: Path, months: Iterable[str] | None = None) -> dict[str, str]:
    """The digest of each month (of all landed months by default); the media manifest is read once for all."""
    manifest = read_media_manifest(lake)
    by_post: dict[str, list[str]] = {}
    media = zip(manifest["post_id"], manifest["name"], manifest["digest"], manifest["reason"], strict=True)
    for post_id, name, digest, reason in media:
        by_post.setdefault(post_id, []).append(f"{name}\t{digest}\t{reason}")
    digests: dict[str, str] = {}
    for month in landed_months(lake) if months is None else months:
        total = hashlib.sha256()
        posts: set[str] = set()
        for path in month_files(lake, month):
            kept = (pq.read_schema(path).metadata or {}).get(_ROWS_DIGEST, b"")
            total.update(f"{path.name}\t{kept.decode()}\n".encode())
            if by_post:
                posts.update(_post_ids(path))
        for post_id in sorted(posts & by_post.keys()):
            total.update("\n".join([post_id, *sorted(by_post[post_id])]).encode())
        digests[month] = total.hexdigest()
    return digests


def move_posts(lake: Path, moves: dict[str, tuple[str, str]]) -> set[str]:
    """Move all rows of posts from one month to another (post id -> (from, to)); the months that changed.

    The new file is written before the old one is cut, so a killed process leaves rows twice and never not at
    all; doing it again mends that, because a row is known by its source file and line.
    """
    touched: set[str] = set()
    for month in sorted({old for old, _ in moves.values()}):
        leaving = {post_id: new for post_id, (old, new) in moves.items() if old == month}
        for path in month_files(lake, month):
            if leaving.keys().isdisjoint(_post_ids(path)):
                continue
            rows = read_rows(path)
            targets = rows["post_id"].map(leaving)
            for target in sorted(set(targets.dropna())):
                moved = rows[targets == target].assign(month=target)
                destination = landing_root(lake) / target / path.name
                if destination.exists():
                    moved = pd.concat([read_rows(destination), moved], ignore_index=True)
                    moved = moved.drop_duplicates(["source_file", "source_row"], keep="last")
                write_rows(destination, moved)
                touched |= {month, target}
            write_rows(path, rows[targets.isna()])
    return touched


def all_rows(lake: Path, without: Collection[str] = ()) -> pd.DataFrame:
    """Every landed row except those of the named files (16 digits of their digests)."""
    frames = [
        read_rows(path)
        for month in landed_months(lake)
        for path in month_files(lake, month)
        if path.stem not in without
    ]
    return pd.concat(frames, ignore_index=True) if frames else table_to_frame(LANDING_ROWS.empty_table())


def landed_authors(lake: Path) -> set[str]:
    """The hashes of all authors in the lake."""
    authors: set[str] = set()
    for month in landed_months(lake):
        for path in month_files(lake, month):
            authors.update(pq.read_table(path, columns=["author"])["author"].drop_null().unique().to_pylist())
    return authors


def _post_ids(path: Path) -> set[str]:
    return set(pq.read_table(path, columns=["post_id"])["post_id"].drop_null().to_pylist())


def _read_kept(lake: Path, name: str, schema: pa.Schema) -> pd.DataFrame:
    path = landing_root(lake) / f"{name}.parquet"
    return table_to_frame(_read(path, schema) if path.exists() else schema.empty_table())


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(path, columns=schema.names).cast(schema)
    except (pa.ArrowException, OSError) as fault:
        root = path.parent if path.parent.name == "landing" else path.parent.parent
        raise UserError(
            f"{path} cannot be read ({' '.join(str(fault).split())[:200]}). Restore it from a copy, or "
            f"delete {root} and land the crawl files again."
        ) from None
