"""Texts to tokens, and to the content tokens that count as words.

A text is read once from left to right into runs: terms of the lexicon or of the user that mix Latin with
Chinese or hold a space (t恤, a字裙, old money), runs of Han characters, Latin words and numbers (lululemon, Y2K,
t-shirt, 3.5), and single other characters. Only Han runs go to the segmenter, and every distinct run only once
per call: posts repeat their hashtags, so a month has several times fewer distinct runs than runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.segmenters import HAN, PURE_HAN, Engine, Segmenter, load_segmenter, user_term_key
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.storage.errors import UserError

#: Letters and digits of the Latin alphabets, and of any other alphabet that is not Han.
_LATIN_LETTERS = "[A-Za-z0-9À-ÖØ-öø-ɏ]+"
_OTHER_LETTERS = rf"(?:(?![{HAN}])[^\W_])+"

#: A Latin word or a number: letters and digits joined by single hyphens, apostrophes, & or +; a point or
#: comma only between digits.
_LATIN = rf"{_LATIN_LETTERS}(?:(?:[-'’&+]|(?<=\d)[.,](?=\d)){_LATIN_LETTERS})*"
_LATIN_TERM = re.compile(_LATIN)

#: Texts read at a time: few enough that their runs are still in the processor's cache when they are put
#: together (32 takes three quarters of the time of a whole month at once), enough that a segmenter call pays.
BATCH_TEXTS = 32

#: Longer than this is an id, a link or a held-down key, not a word.
MAX_WORD_CHARS = 40

#: A number, alone or with a measure: 3.5 and 165cm never say what is worn.
_NUMBER = re.compile(r"[\d.,]+(?:cm|mm|m|kg|g|ml|l|k|w|st|nd|rd|th|°c)?")


#: What a text is read into when it holds no term that spans several runs: most texts.
_RUNS = re.compile(rf"[{HAN}]+|{_LATIN}|{_OTHER_LETTERS}|\S")


class _SpanningTerms(NamedTuple):
    """Terms that `_RUNS` would take apart: t恤, a字裙, old money, and of the user also 山系outdoor."""

    #: The same runs, these terms first, longest first.
    runs: re.Pattern[str]
    #: A run that each of them holds: the first, or the second of a term that begins in Han, whose first Han
    #: may stand anywhere in a run. A text with none of these need not be read with the slower expression.
    telling_runs: frozenset[str]


@lru_cache(maxsize=5)
def _spanning_terms(user_terms: tuple[str, ...] = ()) -> _SpanningTerms:
    every = {*load_lexicon().terms(), *user_terms}
    terms = sorted(
        (t for t in every if len(t) > 1 and not PURE_HAN.fullmatch(t) and not _LATIN_TERM.fullmatch(t)),
        key=lambda t: (-len(t), t),
    )
    from_han = [term for term in terms if PURE_HAN.match(term)]
    by_initial: dict[str, list[str]] = {}
    for term in terms:
        if not PURE_HAN.match(term):
            by_initial.setdefault(term[0], []).append(_term_pattern(term[1:]))
    # A branch per initial fails after one comparison; one flat list takes several times as long to read by.
    branches = "|".join(
        f"[{re.escape(i)}{re.escape(i.upper())}](?i:{'|'.join(rest)})"
        for i, rest in sorted(by_initial.items())
    )
    # Han first: in a text as in the branches, what is most frequent is tried first.
    runs = rf"[{HAN}]+|(?<![A-Za-z0-9])(?:{branches})|{_RUNS.pattern}"
    if from_han:
        # A run of Han ends before a term that begins in Han.
        han_first = f"(?i:{'|'.join(map(_term_pattern, from_han))})"
        runs = rf"{han_first}|(?:(?!{han_first})[{HAN}])+|{runs}"
    telling = {run[1 if PURE_HAN.match(term) else 0] for term in terms for run in [_RUNS.findall(term)]}
    return _SpanningTerms(re.compile(runs), frozenset(telling))


def _term_pattern(term: str) -> str:
    pattern = re.escape(term).replace(r"\ ", r"[ \t]+")
    if term[-1].isascii() and term[-1].isalnum():
        return pattern + "(?![A-Za-z0-9])"
    # y2k风 must not take the 风 of y2k风格.
    return pattern + "(?!格)" if term.endswith("风") else pattern


def tokenize(
    texts: Iterable[str],
    *,
    engine: Engine = "rjieba",
    keep_stopwords: bool = True,
    stopwords: Collection[str] | None = None,
    user_terms: Collection[str] = (),
) -> list[list[str]]:
    """One list of tokens per text, in order and as written: words, numbers and single marks, no white space.

    The Han characters of a text are exactly those of its tokens, in order. `engine` is "rjieba" or the slower
    reference "jieba"; both use the lexicon and `user_terms` as user dictionary and give the same Han tokens.
    With `keep_stopwords=False` the words of `stopwords` (default: the project's list) are left out. A missing
    text (None, NaN) has no tokens. Raises UserError for a single string and for an item that is no text.
    """
    tokens = _Reader(load_segmenter(engine, user_terms=user_terms), user_term_key(user_terms)).read(
        text_list(texts)
    )
    if keep_stopwords:
        return tokens
    stops = load_stopwords() if stopwords is None else stopwords
    return [[token for token in line if normalise_word(token) not in stops] for line in tokens]


def text_list(texts: Iterable[str]) -> list[str]:
    """The texts in order, "" for a missing one (None, NaN, NA); UserError for anything that is no text."""
    if isinstance(texts, str | bytes) or hasattr(texts, "columns") or not isinstance(texts, Iterable):
        raise UserError(
            f"texts is one {type(texts).__name__}; expected a list of texts or one column of a table, "
            "and a single text in a list."
        )
    found = list(texts)
    for row, text in enumerate(found):
        if not isinstance(text, str):
            if not is_missing(text):
                raise UserError(f"text {row} is a {type(text).__name__}; expected str (None if missing).")
            found[row] = ""
    return found


def is_missing(text: Any) -> bool:
    """True for what a table holds where there is no text: None, NaN, NaT, NA."""
    return text is None or (pd.api.types.is_scalar(text) and bool(pd.isna(text)))


class _Reader:
    """One call of `tokenize`: texts in small batches, and what has been learned about runs so far."""

    def __init__(self, segmenter: Segmenter, user_terms: tuple[str, ...]) -> None:
        self._segmenter = segmenter
        self._spanning = _spanning_terms(user_terms)
        #: The words of every run met so far, and those of the runs that may belong to a spanning term.
        self._words_of: dict[str, Sequence[str]] = {}
        self._telling_runs: set[str] = set()

    def read(self, texts: Sequence[str]) -> list[list[str]]:
        tokens: list[list[str]] = []
        for start in range(0, len(texts), BATCH_TEXTS):
            text_runs = self._runs(texts[start : start + BATCH_TEXTS])
            tokens += [list(chain.from_iterable(map(self._words_of.__getitem__, runs))) for runs in text_runs]
        return tokens

    def _runs(self, texts: Sequence[str]) -> list[list[str]]:
        text_runs = list(map(_RUNS.findall, texts))
        self._learn(text_runs)
        read_again = [row for row, runs in enumerate(text_runs) if not self._telling_runs.isdisjoint(runs)]
        for row in read_again:
            text_runs[row] = self._spanning.runs.findall(texts[row])
        self._learn([text_runs[row] for row in read_again])
        return text_runs

    def _learn(self, text_runs: Iterable[Sequence[str]]) -> None:
        """Cut the runs that have not been met, and note those that may belong to a spanning term."""
        new = set(chain.from_iterable(text_runs)).difference(self._words_of)
        # Runs that begin in Han are purely Han, but for terms such as 山系outdoor; all others need no cutting.
        to_cut = [
            run for run in new if len(run) > 1 and "\u4e00" <= run[0] <= "\u9fd5" and PURE_HAN.fullmatch(run)
        ]
        self._words_of.update((run, (run,)) for run in new)
        self._words_of.update(zip(to_cut, self._segmenter.cut_runs(to_cut), strict=True))
        self._telling_runs.update(run for run in new if run.lower() in self._spanning.telling_runs)


@lru_cache(maxsize=131_072)
def is_content_form(word: str) -> bool:
    """Whether a word in normal form could carry content: two characters or more with a letter, and no
    number.
    """
    return (
        1 < len(word) <= MAX_WORD_CHARS
        and any(character.isalpha() for character in word)
        and not _NUMBER.fullmatch(word)
    )


def content_tokens(
    texts: Iterable[str],
    stopwords: Collection[str] | None = None,
    *,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
) -> list[list[str]]:
    """One list of content words per text, in order, repeats kept, in normal form (so OOTD and ootd are one).

    Without stopwords (default: the project's list), single characters, numbers with or without a measure,
    punctuation, emoji and anything longer than `MAX_WORD_CHARS`. `engine` and `user_terms` as for `tokenize`.
    """
    stops = load_stopwords() if stopwords is None else stopwords
    tokens = tokenize(texts, engine=engine, user_terms=user_terms)
    # Each distinct token is normalised and judged once.
    kept: dict[str, str] = {}
    for token in set(chain.from_iterable(tokens)):
        word = normalise_word(token)
        if word not in stops and is_content_form(word):
            kept[token] = word
    return [[kept[token] for token in line if token in kept] for line in tokens]
