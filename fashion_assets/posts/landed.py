"""The landed files on disk: ``lake/landing/<month>/<digest>.parquet``, the ledger and the post index.

Belongs here: paths, reading and writing of what landing keeps. Does not: the digest of a month
(``month_digests``), what lands (``landing``) and what becomes of it (``raw``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

import pandas as pd
import pyarrow as pa

from fashion_assets.posts.schemas import (
    CRAWL_SEEN,
    LANDED_AUTHORS,
    LANDING_ROWS,
    LEDGER,
    MEDIA_MANIFEST,
    MEDIA_SEEN,
    POST_INDEX,
    frame_to_table,
    table_to_frame,
)
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_parquet_atomic
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.parquet_files import is_damage, read_parquet
from fashion_assets.storage.places import Place, Stamp, files_below, is_remote

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
#: Where a file of rows keeps the digest of them.
ROWS_DIGEST = b"rows_digest"
#: The columns that ``placement.index_of`` reads.
_DATING = pa.schema(
    [
        LANDING_ROWS.field(name)
        for name in ("post_id", "resolved_date", "date_source", "fallback_month", "fetched_at")
    ]
)
_EMPTIED = ".emptied"
#: 64 bits of the file's SHA-256 name its rows in each month.
DIGEST_IN_NAME = 16


def landing_root(lake: Place) -> Place:
    """The folder of everything that landing keeps."""
    return lake / "landing"


def rows_path(lake: Place, month: str, digest: str) -> Place:
    """Where the rows of one crawl file for one month lie."""
    return landing_root(lake) / month / f"{digest[:DIGEST_IN_NAME]}.parquet"


def landed_files(lake: Place) -> dict[str, dict[Place, Stamp]]:
    """Month -> its landed files in name order, by one look at the folder; months that hold none any more included."""
    root = landing_root(lake)
    months: dict[str, dict[Place, Stamp]] = {}
    if not is_remote(root) and root.is_dir():
        months = {folder.name: {} for folder in root.iterdir() if _MONTH.fullmatch(folder.name)}
    for path, stamp in files_below(root).items():
        if path.parent.parent == root and _MONTH.fullmatch(path.parent.name):
            files = months.setdefault(path.parent.name, {})
            if path.suffix == ".parquet" and not path.name.startswith("."):
                files[path] = stamp
    return dict(sorted(months.items()))


def landed_months(lake: Place) -> list[str]:
    """The months that hold landed rows, in order, and those that held some when ``raw_posts`` was made of them.

    Where all posts of a month have moved away, what was made of it must be made again without them.
    """
    return months_with_rows(lake, landed_files(lake))


def months_with_rows(lake: Place, files: Mapping[str, object]) -> list[str]:
    """``landed_months`` of a look at the folder that was taken already."""
    made = set(Lake(lake).months("raw_posts")) if not all(files.values()) else set()
    return [month for month, there in files.items() if there or month in made]


def month_files(lake: Place, month: str) -> list[Place]:
    """The landed files of a month, in name order."""
    return list(files_below(landing_root(lake) / month, "[!.]*.parquet"))


def remove_rows(path: Place) -> None:
    """Take the rows of one crawl file for one month away; the month stays known."""
    if is_remote(path):
        # A folder on disk outlives its last file, a prefix does not.
        write_bytes_atomic(path.parent / _EMPTIED, b"\n")
    path.unlink(missing_ok=True)


def read_rows(path: Place) -> pd.DataFrame:
    """The rows of one landed file; ``UserError`` names it if it is damaged."""
    return table_to_frame(_read(path, LANDING_ROWS))


def read_post_ids(path: Place) -> pd.Series[str]:
    """The post ids of one landed file's rows, None where a row has none; of the other columns nothing is read."""
    return _read(path, pa.schema([LANDING_ROWS.field("post_id")]))["post_id"].to_pandas()


def write_rows(path: Place, rows: pd.DataFrame) -> None:
    """Put rows at ``path`` in source order with a digest of them, or take the file away if there is none."""
    if rows.empty:
        remove_rows(path)
        return
    ordered = rows.sort_values(["source_file", "source_row"], kind="stable")
    table = frame_to_table(ordered, LANDING_ROWS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    digest = hashlib.sha256(memoryview(sink.getvalue())).hexdigest()
    write_parquet_atomic(path, table.replace_schema_metadata({ROWS_DIGEST: digest.encode()}))


def read_ledger(lake: Place) -> pd.DataFrame:
    """What was looked at so far (``LEDGER``), empty before the first landing."""
    return read_kept(lake, "ledger", LEDGER)


def write_ledger(lake: Place, ledger: pd.DataFrame) -> None:
    """Put the ledger, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "ledger.parquet", frame_to_table(ledger, LEDGER))


def read_post_index(lake: Place) -> pd.DataFrame:
    """The month of every landed post (``POST_INDEX``)."""
    return read_kept(lake, "post_index", POST_INDEX)


def write_post_index(lake: Place, index: pd.DataFrame) -> None:
    """Put the post index, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "post_index.parquet", frame_to_table(index, POST_INDEX))


def read_media_manifest(lake: Place) -> pd.DataFrame:
    """The pictures and videos of every post (``MEDIA_MANIFEST``), landed or not."""
    return read_kept(lake, "media", MEDIA_MANIFEST)


