"""What the form of a word says without any corpus: its parts, their frequency and part of speech, the terms inside.

General dictionary (``keywords.dictionary``), the project's lexicon and its list of words without fashion meaning.
A word is never judged by its own entry in either list, only by other entries that it holds: what is listed is
known anyway (``known_words.py``), and a head that saw the entry would learn nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.dictionary import UNKNOWN, load_dictionary
from fashion_assets.keywords.lexicon import load_lexicon

FloatArray = npt.NDArray[np.float32]

#: First letters of jieba's (ICTCLAS) tags that are told apart: nouns, names of persons, places and organisations,
#: other names, verbs, adjectives, adverbs, numerals, times, pronouns, classifiers, idioms, set phrases, places,
#: directions, distinguishing words, states, conjunctions, prepositions, particles, Latin, unknown.
TAGS = (
    "n",
    "nr",
    "ns",
    "nt",
    "nz",
    "v",
    "vn",
    "a",
    "an",
    "d",
    "m",
    "t",
    "r",
    "q",
    "i",
    "l",
    "s",
    "f",
    "b",
    "z",
)
_MORE_TAGS = ("c", "p", "y", "o", "j", "x", "join")
#: Tags of the last part that are told apart.
LAST_TAGS = ("n", "v", "a", "m", "q", "r", "nr", "ns", "d")

_NUMBERS = ("length", "parts", "frequency", "least_frequency")
_TERMS = ("head", "head_character", "term_inside", "term_share", "background_inside", "background_share")
FEATURES = (
    *_NUMBERS,
    *(f"tag_{tag}" for tag in (*TAGS, *_MORE_TAGS)),
    *(f"last_{tag}" for tag in LAST_TAGS),
    *_TERMS,
)

#: Longer words are looked at by their first characters only: a sentence is not a word.
MAX_CHARS = 24


def form_features(words: Sequence[str], background: Collection[str]) -> FloatArray:
    """(n, len(FEATURES)) float32 of words in normal form; ``background``: words that carry no fashion meaning."""
    out = np.zeros((len(words), len(FEATURES)), dtype=np.float32)
    listed = background if isinstance(background, frozenset | set) else frozenset(background)
    for row, word in enumerate(words):
        out[row] = _features(word[:MAX_CHARS], listed)
    return out


def _features(word: str, background: Collection[str]) -> list[float]:
    dictionary, lexicon = load_dictionary(), load_lexicon()
    parts = _cut(word) or [word]
    entries = [dictionary.get(part, UNKNOWN) for part in parts]
    tag = entries[0].tag if len(parts) == 1 else "join"
    inner = {word[i:j] for i in range(len(word)) for j in range(i + 2, len(word) + 1)} - {word}
    terms = [len(part) for part in inner if part in lexicon]
    general = [len(part) for part in inner if part in background]
    head = lexicon.head(word) or ""
    return [
        float(len(word)),
        float(len(parts)),
        float(np.log1p(dictionary.get(word, UNKNOWN).frequency)),
        min(float(np.log1p(entry.frequency)) for entry in entries),
        *(float(tag == name) for name in (*TAGS, *_MORE_TAGS)),
        *(float(entries[-1].tag == name) for name in LAST_TAGS),
        float(len(head) > 1),
        float(len(head) == 1),
        float(bool(terms)),
        max(terms, default=0) / max(len(word), 1),
        float(bool(general)),
        max(general, default=0) / max(len(word), 1),
    ]


@lru_cache(maxsize=1)
def _plain_segmenter() -> Any:
    """rjieba without the project's terms: the parts must not depend on what the lexicon lists."""
    import rjieba

    return rjieba.Jieba()


def _cut(word: str) -> list[str]:
    return [part for part in _plain_segmenter().cut(word, hmm=False) if part.strip()]
