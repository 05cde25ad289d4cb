"""Cleaning of card text: HTML out, punctuation, numbers, units and stopwords out, in Chinese, English and
Russian.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from fashion_assets.products.stopwords import STOPWORDS, UNITS, UNITS_AFTER_NUMBER

# Longer characteristics are not a dictionary that a shop wrote; parsing them could eat the memory.
MAX_CHARACTERISTICS_LENGTH = 200_000

_HIDDEN_TAGS = frozenset({"script", "style"})
_VOID_TAGS = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "wbr", "source", "col", "area", "base", "embed"}
)
_INLINE_TAGS = frozenset(
    {"b", "i", "u", "em", "strong", "span", "a", "sub", "sup", "small", "mark", "font", "wbr", "s"}
)
_TAG = re.compile(r"<[^>]*>")
_HAN = re.compile(r"(?:[Tt](?=恤))?[㐀-䶿一-鿿豈-﫿]+")
_AFTER_NUMBER = "|".join(
    sorted((re.escape(unit) for unit in UNITS_AFTER_NUMBER | UNITS), key=len, reverse=True)
)
# A number (with sign-like marks, decimals, ranges, 10x20 sizes) and the unit that it counts.
_QUANTITY = re.compile(
    rf"(?<![^\W\d_])\d[\d.,:/×x*–-]*\s?(?:(?:{_AFTER_NUMBER})(?![^\W\d_]))?", re.IGNORECASE
)
_HAN_QUANTITY = re.compile(
    r"\d[\d.,]*\s?(?:厘米|毫米|公斤|千克|毫升|英寸|件套|克|米|升|斤|寸|件|条|双|个|只|支|包|片|套)"
)
# Letters, joined inside a word by a hyphen or an apostrophe (T-shirt, men's); digits only to see that they
# were there.
_WORD = re.compile(r"[^\W_]+(?:[-'’‑][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN_TAGS:
            self._hidden += 1
        elif tag not in _INLINE_TAGS:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE_TAGS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN_TAGS:
            self._hidden = max(0, self._hidden - 1)
        elif tag not in _INLINE_TAGS and tag not in _VOID_TAGS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def strip_html(text: str) -> str:
    """The text that a browser would show, on one line; text without markup comes back as it is but for white
    space.
    """
    if "<" not in text and "&" not in text:
        return " ".join(text.split())
    parser = _Text()
    try:
        parser.feed(text)
        parser.close()
        shown = "".join(parser.parts)
    except AssertionError:
        # html.parser asserts on declarations it does not know (``<![foo``); then tags are cut by their
        # brackets.
        shown = _TAG.sub(" ", text)
    return " ".join(shown.split())


def parse_characteristics(text: str) -> dict[str, Any]:
    """The dictionary in ``text``: JSON, or a Python literal read by ``ast.literal_eval``, which runs no code.

    A list of dictionaries is merged; {"name": n, "value": v} entries become {n: v}. Raises ValueError with
    what is wrong.
    """
    text = text.strip()
    if not text:
        return {}
    if len(text) > MAX_CHARACTERISTICS_LENGTH:
        raise ValueError(f"it has {len(text):,} characters, more than {MAX_CHARACTERISTICS_LENGTH:,}")
    try:
        value = json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise ValueError("it is neither JSON nor a Python dictionary") from error
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value):
        merged: dict[str, Any] = {}
        for item in value:
            if "name" in item and "value" in item:
                merged[str(item["name"])] = item["value"]
            else:
                merged.update({str(key): inner for key, inner in item.items()})
        return merged
    raise ValueError(f"it holds a {type(value).__name__}, not a dictionary")


def characteristics_text(characteristics: Mapping[str, Any]) -> str:
    """Keys and values in order, as one line of words."""
    parts: list[str] = []
    for key, value in characteristics.items():
        parts.append(str(key))
        if isinstance(value, Mapping):
            parts.append(characteristics_text({str(inner): item for inner, item in value.items()}))
        elif isinstance(value, list | tuple | set | frozenset):
            parts.extend(str(item) for item in value)
        elif value is not None and not isinstance(value, bool):
            parts.append(str(value))
    return " ".join(parts)


def clean_text(text: str) -> str:
    """The meaningful words of ``text`` in order, one space between, case kept: no HTML, punctuation, number,
    unit or stopword. Hyphens inside words stay (T-shirt is one word). Chinese runs are cut into words by
    rjieba.
    """
    shown = unicodedata.normalize("NFKC", strip_html(text))
    shown = _HAN_QUANTITY.sub(" ", shown)
    shown = _QUANTITY.sub(" ", shown)
    if _HAN.search(shown):
        shown = _HAN.sub(_separate_han, shown)
    words: list[str] = []
    for word in _WORD.findall(shown):
        word = _POSSESSIVE.sub("", word)
        letters = "".join(char for char in word if not char.isdigit() and not char.isnumeric()).strip("-'’‑")
        # What is left of a model code (K2, 3D) says nothing; a letter that stood alone (size M) does.
        if not letters or (letters != word and len(letters) == 1 and not _HAN.match(letters)):
            continue
        folded = letters.casefold()
        if folded in STOPWORDS or folded in UNITS:
            continue
        words.append(letters)
    return " ".join(words)


def _separate_han(run: re.Match[str]) -> str:
    import rjieba

    return " " + " ".join(rjieba.cut(run.group())) + " "