def write_media_manifest(lake: Place, manifest: pd.DataFrame) -> None:
    """Put the media manifest, all or nothing, by post and name."""
    ordered = manifest.sort_values(["post_id", "name", "source"], kind="stable")
    write_parquet_atomic(landing_root(lake) / "media.parquet", frame_to_table(ordered, MEDIA_MANIFEST))


def read_media_seen(lake: Place) -> pd.DataFrame:
    """Which media files were looked at already (``MEDIA_SEEN``)."""
    return table_to_frame(read_hidden(landing_root(lake) / "media_seen.parquet", MEDIA_SEEN))


def write_media_seen(lake: Place, seen: pd.DataFrame) -> None:
    """Put the list of media files that were looked at, all or nothing."""
    write_parquet_atomic(landing_root(lake) / "media_seen.parquet", frame_to_table(seen, MEDIA_SEEN))


def read_crawl_seen(lake: Place) -> dict[str, tuple[str, str | None]]:
    """Key of a file of ``incoming/`` -> (its stamp with its size, digest if it was read)."""
    seen = table_to_frame(read_hidden(landing_root(lake) / "crawl_seen.parquet", CRAWL_SEEN))
    stamps = (f"{n_bytes} {stamp}" for n_bytes, stamp in zip(seen["n_bytes"], seen["stamp"], strict=True))
    return dict(zip(seen["key"], zip(stamps, seen["digest"], strict=True), strict=True))


def write_crawl_seen(lake: Place, seen: Mapping[str, tuple[str, str | None]]) -> None:
    """Put the list of files of ``incoming/`` that were looked at, all or nothing."""
    rows = []
    for key, (stamped, digest) in sorted(seen.items()):
        n_bytes, _, stamp = stamped.partition(" ")
        rows.append({"key": key, "n_bytes": int(n_bytes), "stamp": stamp, "digest": digest})
    write_parquet_atomic(
        landing_root(lake) / "crawl_seen.parquet", pa.Table.from_pylist(rows, schema=CRAWL_SEEN)
    )


def move_posts(lake: Place, moves: dict[str, tuple[str, str]]) -> set[str]:
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


def dating_of_all_rows(lake: Place, without: Collection[str] = ()) -> pd.DataFrame:
    """What decides the month of every landed row, except those of the named files (16 digits of their digests).

    Those columns alone: the texts of a whole history do not fit into memory.
    """
    frames = [
        table_to_frame(_read(path, _DATING))
        for month in landed_months(lake)
        for path in month_files(lake, month)
        if path.stem not in without
    ]
    return pd.concat(frames, ignore_index=True) if frames else table_to_frame(_DATING.empty_table())


def landed_authors(lake: Place) -> set[str]:
    """The hashes of all authors in the lake; only files that are new or changed since the last call are read."""
    known = _known_authors(lake)
    now: dict[str, tuple[str, list[str]]] = {}
    for month, files in landed_files(lake).items():
        for file, stamp in files.items():
            name, stamped = f"{month}/{file.name}", f"{stamp.n_bytes} {stamp.text}"
            same = name in known and known[name][0] == stamped
            now[name] = known[name] if same else (stamped, _authors_of(file))
    if now != known:
        rows = [{"file": name, "stamp": stamp, "authors": authors} for name, (stamp, authors) in now.items()]
        write_parquet_atomic(_authors_path(lake), pa.Table.from_pylist(rows, schema=LANDED_AUTHORS))
    return {author for _, authors in now.values() for author in authors}


def _known_authors(lake: Place) -> dict[str, tuple[str, list[str]]]:
    """Landed file -> (its stamp, its authors), as the last call wrote them down."""
    kept = read_hidden(_authors_path(lake), LANDED_AUTHORS).to_pydict()
    columns = (kept[name] for name in LANDED_AUTHORS.names)
    return {file: (stamp, authors) for file, stamp, authors in zip(*columns, strict=True)}


def read_hidden(path: Place, schema: pa.Schema) -> pa.Table:
    """A table with which nothing is lost: empty if it is gone or damaged."""
    if not path.exists():
        return schema.empty_table()
    try:
        return read_parquet(path, schema.names).cast(schema)
    except (pa.ArrowException, OSError) as fault:
        if not is_damage(fault, path):
            raise
        return schema.empty_table()


def _authors_path(lake: Place) -> Place:
    # Hidden: nothing is lost with it.
    return landing_root(lake) / ".authors.parquet"


def _authors_of(path: Place) -> list[str]:
    return sorted(read_parquet(path, ["author"])["author"].drop_null().unique().to_pylist())


def _post_ids(path: Place) -> set[str]:
    return set(read_parquet(path, ["post_id"])["post_id"].drop_null().to_pylist())


def read_kept(lake: Place, name: str, schema: pa.Schema) -> pd.DataFrame:
    """One of landing's own tables, empty where it was never written; ``UserError`` names it if it is damaged."""
    path = landing_root(lake) / f"{name}.parquet"
    return table_to_frame(_read(path, schema) if path.exists() else schema.empty_table())


def _read(path: Place, schema: pa.Schema) -> pa.Table:
    try:
        return read_parquet(path, schema.names).cast(schema)
    except (pa.ArrowException, OSError) as fault:
        if not is_damage(fault, path):
            raise
        root = path.parent if path.parent.name == "landing" else path.parent.parent
        raise UserError(
            f"{path} cannot be read ({' '.join(str(fault).split())[:200]}). Restore it from a copy, or, if "
            f"all crawl files still lie in incoming/, move {root} away: they are then landed again."
        ) from None
