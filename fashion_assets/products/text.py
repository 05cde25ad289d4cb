"""Cleaning of card text: HTML out, punctuation, numbers, units and stopwords out, in Chinese, English and
Russian.
"""

from __future__ import annotations

import ast
import html
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from fashion_assets.products.stopwords import STOPWORDS, UNITS, UNITS_AFTER_NUMBER

# Longer characteristics are not a dictionary that a shop wrote; parsing them could eat the memory.
MAX_CHARACTERISTICS_LENGTH = 200_000

_INLINE_TAGS = frozenset(
    {"b", "i", "u", "em", "strong", "span", "a", "sub", "sup", "small", "mark", "font", "wbr", "s"}
)
# Comments and what browsers hide run to the end where they are not closed. A tag never reaches over the next "<", so
# that every character is looked at once.
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<hidden>script|style)\b[^<>]*+>.*?(?:</(?P=hidden)\s*>|\Z)"
    r"|</?(?P<tag>[A-Za-z][^\s/<>]*+)(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+>"
    r"|<[!?/][^<>]*+>",
    re.DOTALL | re.IGNORECASE,
)
_HAN = re.compile(r"(?:[Tt](?=恤))?[㐀-䶿一-鿿豈-﫿]+")
_HAN_LETTER = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_CYRILLIC_LETTER = re.compile(r"[Ѐ-ӿ]")
_LATIN_LETTER = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]")
_AFTER_NUMBER = "|".join(
    sorted((re.escape(unit) for unit in UNITS_AFTER_NUMBER | UNITS), key=len, reverse=True)
)
# A number (with sign-like marks, decimals, ranges, 10x20 sizes) and the unit that it counts.
_QUANTITY = re.compile(
    rf"(?<![^\W\d_])\d[\d.,:/×x*–-]*(?:[\"″”]?\s?[x×х*]\s?\d[\d.,]*)*\s?(?:(?:{_AFTER_NUMBER})(?![^\W\d_]))?",
    re.IGNORECASE,
)
# A number is short: without a bound a long row of digits and dots costs its length squared.
_HAN_QUANTITY = re.compile(
    r"\d[\d.,]{0,30}\s?(?:厘米|毫米|公斤|千克|毫升|英寸|件套装|件套|克|米|升|斤|寸|件|条|双|个|只|支|包|片|套)"
)
# Letters, joined inside a word by a hyphen or an apostrophe (T-shirt, men's); digits only to see that they
# were there.
_WORD = re.compile(r"[^\W_]+(?:[-'’‑][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)


def strip_html(text: str) -> str:
    """The text that a browser would show, on one line; text without markup comes back as it is but for white
    space. Takes time in proportion to its length, however broken the markup is (``html.parser`` does not).
    """
    if "<" in text:
        text = _MARKUP.sub(_gap, text)
    return " ".join(html.unescape(text).split())


def _gap(found: re.Match[str]) -> str:
    """What stands for a piece of markup: a space where a browser begins a new line or cell."""
    tag = found["tag"]
    return "" if tag is None or tag.lower() in _INLINE_TAGS else " "


def parse_characteristics(text: str) -> dict[str, Any]:
    """The dictionary in ``text``: JSON, or a Python literal read by ``ast.literal_eval``, which runs no code.
    Its values are those of JSON (a tuple comes back as a list).

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
    try:
        value = _plain_value(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        merged: dict[str, Any] = {}
        for item in value:
            if "name" in item and "value" in item:
                merged[str(item["name"])] = item["value"]
            else:
                merged.update(item)
        return merged
    raise ValueError(f"it holds a {type(value).__name__}, not a dictionary")


def _plain_value(value: Any) -> Any:
    """``value`` with what JSON and Parquet can hold: keys as text, no NaN, no half of a surrogate pair."""
    if isinstance(value, Mapping):
        return {_plain_text(str(key)): _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain_value(item) for item in value), key=str)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float) or value is None else _plain_text(str(value))


def _plain_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def characteristic_keys(characteristics: Mapping[str, Any]) -> str:
    """The keys, nested ones after their own, as one line of cleaned words."""
    keys: list[str] = []
    for key, value in characteristics.items():
        keys.append(key)
        if isinstance(value, Mapping):
            keys.append(characteristic_keys(value))
    return clean_text(" ".join(keys))


def characteristics_text(characteristics: Mapping[str, Any]) -> str:
    """Keys and values in order, as one line of words."""
    parts: list[str] = []
    for key, value in characteristics.items():
        parts.append(str(key))
        if isinstance(value, Mapping):
            parts.append(characteristics_text(value))
        elif isinstance(value, list | tuple):
            parts.extend(str(item) for item in value)
        elif value is not None and not isinstance(value, bool):
            parts.append(str(value))
    return " ".join(parts)


def text_language(text: str) -> str:
    """ "Chinese", "Russian", "English" (by script: Han, Cyrillic, Latin), "mixed" where none has 70 % of the letters
    (a Han character says as much as about three letters and counts so), "other", or "none" without a letter.
    """
    counts = {
        "Chinese": 3 * len(_HAN_LETTER.findall(text)),
        "Russian": len(_CYRILLIC_LETTER.findall(text)),
        "English": len(_LATIN_LETTER.findall(text)),
    }
    letters = 2 * counts["Chinese"] // 3 + sum(map(str.isalpha, text))
    if not letters:
        return "none"
    if sum(counts.values()) < 0.5 * letters:
        return "other"
    name = max(counts, key=lambda one: counts[one])
    return name if counts[name] >= 0.7 * letters else "mixed"


def clean_text(text: str) -> str:
    """The meaningful words of ``text`` in order, one space between, case kept: no HTML, punctuation, number,
    unit or stopword. Hyphens inside words stay (T-shirt is one word). Chinese runs are cut into words by
    rjieba.
    """
    # NFKC would make "No" of №, which says "not".
    shown = unicodedata.normalize("NFKC", strip_html(text).replace("№", " "))
    shown = _HAN_QUANTITY.sub(" ", shown)
    shown = _QUANTITY.sub(" ", shown)
    shown = separate_han(shown)
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


def separate_han(text: str) -> str:
    """The text with its runs of Chinese cut into words, one space between; a T that is part of T恤 stays with it."""
    if not _HAN.search(text):
        return text
    import rjieba

    return _HAN.sub(lambda run: f" {' '.join(rjieba.cut(run.group()))} ", text)
