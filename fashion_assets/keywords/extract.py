"""Posts to keywords: the `fashion_keywords` table, and the plain rows that the command line writes.

Each distinct word of all the posts given is scored once, then joined back to the posts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypedDict

import pandas as pd

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.rake import rake_many
from fashion_assets.keywords.schemas import FASHION_KEYWORDS
from fashion_assets.keywords.scorers import KeywordScorer, LexiconScorer
from fashion_assets.keywords.segmenters import Engine
from fashion_assets.keywords.tokens import content_tokens
from fashion_assets.storage.errors import UserError

#: Where a keyword may stand, in reading order; the first place counts as its source.
SOURCES = ("title", "body", "tag")

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
) -> pd.DataFrame:
    """FASHION_KEYWORDS of CLEANED_POSTS: a row per post in the same order, with empty lists where nothing is
    found.

    Keywords are the content tokens with a score of at least `scorer.threshold`, in reading order (title,
    body, tags), without repeats. The scorer is the lexicon's unless another is given.
    """
    _require(cleaned, ["post_id", "month", "title", "body", "tags"])
    judge = scorer or LexiconScorer()
    places = _content_by_place(cleaned, stopwords, engine)
    kept = _scores_that_pass([words for words, _ in places], judge)
    facet_of = {word: load_lexicon().facet(word) or "" for word in kept}
    texts = ["\n".join([*parts[:2], *parts[2]]) for parts in _parts(cleaned)]
    phrases = rake_many(texts, stopwords=stopwords, engine=engine)
    rows = []
    for post_id, month, (words, sources), best in zip(
        cleaned["post_id"], cleaned["month"], places, phrases, strict=True
    ):
        first = _first_sources(words, sources, kept)
        rows.append(
            {
                "post_id": post_id,
                "month": month,
                "keywords": list(first),
                "facets": [facet_of[word] for word in first],
                "sources": list(first.values()),
                "scores": [kept[word] for word in first],
                "phrases": best,
                "tokens": words,
            }
        )
    return pd.DataFrame(rows, columns=FASHION_KEYWORDS.names)


def keywords_by_post(
    posts: pd.DataFrame, scorer: KeywordScorer | None = None, *, engine: Engine = "rjieba"
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
    places = _content_by_place(posts, None, engine)
    kept = _scores_that_pass([words for words, _ in places], scorer or LexiconScorer())
    for post_id, (words, sources) in zip(posts["post_id"], places, strict=True):
        yield {"post_id": _text(post_id), "keywords": list(_first_sources(words, sources, kept))}


def split_tags(tags: Any) -> list[str]:
    """The tags of a cell: a list as it is, a string taken apart at #, marks and white space, null as none."""
    if isinstance(tags, str):
        return [tag for tag in _TAG_SEPARATOR.split(tags) if tag]
    if isinstance(tags, Iterable):
        return [text for text in map(_text, tags) if text]
    return []


def _parts(posts: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Title, body and tags of each post."""
    empty: list[Any] = [None] * len(posts)
    titles = posts.get("title", empty)
    bodies = posts["body"] if "body" in posts else posts.get("text", empty)
    tags = posts.get("tags", empty)
    return [(_text(t), _text(b), split_tags(g)) for t, b, g in zip(titles, bodies, tags, strict=True)]


def _content_by_place(
    posts: pd.DataFrame, stopwords: Collection[str] | None, engine: Engine
) -> list[tuple[list[str], list[str]]]:
    """Per post its content tokens in reading order and, parallel, where each stands."""
    # A tag is a text of its own, so that no word spans two tags.
    flat = [
        (row, source, text) for row, parts in enumerate(_parts(posts)) for source, text in _texts_of(parts)
    ]
    found: list[tuple[list[str], list[str]]] = [([], []) for _ in range(len(posts))]
    cut = content_tokens([text for _, _, text in flat], stopwords, engine=engine)
    for (row, source, _), words in zip(flat, cut, strict=True):
        found[row][0].extend(words)
        found[row][1].extend([source] * len(words))
    return found


def _texts_of(parts: tuple[str, str, list[str]]) -> Iterator[tuple[str, str]]:
    title, body, tags = parts
    yield SOURCES[0], title
    yield SOURCES[1], body
    for tag in tags:
        yield SOURCES[2], tag


def _scores_that_pass(documents: Sequence[Sequence[str]], scorer: KeywordScorer) -> dict[str, float]:
    """Score of each distinct word that reaches the threshold; sorted first, so that batches do not depend on
    order.
    """
    words = sorted({word for document in documents for word in document})
    scores = scorer.score(words)
    return {
        word: float(score) for word, score in zip(words, scores, strict=True) if score >= scorer.threshold
    }


def _first_sources(words: Sequence[str], sources: Sequence[str], kept: dict[str, float]) -> dict[str, str]:
    """The kept words in order, each with the place where it first stands."""
    first: dict[str, str] = {}
    for word, source in zip(words, sources, strict=True):
        if word in kept:
            first.setdefault(word, source)
    return first


def _text(value: Any) -> str:
    """The string of a cell; null in any form is ""."""
    return "" if value is None or value is pd.NA or value != value else str(value)


def _require(posts: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in posts.columns]
    if missing:
        found = ", ".join(map(str, posts.columns)) or "none"
        raise UserError(f"The posts lack the column {', '.join(missing)}; found: {found}. Add or rename it.")
