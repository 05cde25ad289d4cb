"""Keywords straight from a crawl file, without landing it: what ``fashion-assets keywords extract`` does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from fashion_assets.keywords.extract import PostKeywords, keywords_by_post
from fashion_assets.keywords.scorers import KeywordScorer
from fashion_assets.keywords.segmenters import Engine
from fashion_assets.posts.crawl_files import read_crawl_file
from fashion_assets.posts.mapping import ColumnMapping, load_mappings, mapping_for
from fashion_assets.posts.text import clean_text, split_hashtags, split_tag_list, unique_tags
from fashion_assets.storage.errors import UserError

#: Needed to land a post, not to read its words.
_NOT_NEEDED = ("poster_id", "post_date", "post_fetch_time")


def keywords_of_crawl_file(
    path: Path,
    scorer: KeywordScorer | None = None,
    *,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
    on_note: Callable[[str], object] = lambda note: None,
) -> Iterator[PostKeywords]:
    """One ``{"post_id", "keywords"}`` per readable row of a crawl file, in order; text is cleaned as for landing.

    The scorer is the lexicon's unless another is given; ``user_terms`` stay whole where they stand in a text.
    A ``columns.yaml`` in the file's folder, or ``<file>.columns.yaml``, names its columns if they are called
    otherwise. ``on_note`` gets a sentence for each thing that is left out: members of an archive, rows that cannot be
    read. Raises UserError if the file as a whole cannot be read, or a row of it has no post id.
    """
    rule = mapping_for(path, path.parent, load_mappings(path.parent)) or ColumnMapping()
    read = read_crawl_file(path, replace(rule, absent=(*rule.absent, *_NOT_NEEDED)))
    if read.refused:
        raise UserError(read.refused)
    for note in (*read.refused_members.values(), *read.notes):
        on_note(note)
    faulty = read.frame["fault"].notna()
    for row in read.frame[faulty].itertuples():
        on_note(f"{path}:{row.source_row}: {row.fault}")
    rows = read.frame[~faulty]
    nameless = rows[rows["post_id"].isna()]
    if len(nameless):
        raise UserError(
            f"{path}:{nameless['source_row'].iloc[0]}: the column post_id is empty; every post needs one"
        )
    posts = pd.DataFrame([_readable(row) for row in rows.itertuples()])
    yield from keywords_by_post(posts, scorer, engine=engine, user_terms=user_terms)


def _readable(row: tuple[object, ...]) -> dict[str, object]:
    title, title_tags = split_hashtags(_text(row.post_title))  # type: ignore[attr-defined]
    body, body_tags = split_hashtags(_text(row.post_content))  # type: ignore[attr-defined]
    tags = [*title_tags, *body_tags, *split_tag_list(_text(row.post_tag))]  # type: ignore[attr-defined]
    return {
        "post_id": row.post_id,  # type: ignore[attr-defined]
        "title": clean_text(title),
        "body": clean_text(body),
        "tags": unique_tags(tags),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
