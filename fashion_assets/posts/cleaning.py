"""cleaned_posts and quarantined_posts: every raw post is either fit for use or refused with a reason, never
lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from fashion_assets.posts.authors import SALT_BYTES, hash_author, mask_author_ids
from fashion_assets.posts.counts import parse_counts
from fashion_assets.posts.dates import combine_date_text, resolve_post_date_with_source
from fashion_assets.posts.placement import month_of
from fashion_assets.posts.records import cell_text, rounded_id
from fashion_assets.posts.same_text import content_hash
from fashion_assets.posts.schemas import (
    CLEANED_POSTS,
    CRAWL_COLUMNS,
    QUARANTINED_POSTS,
    RAW_POSTS,
    REQUIRED_COLUMNS,
    empty_frame,
)
from fashion_assets.posts.text import clean_text, split_hashtags, split_tag_list, unique_tags
from fashion_assets.posts.times import is_empty, parse_fetch_time, quoted
from fashion_assets.storage.errors import UserError

#: Where rows of a frame that came from no file are said to come from.
NO_FILE = "frame"

_COUNT_COLUMNS = (("post_like", "likes"), ("post_collect", "collects"), ("post_comments", "comments"))
#: The platform's ids have 24 characters; several times that is a cell of another column.
_MAX_ID = 128
#: The column (None: the whole record) and the sentence.
Fault = tuple[str | None, str]
Faults = list[list[Fault]]

_TEXT_COLUMNS = ("post_title", "post_content", "post_tag", "post_location")
#: Columns whose cells show in a quarantined row's ``raw``, besides the crawl columns.
_RAW_SHOWN = ("author", *(name for name in CRAWL_COLUMNS if name != "poster_id"), "extra")


def clean_posts(frame: pd.DataFrame, *, salt: bytes | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(``CLEANED_POSTS`` rows, ``QUARANTINED_POSTS`` rows); together as many as came in, in their order.

    ``frame`` is ``RAW_POSTS``, or the bare columns of a crawl file with cells of any type. A bare frame's
    ``poster_id`` is hashed with ``salt``, without one under a salt of this call alone. Of several crawls of a
    post in a bare frame the newest fetch stays and the older are refused as such. Raises ``UserError`` if
    ``frame`` is no data frame, or if required columns are missing or there twice.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UserError(
            f"clean_posts takes a data frame with one row per post, not a {type(frame).__name__}; "
            "pandas.DataFrame makes one of a list of dictionaries."
        )
    if not frame.columns.is_unique:
        twice = ", ".join(str(name) for name in frame.columns[frame.columns.duplicated()].unique())
        raise UserError(f"The frame has {twice} more than once; keep one column of each name.")
    posts = _as_raw(frame, salt)
    if posts.empty:
        return empty_frame(CLEANED_POSTS), empty_frame(QUARANTINED_POSTS)
    faults: Faults = [[] for _ in range(len(posts))]
    _given_faults(posts, faults)
    _check_ids(posts, faults)
    _resolve_dates(posts, faults)
    for raw_column, column in _COUNT_COLUMNS:
        posts[column], wrong = parse_counts(posts[raw_column])
        _add(faults, raw_column, wrong)
    _clean_texts(posts)
    for place, (text, n_media) in enumerate(zip(posts["text"], posts["n_media"], strict=True)):
        damaged = any(column is None or column in _TEXT_COLUMNS for column, _ in faults[place])
        if not text and not n_media and not damaged:
            faults[place].append(
                ("post_content", "The post has no text and no media; there is nothing to look at.")
            )
    _check_repeats(posts, faults)
    refused = pd.Series([bool(found) for found in faults], index=posts.index)
    kept = posts[~refused].reset_index(drop=True)
    kept["content_hash"] = [content_hash(text) for text in kept["text"]]
    quarantined = posts[refused].reset_index(drop=True)
    found = [fault for fault in faults if fault]
    quarantined["column"] = [fault[0][0] for fault in found]
    quarantined["reason"] = [" ".join(sentence for _, sentence in fault) for fault in found]
    quarantined["raw"] = [
        None if _unreadable(fault) else _shown(row)
        for fault, row in zip(found, quarantined.to_dict("records"), strict=True)
    ]
    return (
        kept[CLEANED_POSTS.names] if len(kept) else empty_frame(CLEANED_POSTS),
        quarantined[QUARANTINED_POSTS.names] if len(quarantined) else empty_frame(QUARANTINED_POSTS),
    )


def _as_raw(frame: pd.DataFrame, salt: bytes | None) -> pd.DataFrame:
    """A copy of the frame with all ``RAW_POSTS`` columns, cells as text or None, authors hashed."""
    bare = "author" not in frame.columns
    needed = [name for name in REQUIRED_COLUMNS if name != "poster_id"] + (["poster_id"] if bare else [])
    missing = [name for name in CRAWL_COLUMNS if name in needed and name not in frame.columns]
    if missing:
        found = ", ".join(str(name) for name in frame.columns) or "no column at all"
        raise UserError(
            f"The frame lacks {', '.join(missing)}; it has {found}. Expected the columns of a crawl file; "
            "rename yours, and give post_fetch_time the time at which the posts were seen."
        )
    posts = frame.reset_index(drop=True).copy()
    for name in (*CRAWL_COLUMNS, "extra"):
        if name in posts.columns:
            posts[name] = [None if _nothing(cell) else cell_text(cell) for cell in posts[name]]
        else:
            posts[name] = None
    if bare:
        # An id that was rounded would make several persons one.
        posts["poster_id"] = [None if raw and rounded_id(raw) else raw for raw in posts["poster_id"]]
        secret = salt if salt is not None else secrets.token_bytes(SALT_BYTES)
        raw_ids = {raw for raw in posts["poster_id"] if raw}
        authors = {raw: hash_author(raw, secret) for raw in raw_ids}
        hashed = [authors.get(raw) if raw else None for raw in posts["poster_id"]]
        posts = mask_author_ids(posts, raw_ids, secret)
        posts["author"] = hashed
    posts = posts.drop(columns="poster_id")
    if "source_row" not in posts.columns:
        posts["source_row"] = range(1, len(posts) + 1)
    defaults: dict[str, Any] = {"source_file": NO_FILE, "n_media": 0, "fault": None, "fault_column": None}
    defaults |= {"month": None, "resolved_date": None, "date_source": None}
    for name, default in defaults.items():
        if name not in posts.columns:
            posts[name] = default
    if "fetched_at" not in posts.columns:
        fetched = [parse_fetch_time(cell) for cell in posts["post_fetch_time"]]
        posts["fetched_at"] = pd.Series(fetched, index=posts.index, dtype="datetime64[s]")
    posts["n_media"] = posts["n_media"].fillna(0).astype("int32")
    return posts[[name for name in RAW_POSTS.names if name in posts.columns]].copy()


def _nothing(cell: Any) -> bool:
    """True for None, NaN, NaT and blank text; a list (of tags) is something."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _add(faults: Faults, column: str, sentences: pd.Series) -> None:
    for place, sentence in enumerate(sentences):
        if isinstance(sentence, str) and not _unreadable(faults[place]):
            faults[place].append((column, f"{column} {sentence}"))


