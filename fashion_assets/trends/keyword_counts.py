"""Posts and engagement per keyword and month, counted from the lake batch by batch.

Belongs here: going once through ``fashion_keywords`` and ``cleaned_posts``, a month at a time, and what is kept of
them. Does not: any figure that is worked out from the counts (``series``, ``log_odds``, ``keyword_bursts``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.posts.same_text import EMPTY_TEXT
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.styles.engagement import ENGAGEMENTS, winsor_limit
from fashion_assets.trends.time_axis import checked_months

# A keyword in fewer posts over all months has no curve worth a row; its interval would span everything.
MIN_KEYWORD_POSTS = 20

#: What is read of each asset.
KEYWORD_COLUMNS = ["post_id", "keywords", "facets"]
POST_COLUMNS = ["post_id", "content_hash", *ENGAGEMENTS]

_WORD_BITS = 32

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class KeywordCounts:
    """Keywords (w,) sorted, their facets (w,), and per keyword and month (w, m) what is known of them.

    ``posts`` name the keyword; ``likes`` and ``collects`` are the winsorised means over those posts with a known
    count, NaN where there is none. ``month_posts`` (m,) are all posts; ``month_mentions`` (m,) the posts of every
    keyword added up, also of those too rare to be kept here.
    """

    months: list[str]
    keywords: npt.NDArray[np.object_]
    facets: npt.NDArray[np.object_]
    posts: IntArray
    likes: FloatArray
    collects: FloatArray
    month_posts: IntArray
    month_mentions: IntArray


@dataclass(frozen=True)
class _Month:
    """One month's figures, only of the words that occur in it."""

    words: IntArray
    posts: IntArray
    engagement: dict[str, FloatArray]
    n_posts: int


def count_keywords(lake: Lake, months: Sequence[str], min_posts: int = MIN_KEYWORD_POSTS) -> KeywordCounts:
    """Counts of the keywords in at least ``min_posts`` posts over these months of ``lake``.

    Only one month is held at a time, and of it a few hundred bytes a post. Raises MissingMonthsError naming a month
    of fashion_keywords or cleaned_posts that is not in the lake, UserError as ``KeywordCounter.add_month``.
    """
    counter = KeywordCounter(months)
    for month in counter.months:
        words = lake.batches("fashion_keywords", month, columns=KEYWORD_COLUMNS)
        counter.add_month(month, words, lake.batches("cleaned_posts", month, columns=POST_COLUMNS))
    return counter.counts(min_posts)


