"""raw_posts: one row per post of a month, the newest crawl of it, with the older ones as lineage."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from fashion_assets.posts.landed import (
    DIGEST_IN_NAME,
    month_files,
    read_ledger,
    read_media_manifest,
    read_post_ids,
    read_post_index,
    read_rows,
)
from fashion_assets.posts.schemas import RAW_POSTS, empty_frame
from fashion_assets.storage.places import Place


def collect_raw_posts(lake: Place, month: str) -> pd.DataFrame:
    """The posts of a month (``RAW_POSTS``): the newest fetch wins, ties go to the later file name, then to the
    file that landed later (one that was mended and delivered again under its name), then to the later row.

    A row without post id (a broken line, or an empty id) is a row of its own. ``resolved_date`` is the one
    that placed the post, which an earlier crawl may have decided; a date that is a fault of the newest crawl
    stays one. Empty months give an empty frame.
    """
    rows = _landed_rows(lake, month)
    if rows is None:
        return empty_frame(RAW_POSTS)
    newest, older = _newest_first(rows)
    lineage: dict[str, list[str]] = {}
    for row in older.itertuples():
        fetched = row.post_fetch_time if isinstance(row.post_fetch_time, str) else "unknown time"
        lineage.setdefault(str(row.post_id), []).append(f"{row.source_file}:{row.source_row}@{fetched}")
    posts = newest.copy()
    posts["lineage"] = [
        lineage.get(post_id, []) if isinstance(post_id, str) else [] for post_id in posts["post_id"]
    ]
    posts["superseded"] = posts["lineage"].map(len).astype("int32")
    manifest = read_media_manifest(lake)
    media = manifest.loc[manifest["reason"].isna(), "post_id"].value_counts()
    posts["n_media"] = posts["post_id"].map(media).fillna(0).astype("int32")
    posts["month"] = month
    _date_by_index(posts, lake)
    ordered = posts.sort_values(["source_file", "source_row"], kind="stable").reset_index(drop=True)
    shaped: pd.DataFrame = ordered[RAW_POSTS.names]
    return shaped


def arrival_counts(lake: Place, month: str) -> dict[str, int]:
    """``rows`` that arrived for a month, ``posts`` that they are, and ``superseded`` ones: rows = posts +
    superseded.
    """
    ids = [read_post_ids(path) for path in month_files(lake, month)]
    rows = sum(len(column) for column in ids)
    named = pd.concat([column.dropna() for column in ids]) if ids else pd.Series(dtype=object)
    superseded = len(named) - named.nunique()
    return {"rows": rows, "superseded": superseded, "posts": rows - superseded}


def counts_of(raw_posts: pa.Table) -> dict[str, int]:
    """The same of a table of ``raw_posts``: what it was made of. ``superseded`` is the only column that is needed."""
    posts = raw_posts.num_rows
    superseded = sum(raw_posts["superseded"].to_pylist())
    return {"rows": posts + superseded, "superseded": superseded, "posts": posts}


def _landed_rows(lake: Place, month: str) -> pd.DataFrame | None:
    # The ledger has a line per landed file, the newest last. Rows without one (it was lost, or the landing was killed
    # and the file is gone) are taken for older: what still lies in incoming/ has landed again since.
    order = {digest[:DIGEST_IN_NAME]: place for place, digest in enumerate(read_ledger(lake)["digest"])}
    frames = [read_rows(path).assign(landed=order.get(path.stem, -1)) for path in month_files(lake, month)]
    return pd.concat(frames, ignore_index=True) if frames else None


def _newest_first(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(the newest row of every post and all rows without post id, the older rows, oldest first)."""
    ordered = rows.sort_values(
        ["fetched_at", "source_file", "landed", "source_row"],
        kind="stable",
        na_position="first",
        ignore_index=True,
    )
    older = ordered["post_id"].notna() & ordered["post_id"].duplicated(keep="last")
    return ordered[~older], ordered[older]


def _date_by_index(posts: pd.DataFrame, lake: Place) -> None:
    """Give dated posts, and those with an empty date, the date that placed them."""
    index = read_post_index(lake).set_index("post_id")
    known = posts["post_id"].map(index["resolved_date"])
    sources = posts["post_id"].map(index["date_source"])
    empty = posts["post_date"].isna() & posts["post_time"].isna() & posts["fault"].isna()
    take = known.notna() & (posts["resolved_date"].notna() | empty)
    posts["resolved_date"] = [
        a if t else b for a, b, t in zip(known, posts["resolved_date"], take, strict=True)
    ]
    posts["date_source"] = [
        a if t else b for a, b, t in zip(sources, posts["date_source"], take, strict=True)
    ]