def _unreadable(found: list[Fault]) -> bool:
    """A record that could not be read has no cells to find more faults in."""
    return bool(found) and found[0][0] is None


def _given_faults(posts: pd.DataFrame, faults: Faults) -> None:
    for place, (column, sentence) in enumerate(zip(posts["fault_column"], posts["fault"], strict=True)):
        if isinstance(sentence, str):
            faults[place].append((column if isinstance(column, str) else None, sentence))


def _check_ids(posts: pd.DataFrame, faults: Faults) -> None:
    for place, post_id in enumerate(posts["post_id"]):
        if any(column in (None, "post_id") for column, _ in faults[place]):
            continue
        if is_empty(post_id):
            faults[place].append(
                ("post_id", "post_id is empty; without one the post cannot be told from others.")
            )
        elif (rounded := rounded_id(post_id)) is not None:
            faults[place].append(("post_id", rounded))
        elif len(post_id) > _MAX_ID or any(
            mark.isspace() or mark in "/\\" or not mark.isprintable() for mark in post_id
        ):
            faults[place].append(
                (
                    "post_id",
                    f"post_id {quoted(post_id)} is no id (blank, slash or too long); a column is shifted.",
                )
            )


def _resolve_dates(posts: pd.DataFrame, faults: Faults) -> None:
    """Fill ``post_date`` (the day), ``date_source`` and, for a bare frame, ``month``."""
    days: list[date | None] = []
    sources: list[str | None] = []
    months: list[str | None] = []
    cells = zip(
        posts["resolved_date"],
        posts["date_source"],
        posts["month"],
        posts["post_date"],
        posts["post_time"],
        posts["fetched_at"],
        posts["post_fetch_time"],
        posts["post_id"],
        strict=True,
    )
    for place, (known, source, month, shown, clock, fetched, fetch_text, post_id) in enumerate(cells):
        day: date | None = None if known is None or pd.isna(known) else known
        fetch = None if pd.isna(fetched) else fetched.to_pydatetime()
        broken_time = fetch is None and not is_empty(fetch_text)
        settled = any(column in (None, "post_date") for column, _ in faults[place])
        if broken_time and not _unreadable(faults[place]):
            faults[place].append(
                (
                    "post_fetch_time",
                    f"post_fetch_time {quoted(fetch_text)} cannot be read; expected 2024-06-25 14:06:46.",
                )
            )
        if day is None and not settled:
            day, source, fault = resolve_post_date_with_source(
                combine_date_text(shown, clock), fetch, post_id
            )
            if fault and not broken_time:
                faults[place].append(("post_date", f"post_date: {fault}"))
        dated = day or fetch
        days.append(day)
        sources.append(source if isinstance(source, str) else None)
        months.append(month if isinstance(month, str) else month_of(dated) if dated else None)
    posts["shown_date"] = posts["post_date"]
    posts["post_date"] = pd.Series(days, index=posts.index, dtype=object)
    posts["date_source"] = pd.Series(sources, index=posts.index, dtype=object)
    posts["month"] = pd.Series(months, index=posts.index, dtype=object)


