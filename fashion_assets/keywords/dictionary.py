"""The general dictionary that jieba brings: how frequent a word is in general Chinese text, and its part of speech.

Belongs here: the look-up. It is knowledge of the language, not of fashion, and needs no download.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import NamedTuple

#: What an unknown word has: no frequency, and jieba's own mark for "not a word".
UNKNOWN_TAG = "x"


class DictionaryEntry(NamedTuple):
    """``frequency``: occurrences in the corpus that jieba was counted on; ``tag``: ICTCLAS part of speech."""

    frequency: int
    tag: str


UNKNOWN = DictionaryEntry(0, UNKNOWN_TAG)


@lru_cache(maxsize=1)
def load_dictionary() -> dict[str, DictionaryEntry]:
    """The entries of jieba's dict.txt (MIT licence), in lower case; read once in about half a second."""
    entries: dict[str, DictionaryEntry] = {}
    text = (resources.files("jieba") / "dict.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        word, frequency, tag = line.split(" ")
        entries[word.lower()] = DictionaryEntry(int(frequency), tag)
    return entries


@lru_cache(maxsize=1)
def total_frequency() -> int:
    """The sum of all frequencies: what a share of general text is taken of."""
    return sum(entry.frequency for entry in load_dictionary().values())
