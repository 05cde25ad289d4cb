"""The one normal form of a word, so that 裙襬, ＯＯＴＤ and ootd are looked up and counted as one."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Protocol, cast

#: Zero-width and direction marks that phones and web pages leave inside words; they are never part of a word.
INVISIBLE = dict.fromkeys(
    [0x00AD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF]
)

#: Words kept in the cache. A month of posts has some 50,000 distinct words.
CACHED_WORDS = 131_072

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_SPACES = re.compile(r"\s+")


class _Converter(Protocol):
    def convert(self, string: str) -> str: ...


_converter_lock = threading.Lock()


@lru_cache(maxsize=1)
def _converter() -> _Converter:
    from opencc import OpenCC

    return cast(_Converter, OpenCC("t2s"))


@lru_cache(maxsize=CACHED_WORDS)
def normalise_word(word: str) -> str:
    """The word in NFKC, simplified Chinese (OpenCC t2s), lower case, trimmed, one space between its parts.

    Normalising twice changes nothing. A word of invisible characters or white space gives "".
    """
    if word.isascii():  # most Latin words: nothing but case and space can differ
        return _SPACES.sub(" ", word).strip().lower()
    plain = unicodedata.normalize("NFKC", word.translate(INVISIBLE)).lower()
    if _HAN.search(plain):
        with _converter_lock:  # the converter keeps state between its dictionaries
            plain = _converter().convert(plain)
    # Lower case and conversion may each leave a character that composes anew.
    plain = unicodedata.normalize("NFKC", plain).translate(INVISIBLE)
    return _SPACES.sub(" ", plain).strip()