def _clean_texts(posts: pd.DataFrame) -> None:
    """Fill ``title``, ``body``, ``tags``, ``text`` and ``location``."""
    cells = {name: ["" if is_empty(cell) else cell for cell in posts[name]] for name in _TEXT_COLUMNS}
    titles, bodies, tag_lists = [], [], []
    for title, content, tag_column in zip(
        cells["post_title"], cells["post_content"], cells["post_tag"], strict=True
    ):
        title_rest, title_tags = split_hashtags(title)
        listed = split_tag_list(tag_column)
        body_rest, body_tags = split_hashtags(_without_page_title(content, title, tag_column))
        titles.append(clean_text(title_rest))
        bodies.append(clean_text(body_rest))
        tag_lists.append(unique_tags([*title_tags, *body_tags, *listed]))
    posts["title"], posts["body"] = titles, bodies
    posts["tags"] = pd.Series(tag_lists, index=posts.index, dtype=object)
    # One part a line: the end of a title is the end of a phrase.
    posts["text"] = [
        "\n".join(part for part in (title, body, " ".join(tags)) if part)
        for title, body, tags in zip(titles, bodies, tag_lists, strict=True)
    ]
    posts["location"] = [clean_text(place) or None for place in cells["post_location"]]


def _without_page_title(content: str, title: str, tag_column: str) -> str:
    """The content without the page's title bar ("<title> - 小红书") that some crawlers put before it.

    Such crawlers join all cells of the page, so the tag column stands at the end once more, and "nan" for
    what was empty.
    """
    plain = title.strip().removesuffix("-").strip()
    if not plain or not content.startswith(plain):
        return content
    rest = content[len(plain) :].lstrip(" -–—|")
    if not rest.startswith("小红书"):
        return content
    rest = rest.removeprefix("小红书").strip()
    listed = tag_column.strip()
    if listed:
        rest = rest.removesuffix(listed).strip()
    while rest == "nan" or rest.endswith(" nan"):
        rest = rest.removesuffix("nan").strip()
    return rest


def _check_repeats(posts: pd.DataFrame, faults: Faults) -> None:
    """Refuse all but the newest crawl of a post (a frame from ``collect_raw_posts`` has no repeats)."""
    known = posts[posts["post_id"].notna() & posts["post_id"].duplicated(keep=False)]
    known = known[[rounded_id(post_id) is None for post_id in known["post_id"]]]
    if known.empty:
        return
    places = {label: place for place, label in enumerate(posts.index)}
    ordered = known.sort_values("fetched_at", kind="stable", na_position="first")
    newest = ordered.drop_duplicates("post_id", keep="last").set_index("post_id")["source_row"]
    older = ordered[ordered["post_id"].duplicated(keep="last")]
    for label, post_id in older["post_id"].items():
        place = places[label]
        if not _unreadable(faults[place]):
            sentence = (
                f"This is an older crawl of post {post_id}; the newest fetch is at row {newest[post_id]}."
            )
            faults[place].append(("post_id", sentence))


def _shown(row: Mapping[Any, Any]) -> str:
    """The row as it came, as JSON."""
    row = {**row, "post_date": row["shown_date"]}
    return json.dumps(
        {name: row[name] for name in _RAW_SHOWN if isinstance(row.get(name), str)}, ensure_ascii=False
    )