class KeywordCounter:
    """Adds up months one after the other; ``counts`` gives the table of what was added."""

    def __init__(self, months: Sequence[str]) -> None:
        self.months = checked_months(months)
        self._words: dict[str, int] = {}
        self._facets: Counter[tuple[int, str]] = Counter()
        self._added: dict[str, _Month] = {}

    def add_month(
        self, month: str, keywords: Iterable[pa.RecordBatch], posts: Iterable[pa.RecordBatch]
    ) -> None:
        """Count one month from batches of ``KEYWORD_COLUMNS`` and ``POST_COLUMNS``.

        A word counts once per post, and posts of the same text (content_hash) count as one post with the highest
        of their likes and collects: a text that is posted again says nothing new. Posts without any text are
        told apart. Raises UserError naming the first post of the keywords that is not among the posts.
        """
        table = _posts_of(posts)
        index = pd.Index(table["post_id"])
        text = table["text"].to_numpy(dtype=np.int64)
        seen = np.zeros(int(text.max()) + 1 if len(text) else 0, dtype=bool)
        pairs = [np.empty(0, dtype=np.int64)]
        for batch in keywords:
            place = index.get_indexer(pd.Index(batch["post_id"].to_pylist(), dtype=object))
            if (place < 0).any():
                raise UserError(
                    f"fashion_keywords of {month} names the post {batch['post_id'][int(np.argmin(place))]}, which "
                    "cleaned_posts of that month does not hold; make the keywords again "
                    f"(fashion-assets run --months {month} --select fashion_keywords)"
                )
            named = text[place]
            seen[named] = True
            pairs.append(self._pairs(batch, named))
        distinct = _sorted_distinct(np.concatenate(pairs))
        self._added[month] = _month_figures(
            distinct >> _WORD_BITS, distinct & ((1 << _WORD_BITS) - 1), table, seen, len(self._words)
        )

    def _pairs(self, batch: pa.RecordBatch, named: IntArray) -> IntArray:
        """Each (text, word) of the batch as one number, without repeats; its facets are counted beside."""
        words = pc.list_flatten(batch["keywords"])
        parents = pc.list_parent_indices(batch["keywords"]).to_numpy(zero_copy_only=False)
        codes = _dictionary_codes(words, [self._code(word) for word in _distinct(words)])
        facets = pc.list_flatten(batch["facets"])
        names = _distinct(facets)
        facet_codes = _dictionary_codes(facets, list(range(len(names))))
        known = (codes >= 0) & (facet_codes >= 0)
        both, times = np.unique(codes[known] * len(names) + facet_codes[known], return_counts=True)
        for pair, count in zip(both.tolist(), times.tolist(), strict=True):
            word, facet = divmod(pair, len(names))
            if names[facet]:
                self._facets[word, names[facet]] += count
        return _sorted_distinct((named[parents[codes >= 0]] << _WORD_BITS) | codes[codes >= 0])

    def _code(self, word: str) -> int:
        return self._words.setdefault(word, len(self._words))

    def counts(self, min_posts: int = MIN_KEYWORD_POSTS) -> KeywordCounts:
        """The keywords in at least ``min_posts`` posts over all months; a month that was not added is empty."""
        total = np.zeros(len(self._words), dtype=np.int64)
        for part in self._added.values():
            total[part.words] += part.posts
        names = np.array(list(self._words), dtype=object)
        kept = np.flatnonzero((total >= min_posts) & (total > 0))
        kept = kept[np.argsort(names[kept], kind="stable")]
        row_of = np.full(len(names), -1, dtype=np.int64)
        row_of[kept] = np.arange(len(kept))
        shape = (len(kept), len(self.months))
        posts = np.zeros(shape, dtype=np.int64)
        engagement = {name: np.full(shape, np.nan) for name in ENGAGEMENTS}
        month_posts, month_mentions = np.zeros((2, len(self.months)), dtype=np.int64)
        for column, month in enumerate(self.months):
            if month not in self._added:
                continue
            part = self._added[month]
            rows = row_of[part.words]
            posts[rows[rows >= 0], column] = part.posts[rows >= 0]
            for name in ENGAGEMENTS:
                engagement[name][rows[rows >= 0], column] = part.engagement[name][rows >= 0]
            month_posts[column], month_mentions[column] = part.n_posts, part.posts.sum()
        facets = np.full(len(kept), "", dtype=object)
        # The last one stays: the most frequent facet of a word, of equally frequent ones the first by name.
        by_name = sorted(self._facets.items(), key=lambda item: item[0][1], reverse=True)
        for (word, facet), _ in sorted(by_name, key=lambda item: item[1]):
            if row_of[word] >= 0:
                facets[row_of[word]] = facet
        return KeywordCounts(
            months=self.months,
            keywords=names[kept],
            facets=facets,
            posts=posts,
            likes=engagement["likes"],
            collects=engagement["collects"],
            month_posts=month_posts,
            month_mentions=month_mentions,
        )


def _posts_of(batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
    """post_id, text (the number of its text, equal for equal texts), likes, collects; each post once."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    if not tables:
        return pd.DataFrame(columns=["post_id", "text", *ENGAGEMENTS])
    table = pa.concat_tables(tables)
    hashes = table["content_hash"].to_pandas()
    own = hashes.isna().to_numpy() | (hashes == EMPTY_TEXT).to_numpy()
    text = pd.factorize(hashes)[0].astype(np.int64)
    text[own] = len(text) + np.arange(own.sum())
    frame = pd.DataFrame(
        {
            "post_id": table["post_id"].to_pandas().astype(object),
            "text": pd.factorize(text)[0],
            **{name: table[name].to_pandas().astype(np.float64) for name in ENGAGEMENTS},
        }
    )
    return frame.drop_duplicates("post_id", ignore_index=True)


def _month_figures(
    texts: IntArray, words: IntArray, table: pd.DataFrame, seen: npt.NDArray[np.bool_], n_words: int
) -> _Month:
    """Figures of one month from its distinct (text, word) pairs; ``seen`` marks the texts that were read."""
    posts = np.bincount(words, minlength=n_words)
    found = np.flatnonzero(posts)
    engagement = {}
    for name in ENGAGEMENTS:
        values = np.full(len(seen), np.nan)
        np.fmax.at(values, table["text"].to_numpy(dtype=np.int64), table[name].to_numpy(dtype=np.float64))
        values = np.minimum(values, winsor_limit(values[seen]))
        of_pair = values[texts]
        told = ~np.isnan(of_pair)
        total = np.bincount(words[told], weights=of_pair[told], minlength=n_words)[found]
        number = np.bincount(words[told], minlength=n_words)[found]
        engagement[name] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return _Month(found, posts[found].astype(np.int64), engagement, int(seen.sum()))


def _sorted_distinct(numbers: IntArray) -> IntArray:
    """The different ones of numbers from 0 up, sorted: ``np.unique`` hashes, which takes three times as long."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _distinct(values: pa.Array) -> list[str]:
    return [value for value in pc.unique(values).to_pylist() if value is not None]


def _dictionary_codes(values: pa.Array, codes: list[int]) -> IntArray:
    """For each value the code of its place among ``_distinct(values)``; -1 where it is null."""
    place = pc.dictionary_encode(values).indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.append(np.array(codes, dtype=np.int64), -1)[place]
