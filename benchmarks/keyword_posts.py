"""Posts for the keyword benchmarks: real or made ones, and as many variations of them as are asked for.

Belongs here: what `keyword_memory.py` and `keyword_extraction.py` share. It prints nothing.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fashion_assets.posts.text import clean_text, split_hashtags, split_tag_list, unique_tags

MADE_POSTS = 2_000
_SENTENCE_END = re.compile(r"(?<=[。！!？?\n])")
_NUMBER = re.compile(r"\d+")


class Post(NamedTuple):
    title: str
    body: str
    tags: list[str]


def base_posts(path: Path | None, seed: int) -> list[Post]:
    """The posts of a crawl CSV, cleaned as for landing; without a path, 2,000 posts of the sample's writer."""
    if path is None:
        return [_cleaned(title, body, "") for title, body in _made(seed)]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    read = [[_first(row, key, f"post_{other}") for key, other in _COLUMNS] for row in rows]
    return [_cleaned(*values) for values in read]


_COLUMNS = (("title", "title"), ("text", "content"), ("tags", "tag"))


def _first(row: dict[str, str], *names: str) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _made(seed: int) -> Iterator[tuple[str, str]]:
    from fashion_assets.sample.post_text import write_post
    from fashion_assets.sample.styles import STYLES

    draw = random.Random(seed)
    for _ in range(MADE_POSTS):
        text = write_post(draw.choice(STYLES), draw.randint(1, 12), draw)
        yield text.title, text.body


def _cleaned(title: str, body: str, tags: str) -> Post:
    title, title_tags = split_hashtags(title)
    body, body_tags = split_hashtags(body)
    tags_of = unique_tags([*title_tags, *body_tags, *split_tag_list(tags)])
    return Post(clean_text(title), clean_text(body), tags_of)


def varied(base: Sequence[Post], n: int, seed: int, *, new_word_share: float = 0.0) -> Iterator[Post]:
    """`n` posts: those given in turn with sentences swapped, tags shuffled and numbers changed.

    `new_word_share` of them name a made-up Latin word that no other post has, as nicknames and misspellings
    do: without them a million variations hold no more words than the posts that they come from.
    """
    draw = random.Random(seed)
    for at in range(n):
        title, body, tags = base[at % len(base)]
        sentences = _SENTENCE_END.split(body)
        draw.shuffle(sentences)
        body = _NUMBER.sub(lambda _: str(draw.randint(1, 999)), "".join(sentences))
        if draw.random() < new_word_share:
            body += " " + "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        yield Post(title, body, draw.sample(tags, len(tags)))


def post_frame(posts: Sequence[Post], first_id: int = 0, month: str = "2024-01") -> pd.DataFrame:
    """The posts in the columns of CLEANED_POSTS that keywords are made from."""
    titles, bodies, tags = zip(*posts, strict=True) if posts else ((), (), ())
    ids = [f"{first_id + at:08d}" for at in range(len(posts))]
    return pd.DataFrame({"post_id": ids, "month": month, "title": titles, "body": bodies, "tags": tags})
