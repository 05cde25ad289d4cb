"""The schemas of the posts tables: one pyarrow schema each, for assets, checks, documents and tests alike."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

#: The columns of a crawl file, in the platform crawlers' own order.
CRAWL_COLUMNS = (
    "poster_id",
    "post_id",
    "post_title",
    "post_location",
    "post_date",
    "post_time",
    "post_content",
    "post_tag",
    "post_comments",
    "post_like",
    "post_collect",
    "post_fetch_time",
)

#: Without one of these a row cannot be told from another, dated or read.
REQUIRED_COLUMNS = ("poster_id", "post_id", "post_title", "post_date", "post_content", "post_fetch_time")

_AS_IT_CAME = [(name, pa.string()) for name in CRAWL_COLUMNS if name not in ("poster_id", "post_id")]

#: One row per crawled row, in ``lake/landing/<month>/<digest>.parquet``.
LANDING_ROWS = pa.schema(
    [
        ("post_id", pa.string()),
        ("month", pa.string()),
        ("author", pa.string()),
        *_AS_IT_CAME,
        ("extra", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("fetched_at", pa.timestamp("s")),
        ("resolved_date", pa.date32()),
        ("date_source", pa.string()),
        ("fault_column", pa.string()),
        ("fault", pa.string()),
        # Where the row goes if nothing dates its post; kept so that placement can be worked out again.
        ("fallback_month", pa.string()),
    ]
)

#: One row per post: the newest crawl of it.
RAW_POSTS = pa.schema(
    [
        *[field for field in LANDING_ROWS if field.name not in ("fault_column", "fault", "fallback_month")],
        ("n_media", pa.int32()),
        ("superseded", pa.int32()),
        ("lineage", pa.list_(pa.string())),
        ("fault_column", pa.string()),
        ("fault", pa.string()),
    ]
)

CLEANED_POSTS = pa.schema(
    [
        ("post_id", pa.string()),
        ("month", pa.string()),
        ("author", pa.string()),
        ("post_date", pa.date32()),
        ("date_source", pa.string()),
        ("fetched_at", pa.timestamp("s")),
        ("location", pa.string()),
        ("title", pa.string()),
        ("body", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("text", pa.string()),
        ("likes", pa.int64()),
        ("collects", pa.int64()),
        ("comments", pa.int64()),
        ("n_media", pa.int32()),
        ("content_hash", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
    ]
)

QUARANTINED_POSTS = pa.schema(
    [
        ("month", pa.string()),
        ("post_id", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)

#: What was looked at in ``incoming/``, by the digest of its bytes.
LEDGER = pa.schema(
    [
        ("file", pa.string()),
        ("digest", pa.string()),
        ("n_bytes", pa.int64()),
        ("rows", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("notes", pa.list_(pa.string())),
        ("landed_at", pa.timestamp("s")),
        # Digest of the mapping that it was read with: another mapping means landing it again. With ``@2019-01`` behind
        # it an earlier first month does too, as rows were refused for lying before that one.
        ("mapping", pa.string()),
    ]
)

#: Which month each post lies in, and the crawl that decided it.
POST_INDEX = pa.schema(
    [
        ("post_id", pa.string()),
        ("month", pa.string()),
        ("resolved_date", pa.date32()),
        ("date_source", pa.string()),
        ("fetched_at", pa.timestamp("s")),
    ]
)

#: Pictures and videos by post; ``path`` is relative to ``lake/media`` and null where ``reason`` says why not.
MEDIA_MANIFEST = pa.schema(
    [
        ("post_id", pa.string()),
        ("name", pa.string()),
        ("path", pa.string()),
        ("digest", pa.string()),
        ("n_bytes", pa.int64()),
        ("reason", pa.string()),
        ("source", pa.string()),
    ]
)

#: Which media files (``member`` of an archive, or the file itself) were looked at already, with a cheap
#: stamp.
MEDIA_SEEN = pa.schema(
    [
        # Keyed hash of the path in incoming/ and in the archive: paths may name an author.
        ("key", pa.string()),
        ("n_bytes", pa.int64()),
        ("stamp", pa.string()),
        ("post_id", pa.string()),
        ("name", pa.string()),
    ]
)

#: Files of ``incoming/`` at the last look: what has not changed is not read again, and what has is not read yet.
CRAWL_SEEN = pa.schema(
    [
        # Keyed hash of the path in incoming/, as in MEDIA_SEEN.
        ("key", pa.string()),
        ("n_bytes", pa.int64()),
        ("stamp", pa.string()),
        # SHA-256 of the bytes; null for a file that was only looked at.
        ("digest", pa.string()),
    ]
)

#: The digest of each month's landed rows and media, and of which files (name and size) it was made.
MONTH_DIGESTS = pa.schema([("month", pa.string()), ("files", pa.list_(pa.string())), ("digest", pa.string())])

#: The digest of the rows of each landed file ("<month>/<name>") as it was when it had this stamp.
ROW_DIGESTS = pa.schema([("file", pa.string()), ("stamp", pa.string()), ("digest", pa.string())])

#: The authors of each landed file ("<month>/<name>") as it was when it had this stamp.
LANDED_AUTHORS = pa.schema(
    [("file", pa.string()), ("stamp", pa.string()), ("authors", pa.list_(pa.string()))]
)


#: Whole numbers that may be unknown; all other integer columns are never null.
_NULLABLE_COUNTS = frozenset({"likes", "collects", "comments"})


def frame_to_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame's columns as a table of exactly this schema; raises pyarrow's error where a value does not
    fit.
    """
    columns = []
    for field in schema:
        values = frame[field.name]
        if pa.types.is_date32(field.type):
            values = [None if pd.isna(day) else day for day in values]
        columns.append(pa.array(values, type=field.type, from_pandas=True))
    return pa.Table.from_arrays(columns, schema=schema)


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a frame: strings, lists and dates as objects with None, counts as Int64, times as
    datetime64[s].
    """
    frame: pd.DataFrame = table.to_pandas(date_as_object=True)
    for field in table.schema:
        if pa.types.is_list(field.type):
            lists = [None if values is None else list(values) for values in frame[field.name]]
            frame[field.name] = pd.Series(lists, index=frame.index, dtype=object)
        elif field.name in _NULLABLE_COUNTS:
            frame[field.name] = pd.array(table[field.name].to_pylist(), dtype="Int64")
    return frame


def empty_frame(schema: pa.Schema) -> pd.DataFrame:
    """A frame of the schema's columns and no row."""
    return table_to_frame(schema.empty_table())
