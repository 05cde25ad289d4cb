"""Made months of fashion_keywords and cleaned_posts for the trend tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from fashion_assets.keywords.schemas import FASHION_KEYWORDS
from fashion_assets.posts.schemas import CLEANED_POSTS
from fashion_assets.storage.lake import Lake
from fashion_assets.trends.keyword_counts import (
    KEYWORD_COLUMNS,
    KeywordCounter,
    KeywordCounts,
)


@dataclass(frozen=True)
class Post:
    """A post of ``month`` whose keywords are (word, facet); without a ``text`` it has one of its own.

    ``day`` and ``crawled`` are the dates of post and crawl, unknown if not given; ``style`` is for `stored_styles`.
    """

    month: str
    words: Sequence[tuple[str | None, str]] = ()
    likes: int | None = None
    collects: int | None = None
    text: str | None = None
    day: date | None = None
    crawled: datetime | None = None
    style: int = -1


def tables(posts: Iterable[Post], month: str) -> tuple[pa.Table, pa.Table]:
    """(fashion_keywords, cleaned_posts) of one month, the columns that count; the second in reverse order."""
    rows = [(f"p{number}", post) for number, post in enumerate(posts) if post.month == month]
    keywords = {
        "post_id": [name for name, _ in rows],
        "keywords": [[word for word, _ in post.words] for _, post in rows],
        "facets": [[facet for _, facet in post.words] for _, post in rows],
    }
    cleaned = {
        "post_id": [name for name, _ in rows],
        "content_hash": [name if post.text is None else post.text for name, post in rows],
        "likes": [post.likes for _, post in rows],
        "collects": [post.collects for _, post in rows],
        "post_date": [post.day for _, post in rows],
        "fetched_at": [post.crawled for _, post in rows],
    }
    return (
        pa.table(keywords, schema=pa.schema([FASHION_KEYWORDS.field(name) for name in KEYWORD_COLUMNS])),
        pa.table(cleaned, schema=pa.schema([CLEANED_POSTS.field(name) for name in cleaned])).take(
            list(range(len(rows)))[::-1]
        ),
    )


def counted(
    posts: Sequence[Post], months: Sequence[str], min_posts: int = 1, batch_rows: int = 7
) -> KeywordCounts:
    """The counts of the posts, read in batches of ``batch_rows``; months without a post are not read at all."""
    counter = KeywordCounter(months)
    for month in sorted({post.month for post in posts}):
        keywords, cleaned = tables(posts, month)
        counter.add_month(
            month, keywords.to_batches(max_chunksize=batch_rows), cleaned.to_batches(max_chunksize=batch_rows)
        )
    return counter.counts(min_posts)


def stored(posts: Sequence[Post], root: Path) -> Lake:
    """A lake with the two assets in every month of the posts."""
    lake = Lake(root)
    for month in sorted({post.month for post in posts}):
        for asset, table in zip(("fashion_keywords", "cleaned_posts"), tables(posts, month), strict=True):
            lake.write(asset, month, table)
    return lake


def stored_styles(posts: Sequence[Post], root: Path) -> Lake:
    """What `stored` writes, and style_clusters and style_profiles of the posts with a style, in every month."""
    lake = stored(posts, root)
    for month in sorted({post.month for post in posts}):
        rows = [(f"p{number}", post.style) for number, post in enumerate(posts) if post.month == month]
        clusters = {
            "post_id": [name for name, _ in rows],
            "style_id": pa.array([s for _, s in rows], pa.int32()),
        }
        lake.write("style_clusters", month, pa.table(clusters))
        sizes = Counter(style for _, style in rows if style >= 0)
        profiles = {
            "month": [month] * len(sizes),
            "style_id": pa.array(sizes.keys(), pa.int32()),
            "name": [f"风格{style}" for style in sizes],
            "n_posts": pa.array(sizes.values(), pa.int32()),
            "share": [count / sizes.total() for count in sizes.values()],
        }
        lake.write("style_profiles", month, pa.table(profiles))
    return lake
