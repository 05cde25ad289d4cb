"""Posts to keywords: the `fashion_keywords` table, and the plain rows that the command line writes.

Posts come in batches, so that a month of any size passes through; each distinct word of all batches is scored
once, then joined back to the posts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypedDict

import pandas as pd

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.rake import rake_many
from fashion_assets.keywords.schemas import FASHION_KEYWORDS
from fashion_assets.keywords.scorers import KeywordScorer, LexiconScorer
from fashion_assets.keywords.segmenters import Engine
from fashion_assets.keywords.streaming import WordScores
from fashion_assets.keywords.tokens import content_tokens
from fashion_assets.storage.errors import UserError

#: Where a keyword may stand, in reading order; the first place counts as its source.
TITLE, BODY, TAG = SOURCES = ("title", "body", "tag")

#: What separates tags that come as one string: marks, white space, and the # of the next tag.
_TAG_SEPARATOR = re.compile(r"[\s,，、|;；#]+")


class PostKeywords(TypedDict):
    """One line of `fashion-assets keywords extract`."""

    post_id: str
    keywords: list[str]


def extract_keywords(
    cleaned: pd.DataFrame,
    scorer: KeywordScorer | None = None,
    *,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
) -> pd.DataFrame:
    """FASHION_KEYWORDS of CLEANED_POSTS: a row per post in the same order, with empty lists where nothing is
    found.

    Keywords are the content tokens with a score of at least `scorer.threshold`, in reading order (title,
    body, tags), without repeats; phrases are the RAKE phrases that hold one of them. The scorer is the
    lexicon's unless another is given.
    """
    scores = WordScores(scorer or LexiconScorer())
    [keywords] = extract_keywords_stream(
        [cleaned], scores, stopwords=stopwords, engine=engine, user_terms=user_terms
    )
    return keywords


def extract_keywords_stream(
    batches: Iterable[pd.DataFrame],
    scores: WordScores,
    *,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
    facet_of: Mapping[str, str] | None = None,
) -> Iterator[pd.DataFrame]:
    """`extract_keywords` of each batch, one at a time: their rows are those of all batches in one piece.

    No distinct word is scored twice, whatever batch it stands in; what `scores` has met before is not scored
    at all. When the stream ends, also by an error, the scores are saved to their store, if they have one.
    """
    # Facets of reviewed terms (`UserDictionary.terms`) come before the lexicon's.
    facets = {term: facet for term, facet in (facet_of or {}).items() if facet}
    try:
        for batch in batches:
            _require(batch, ["post_id", "month", "title", "body", "tags"])
            yield _extract_batch(batch, scores, facets, stopwords, engine, user_terms)
    finally:
        scores.save()


def _extract_batch(
    cleaned: pd.DataFrame,
    scores: WordScores,
    facets: dict[str, str],
    stopwords: Collection[str] | None,
    engine: Engine,
    user_terms: Collection[str],
) -> pd.DataFrame:
    """The rows of one batch; the facet of each keyword is looked up once and kept in `facets`."""
    parts = parts_of(cleaned)
    places = content_by_place(parts, stopwords, engine, user_terms)
    kept = scores.passing(_distinct_words(places))
    firsts = [_first_sources(place, kept) for place in places]
    for word in kept.keys() - facets.keys():
        facets[word] = load_lexicon().facet(word) or ""
    phrases = rake_many(
        ["\n".join([title, body, *tags]) for title, body, tags in parts],
        holding=[first.keys() for first in firsts],
        stopwords=stopwords,
        engine=engine,
        user_terms=user_terms,
    )
    columns = {
        "post_id": cleaned["post_id"].tolist(),
        "month": cleaned["month"].tolist(),
        "keywords": [list(first) for first in firsts],
        "facets": [[facets[word] for word in first] for first in firsts],
        "sources": [list(first.values()) for first in firsts],
        "scores": [[kept[word] for word in first] for first in firsts],
        "phrases": phrases,
        "tokens": [list(chain.from_iterable(words for _, words in place)) for place in places],
    }
    # Columns of no rows would otherwise be numbers.
    return pd.DataFrame(columns, columns=FASHION_KEYWORDS.names, dtype=None if len(cleaned) else object)


def keywords_by_post(
    posts: pd.DataFrame,
    scorer: KeywordScorer | None = None,
    *,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
) -> Iterator[PostKeywords]:
    """One `{"post_id", "keywords"}` per row of `posts`, in order; repeated and empty posts are rows like any
    other.

    `posts` needs `post_id` and at least one of `title`, `body`, `tags` or `text` (which counts as body where
    there is none); tags may be lists or one string. Else `UserError`.
    """
    _require(posts, ["post_id"])
    if not {"title", "body", "tags", "text"} & set(posts.columns):
        found = ", ".join(map(str, posts.columns))
        raise UserError(
            f"The posts have the columns {found}; keywords need title, body, tags or text. Rename one."
        )
    places = content_by_place(parts_of(posts), None, engine, user_terms)
    kept = WordScores(scorer or LexiconScorer()).passing(_distinct_words(places))
    for post_id, place in zip(posts["post_id"], places, strict=True):
        yield {"post_id": _text(post_id), "keywords": list(_first_sources(place, kept))}


def split_tags(tags: Any) -> list[str]:
    """The tags of a cell: a list as it is, a string taken apart at #, marks and white space, null as none."""
    if isinstance(tags, str):
        return [tag for tag in _TAG_SEPARATOR.split(tags) if tag]
    if isinstance(tags, Iterable):
        return [text for text in map(_text, tags) if text]
    return []


