"""What a crawl says about a word without labels: how often posts use it, beside general Chinese text.

Fashion posts talk more of 裙 and 显瘦 than general text does, and no more of 已经. General text is jieba's
dictionary with its frequencies, so the contrast needs no download.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.dictionary import load_dictionary, total_frequency
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.post_words import PostWords

FloatArray = npt.NDArray[np.float32]

#: Half an occurrence for what was never seen (Jeffreys' prior of a proportion).
SMOOTHING = 0.5

#: Kept of each table, most frequent first: bounds the model's file; rarer n-grams say nothing reliable.
MAX_ENTRIES = 60_000

#: Columns of ``CorpusContrast.features``.
FEATURES = (
    "character_min",
    "character_max",
    "character_mean",
    "pair_min",
    "pair_max",
    "pair_mean",
    "word",
    "posts",
    "tag_share",
)

#: A mined word stands in at least so many posts: below, chance decides in which.
MIN_POSTS = 5
#: Of the lexicon's words in the same posts, this share is as usual in general text as a mined word may be at most:
#: the rule adapts to the crawl, and its error on known fashion words is what is stated here.
LEXICON_SHARE = 0.03
#: Share of its posts in which a mined word stands in a hashtag, at most: tags name topics, fillers stay outside.
MAX_TAG_SHARE = 0.5
#: A filler turns up all the time: in at least this share of the months in which its posts could lie.
MIN_MONTH_SHARE = 0.5


@dataclass(frozen=True)
class Occurrences:
    """How often each thing occurs, and how many occurrences there are in all (of the left-out ones too)."""

    count: Mapping[str, float]
    total: float

    def kept(self, limit: int = MAX_ENTRIES) -> Occurrences:
        """The ``limit`` most frequent, ties in order of the text."""
        ranked = sorted(self.count.items(), key=lambda entry: (-entry[1], entry[0]))
        return Occurrences(dict(ranked[:limit]), self.total)


class CorpusContrast:
    """Occurrences in posts of words, characters and character pairs, and of words inside hashtags."""

    def __init__(
        self, words: Occurrences, tagged: Occurrences, characters: Occurrences, pairs: Occurrences
    ) -> None:
        self.words, self.tagged, self.characters, self.pairs = words, tagged, characters, pairs
        self._background = _background()

    @classmethod
    def count(cls, posts: Iterable[PostWords]) -> CorpusContrast:
        """A word counts once a post, so that a post which repeats itself has one vote."""
        words: Counter[str] = Counter()
        tagged: Counter[str] = Counter()
        for post in posts:
            words.update({*post.text, *post.tags})
            tagged.update(set(post.tags))
        characters, pairs = _ngrams(words)
        return cls(
            Occurrences(words, sum(words.values())).kept(),
            Occurrences(tagged, sum(tagged.values())).kept(),
            characters.kept(),
            pairs.kept(),
        )

    def word_log_odds(self, words: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n,) log-odds of the words in posts against the dictionary's frequencies."""
        dictionary = load_dictionary()
        total = float(total_frequency())
        return np.asarray(
            [
                _log_ratio(
                    self.words.count.get(word, 0.0),
                    self.words.total,
                    dictionary[word].frequency if word in dictionary else 0.0,
                    total,
                )
                for word in words
            ]
        )

    def features(self, words: Sequence[str]) -> FloatArray:
        """(n, len(FEATURES)) float32; without any post all are zeros."""
        out = np.zeros((len(words), len(FEATURES)), dtype=np.float32)
        if not self.words.total:
            return out
        characters, pairs = self._background
        seen = self.word_log_odds(words)
        for row, word in enumerate(words):
            of_characters = _contrasts(word, self.characters, characters)
            of_pairs = _contrasts(
                [word[start : start + 2] for start in range(len(word) - 1)], self.pairs, pairs
            )
            n_posts = self.words.count.get(word, 0.0)
            out[row] = (
                *_spread(of_characters),
                *_spread(of_pairs),
                seen[row] if n_posts else 0.0,
                np.log1p(n_posts),
                self.tagged.count.get(word, 0.0) / n_posts if n_posts else 0.0,
            )
        return out

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What ``from_tensors`` needs."""
        out: dict[str, npt.NDArray[Any]] = {}
        for name in ("words", "tagged", "characters", "pairs"):
            table: Occurrences = getattr(self, name)
            out[f"{name}.text"] = np.frombuffer("\n".join(table.count).encode(), dtype=np.uint8)
            out[f"{name}.count"] = np.asarray([*table.count.values(), table.total], dtype=np.float64)
        return out

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> CorpusContrast:
        tables = []
        for name in ("words", "tagged", "characters", "pairs"):
            text = tensors[f"{name}.text"].tobytes().decode()
            counts = tensors[f"{name}.count"].tolist()
            names = text.split("\n") if text else []
            tables.append(Occurrences(dict(zip(names, counts, strict=False)), counts[-1]))
        return cls(*tables)


def _ngrams(words: Mapping[str, float]) -> tuple[Occurrences, Occurrences]:
    """Characters and character pairs of the words, each weighted by how often its word occurs."""
    characters: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count  # type: ignore[assignment]
        for start in range(len(word) - 1):
            pairs[word[start : start + 2]] += count  # type: ignore[assignment]
    return (
        Occurrences(characters, sum(characters.values())),
        Occurrences(pairs, sum(pairs.values())),
    )


@lru_cache(maxsize=1)
def _background() -> tuple[Occurrences, Occurrences]:
    """Characters and pairs of the general dictionary; counted once per process (about half a second)."""
    return _ngrams({word: entry.frequency for word, entry in load_dictionary().items()})


def _log_ratio(in_posts: float, posts: float, in_general: float, general: float) -> float:
    return float(
        np.log((in_posts + SMOOTHING) / (posts + 1)) - np.log((in_general + SMOOTHING) / (general + 1))
    )


def _contrasts(parts: Iterable[str], posts: Occurrences, general: Occurrences) -> list[float]:
    return [
        _log_ratio(posts.count.get(part, 0.0), posts.total, general.count.get(part, 0.0), general.total)
        for part in parts
    ]


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return (min(values), max(values), sum(values) / len(values)) if values else (0.0, 0.0, 0.0)


def mined_background(posts: Sequence[PostWords], contrast: CorpusContrast) -> list[str]:
    """Words of these posts that carry no fashion meaning, sorted: as usual in general text as in the posts, not
    what hashtags are about, and there in every season.

    Only words of the general dictionary, and none that the lexicon knows. The limit of the contrast is where
    ``LEXICON_SHARE`` of the lexicon's own words in the posts lie below it. Empty for too few posts.
    """
    lexicon, dictionary = load_lexicon(), load_dictionary()
    frequent = sorted(word for word, count in contrast.words.count.items() if count >= MIN_POSTS)
    odds = dict(zip(frequent, contrast.word_log_odds(frequent).tolist(), strict=True))
    of_lexicon = [odds[word] for word in frequent if word in lexicon and word in dictionary]
    if len(of_lexicon) < 1 / LEXICON_SHARE:
        return []
    limit = float(np.quantile(of_lexicon, LEXICON_SHARE))
    months = _months_of(posts)
    return [
        word
        for word in frequent
        if odds[word] <= limit
        and word in dictionary
        and lexicon.facet(word) is None
        and contrast.tagged.count.get(word, 0.0) <= MAX_TAG_SHARE * contrast.words.count[word]
        and months[word] >= MIN_MONTH_SHARE * min(contrast.words.count[word], months[""])
    ]


def _months_of(posts: Sequence[PostWords]) -> Counter[str]:
    """In how many months each word occurs; at "" how many months there are."""
    seen = {(word, post.month) for post in posts for word in (*post.text, *post.tags)}
    return Counter([word for word, _ in seen] + [""] * len({post.month for post in posts}))
