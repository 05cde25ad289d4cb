"""Character n-grams as evidence: how much more often the n-grams of a word stand in fashion words than in others.

The log-odds of naive Bayes (Manning, Raghavan & Schütze 2008, chapter 13), kept apart by n-gram length, so that a
head can weigh a telling character (裙) and a telling ending differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

#: Longest n-gram: most words have two to four characters, and a longer n-gram would be the word itself.
MAX_N = 3

#: Pseudo-count of every n-gram: a tenth of an occurrence, so that an n-gram seen once in one class only is
#: strong evidence; with a whole one rare n-grams, of which words mostly consist, would say nothing.
SMOOTHING = 0.1

#: Marks of the beginning and the end of a word: 裙 at the end says more than 裙 inside.
_BEGIN, _END = "\x02", "\x03"

#: Per n-gram length sum, maximum and minimum of the log-odds; then their sum over all, and the share seen.
N_FEATURES = 3 * MAX_N + 2


class CharEvidence:
    """Log-odds of n-grams. ``grams`` (g,) and ``log_odds`` (g,) belong together."""

    def __init__(self, grams: Sequence[str], log_odds: FloatArray) -> None:
        self.grams = list(grams)
        self.log_odds = np.asarray(log_odds, dtype=np.float32)
        self._row = {gram: row for row, gram in enumerate(self.grams)}
        self._order = np.asarray([_order(gram) for gram in self.grams], dtype=np.int64)

    @classmethod
    def fit(
        cls,
        words: Sequence[str],
        labels: npt.ArrayLike,
        trust: npt.ArrayLike | None = None,
        smoothing: float = SMOOTHING,
    ) -> CharEvidence:
        """Counts each n-gram once per word, in the words with ``labels`` true and in the others; a word counts as
        ``trust`` (n,) says, 1 unless given.
        """
        grams, rows, columns = _incidence(words)
        of_fashion = np.asarray(labels, dtype=bool)[rows]
        heavy = np.ones(len(words)) if trust is None else np.asarray(trust, dtype=np.float64)
        counts = [
            np.bincount(columns[side], weights=heavy[rows[side]], minlength=len(grams)).astype(np.float64)
            for side in (of_fashion, ~of_fashion)
        ]
        return cls(grams, _log_odds(counts[0], counts[1], smoothing))

    def features(self, words: Sequence[str]) -> FloatArray:
        """(n, N_FEATURES) float32; a word none of whose n-grams was ever seen has zeros."""
        rows, columns, n_grams = [], [], np.zeros(len(words))
        for row, word in enumerate(words):
            found = _grams(word)
            n_grams[row] = len(found)
            known = [self._row[gram] for gram in found if gram in self._row]
            columns += known
            rows += [row] * len(known)
        return _summarise(
            np.asarray(rows, dtype=np.int64),
            self.log_odds[np.asarray(columns, dtype=np.int64)],
            self._order[np.asarray(columns, dtype=np.int64)],
            n_grams,
        )

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What ``from_tensors`` needs; n-grams as UTF-8 lines."""
        return {
            "grams": np.frombuffer("\n".join(self.grams).encode(), dtype=np.uint8),
            "log_odds": self.log_odds,
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[Any]]) -> CharEvidence:
        text = tensors["grams"].tobytes().decode()
        return cls(text.split("\n") if text else [], tensors["log_odds"])


def out_of_fold_evidence(
    words: Sequence[str],
    labels: npt.ArrayLike,
    folds: npt.ArrayLike,
    trust: npt.ArrayLike | None = None,
    smoothing: float = SMOOTHING,
) -> FloatArray:
    """(n, N_FEATURES): each word judged by the n-grams of the words in the other folds.

    Without this a head would learn to trust n-grams that were counted in the very word it is shown. (Taking
    single words out one by one will not do: it biases the log-odds against the word's own class.)
    """
    truth, fold_of = np.asarray(labels, dtype=bool), np.asarray(folds)
    heavy = np.ones(len(truth)) if trust is None else np.asarray(trust, dtype=np.float64)
    out = np.zeros((len(words), N_FEATURES), dtype=np.float32)
    for fold in np.unique(fold_of):
        inside, outside = np.flatnonzero(fold_of == fold).tolist(), np.flatnonzero(fold_of != fold).tolist()
        fitted = CharEvidence.fit([words[row] for row in outside], truth[outside], heavy[outside], smoothing)
        out[inside] = fitted.features([words[row] for row in inside])
    return out


def _log_odds(
    fashion: npt.NDArray[np.float64], other: npt.NDArray[np.float64], smoothing: float
) -> FloatArray:
    share = (fashion + smoothing) / max(fashion.sum(), 1)
    background = (other + smoothing) / max(other.sum(), 1)
    return np.log(share / background).astype(np.float32)


def _grams(word: str) -> set[str]:
    marked = f"{_BEGIN}{word}{_END}"
    return {
        marked[start : start + n]
        for n in range(1, MAX_N + 1)
        for start in range(len(marked) - n + 1)
        if n > 1 or marked[start] not in (_BEGIN, _END)
    }


def _order(gram: str) -> int:
    """0, 1, 2 for n-grams of one, two and three characters; a mark counts as none."""
    return max(len(gram.strip(_BEGIN + _END)), 1) - 1


def _incidence(
    words: Sequence[str],
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All n-grams, sorted, and the (word, n-gram) pairs that occur."""
    per_word = [_grams(word) for word in words]
    grams = sorted(set().union(*per_word)) if per_word else []
    row_of = {gram: row for row, gram in enumerate(grams)}
    sizes = [len(found) for found in per_word]
    columns = np.fromiter(
        (row_of[gram] for found in per_word for gram in found), dtype=np.int64, count=sum(sizes)
    )
    return grams, np.repeat(np.arange(len(words)), sizes), columns


def _summarise(
    rows: npt.NDArray[np.int64], values: FloatArray, order: npt.NDArray[np.int64], n_grams: npt.NDArray[Any]
) -> FloatArray:
    n = len(n_grams)
    sums, highest = np.zeros((n, MAX_N)), np.full((n, MAX_N), -np.inf)
    lowest = np.full((n, MAX_N), np.inf)
    np.add.at(sums, (rows, order), values)
    np.maximum.at(highest, (rows, order), values)
    np.minimum.at(lowest, (rows, order), values)
    unseen = np.isinf(highest)
    highest[unseen] = 0
    lowest[unseen] = 0
    seen = np.bincount(rows, minlength=n) / np.maximum(n_grams, 1)
    blocks = np.stack([sums, highest, lowest], axis=2).reshape(n, 3 * MAX_N)
    return np.c_[blocks, sums.sum(axis=1), seen].astype(np.float32)
