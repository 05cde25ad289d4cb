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
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

from fashion_assets.keywords.lexicon import load_lexicon
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


class Segmenter(Protocol):
    """Cuts runs of Han characters into words."""

    def cut_runs(self, runs: Sequence[str]) -> list[list[str]]:
        """One list of words per run, in order; each list joined gives its run back."""
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


@lru_cache(maxsize=1)
def user_words() -> tuple[tuple[str, int], ...]:
    """The purely Chinese lexicon terms with the frequency that both engines give them, in a fixed order.

    The frequency is the least that keeps the word whole on its own (`suggest_freq`, from rjieba for both
    engines, before any user word is added) and at least the floor above.
    """
    import rjieba

    plain = rjieba.Jieba()
    terms = sorted(term for term in load_lexicon().terms() if PURE_HAN.fullmatch(term))
    return tuple(
        (term, max(plain.suggest_freq(term), MIN_FREQUENCY_SHORT if len(term) <= 2 else MIN_FREQUENCY_LONG))
        for term in terms
    )


_segmenters: dict[str, Segmenter] = {}
_segmenters_lock = threading.Lock()


def load_segmenter(engine: Engine = "rjieba") -> Segmenter:
    """The segmenter of that name with the lexicon as its user dictionary; one per process, never changed
    after.
    """
    segmenter = _segmenters.get(engine)
    if segmenter is not None:
        return segmenter
    with _segmenters_lock:  # two threads must not both build one, nor see one half filled
        if engine not in _segmenters:
            if engine == "rjieba":
                _segmenters[engine] = RjiebaSegmenter(user_words())
            elif engine == "jieba":
                _segmenters[engine] = JiebaSegmenter(user_words())
            else:
                raise UserError(
                    f"There is no tokenizer {engine!r}; use 'rjieba' (fast, the default) or 'jieba'."
                )
        return _segmenters[engine]
