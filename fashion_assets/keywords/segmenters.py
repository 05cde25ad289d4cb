"""The two Chinese word segmenters behind `tokens`: rjieba (default) and jieba, the reference.

Both get the same runs of Han characters and the same user dictionary, word by word with the same frequency:
what made them differ on whole posts was mostly around the Han runs (other alphabets, marks, digits), which
therefore never reaches them. What is left are exact ties between two ways to cut, such as 啊|啊啊啊 and
啊啊啊|啊, which the two decide by the last bit of a floating-point sum: 1 of 6,789 distinct runs of a real
month.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.storage.errors import UserError

Engine = Literal["rjieba", "jieba"]

#: The Han characters that jieba's dictionary model covers (its own block expression, jieba/__init__.py).
HAN = "\u4e00-\u9fd5"
PURE_HAN = re.compile(f"[{HAN}]+")

#: Least frequency of a lexicon word of two characters, and of a longer one, in jieba's counts (its dictionary
#: sums to about 6e7). `suggest_freq` alone gives 1 to words such as 穿搭, enough to stay whole alone but not
#: beside a frequent neighbour. A longer word is hardly ever an accident of its neighbours, so it may weigh
#: more.
MIN_FREQUENCY_SHORT = 300
MIN_FREQUENCY_LONG = 3_000

#: Part-of-speech tag of user words; rjieba wants one, nothing reads it. "n" is jieba's tag of a noun.
USER_TAG = "n"

#: Characters per call of the segmenter: large enough that the call costs nothing, small enough to bound
#: memory.
CHUNK_CHARS = 500_000

#: Segmenters with user terms kept beside the default one: two engines, this dictionary and the one before. An
#: rjieba dictionary takes 25 MB, a jieba one more.
CACHED_USER_SEGMENTERS = 4


class Segmenter(Protocol):
    """Cuts runs of Han characters into words."""

    def cut_runs(self, runs: Sequence[str]) -> list[list[str]]:
        """One list of words per run, in order; each list joined gives its run back."""
        ...

    def knows(self, word: str) -> bool:
        """Whether the dictionary holds the word; one that is only guessed whole from its characters is not
        in it.
        """
        ...


class RjiebaSegmenter:
    """rjieba over many runs per call: they are joined by a line feed, which no word crosses."""

    def __init__(self, words: Sequence[tuple[str, int]]) -> None:
        import rjieba

        self._jieba = rjieba.Jieba()
        for word, frequency in words:
            self._jieba.add_word(word, frequency, USER_TAG)

    def cut_runs(self, runs: Sequence[str]) -> list[list[str]]:
        cut: list[list[str]] = []
        start, chars = 0, 0
        for end, run in enumerate(runs, start=1):
            chars += len(run)
            if chars >= CHUNK_CHARS:
                cut += self._cut_chunk(runs[start:end])
                start, chars = end, 0
        return cut + self._cut_chunk(runs[start:])

    def knows(self, word: str) -> bool:
        return bool(self._jieba.has_word(word))

    def _cut_chunk(self, runs: Sequence[str]) -> list[list[str]]:
        if not runs:
            return []
        words: list[str] = self._jieba.cut("\n".join(runs))
        cut: list[list[str]] = [[]]
        for word in words:
            if word == "\n":
                cut.append([])
            else:
                cut[-1].append(word)
        return cut


class JiebaSegmenter:
    """jieba with a tokenizer of its own: the process-wide default that other code may use is left as it
    is.
    """

    def __init__(self, words: Sequence[tuple[str, int]]) -> None:
        self.tokenizer = _own_jieba_tokenizer()
        for word, frequency in words:
            self.tokenizer.add_word(word, frequency, USER_TAG)

    def cut_runs(self, runs: Sequence[str]) -> list[list[str]]:
        return [self.tokenizer.lcut(run) for run in runs]

    def knows(self, word: str) -> bool:
        # jieba lists the beginnings of its words too, with frequency 0.
        return bool(self.tokenizer.FREQ.get(word, 0))


def _own_jieba_tokenizer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba 0.42 has invalid escapes and asks for pkg_resources
        import jieba
    logging.getLogger("jieba").setLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    # Filled here and not by initialize(): that would read and write a marshalled cache in the shared
    # temporary folder, where anyone could have put one.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


def user_term_key(user_terms: Collection[str]) -> tuple[str, ...]:
    """The terms in normal form, without repeats and empty ones, sorted: equal for equal sets of terms.

    Raises UserError for a single string and for a term that is no text.
    """
    if not user_terms:
        return ()
    if isinstance(user_terms, str):
        raise UserError(
            f"user_terms is the one string {user_terms!r}; expected a list of terms: put it in a list."
        )
    for term in user_terms:
        if not isinstance(term, str):
            raise UserError(f"user_terms holds {term!r}, a {type(term).__name__}; expected terms as text.")
    return tuple(sorted({normalise_word(term) for term in user_terms} - {""}))


@lru_cache(maxsize=1 + CACHED_USER_SEGMENTERS)
def user_words(user_terms: tuple[str, ...] = ()) -> tuple[tuple[str, int], ...]:
    """The purely Chinese terms of the lexicon, and of `user_terms` (a `user_term_key`), with the frequency that
    both engines give them, in a fixed order.

    The frequency is the least that keeps the word whole on its own (`suggest_freq`, from rjieba for both
    engines, before any user word is added) and at least the floor above.
    """
    import rjieba

    plain = rjieba.Jieba()
    terms = sorted(term for term in {*load_lexicon().terms(), *user_terms} if PURE_HAN.fullmatch(term))
    return tuple(
        (term, max(plain.suggest_freq(term), MIN_FREQUENCY_SHORT if len(term) <= 2 else MIN_FREQUENCY_LONG))
        for term in terms
    )


_segmenters: dict[str, Segmenter] = {}
_user_segmenters: OrderedDict[tuple[str, tuple[str, ...]], Segmenter] = OrderedDict()
_segmenters_lock = threading.Lock()


def load_segmenter(engine: Engine = "rjieba", *, user_terms: Collection[str] = ()) -> Segmenter:
    """The segmenter of that name with the lexicon and `user_terms` as its user dictionary; never changed after.

    One per process and set of terms: the one without user terms stays, of the others the last
    `CACHED_USER_SEGMENTERS`. Terms that are not purely Chinese never reach a segmenter (`tokens` keeps those
    whole) and make no difference here.
    """
    terms = tuple(term for term in user_term_key(user_terms) if PURE_HAN.fullmatch(term))
    if terms:
        return _load_user_segmenter(engine, terms)
    segmenter = _segmenters.get(engine)
    if segmenter is not None:
        return segmenter
    with _segmenters_lock:  # two threads must not both build one, nor see one half filled
        if engine not in _segmenters:
            _segmenters[engine] = _new_segmenter(engine, ())
        return _segmenters[engine]


def _load_user_segmenter(engine: Engine, terms: tuple[str, ...]) -> Segmenter:
    with _segmenters_lock:
        key = (engine, terms)
        if key not in _user_segmenters:
            _user_segmenters[key] = _new_segmenter(engine, terms)
        _user_segmenters.move_to_end(key)
        while len(_user_segmenters) > CACHED_USER_SEGMENTERS:
            _user_segmenters.popitem(last=False)
        return _user_segmenters[key]


def _new_segmenter(engine: Engine, user_terms: tuple[str, ...]) -> Segmenter:
    if engine == "rjieba":
        return RjiebaSegmenter(user_words(user_terms))
    if engine == "jieba":
        return JiebaSegmenter(user_words(user_terms))
    raise UserError(f"There is no tokenizer {engine!r}; use 'rjieba' (fast, the default) or 'jieba'.")