def parts_of(posts: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Title, body and tags of each post."""
    empty: list[Any] = [None] * len(posts)
    titles = posts.get("title", empty)
    bodies = posts["body"] if "body" in posts else posts.get("text", empty)
    tags = posts.get("tags", empty)
    return [(_text(t), _text(b), split_tags(g)) for t, b, g in zip(titles, bodies, tags, strict=True)]


def content_by_place(
    parts: Sequence[tuple[str, str, list[str]]],
    stopwords: Collection[str] | None,
    engine: Engine,
    user_terms: Collection[str],
) -> list[list[tuple[str, list[str]]]]:
    """Per post its texts in reading order: where each stands, and its content tokens (shared: not to be
    changed).
    """
    # A tag is a text of its own, so that no word spans two tags. Tags repeat from post to post: each
    # distinct text is cut once.
    texts = dict.fromkeys(text for part in parts for _, text in _texts_of(part))
    cut = content_tokens(texts, stopwords, engine=engine, user_terms=user_terms)
    words_of = dict(zip(texts, cut, strict=True))
    return [[(source, words_of[text]) for source, text in _texts_of(part)] for part in parts]


def _texts_of(part: tuple[str, str, list[str]]) -> list[tuple[str, str]]:
    title, body, tags = part
    return [(TITLE, title), (BODY, body), *((TAG, tag) for tag in tags)]


def _distinct_words(places: Iterable[Iterable[tuple[str, list[str]]]]) -> set[str]:
    return set(chain.from_iterable(words for place in places for _, words in place))


def _first_sources(place: Iterable[tuple[str, list[str]]], kept: Collection[str]) -> dict[str, str]:
    """The kept words of a post in order, each with the place where it first stands."""
    first: dict[str, str] = {}
    for source, words in place:
        for word in words:
            if word in kept and word not in first:
                first[word] = source
    return first


def _text(value: Any) -> str:
    """The string of a cell; null in any form is ""."""
    return "" if value is None or value is pd.NA or value != value else str(value)


def _require(posts: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in posts.columns]
    if missing:
        found = ", ".join(map(str, posts.columns)) or "none"
        raise UserError(f"The posts lack the column {', '.join(missing)}; found: {found}. Add or rename it.")
