"""The numbers that a head sees of a word: its vector, and what n-grams, form and crawl say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.background import load_background
from fashion_assets.tfashion.corpus import CorpusContrast
from fashion_assets.tfashion.evidence import CharEvidence
from fashion_assets.tfashion.form import form_features
from fashion_assets.tfashion.word_vectors import WordVectors

FloatArray = npt.NDArray[np.float32]

#: Heads that see the vector alone, as published.
VECTOR_ONLY = frozenset({"resnet"})


@dataclass(frozen=True)
class WordFacts:
    """What is known of words without labels. ``contrast``: of the crawl; without posts it says nothing."""

    vectors: WordVectors
    contrast: CorpusContrast

    def of(self, words: Sequence[str]) -> FloatArray:
        """(n, d): the words' vectors, and beside them what form and contrast say."""
        return np.concatenate(
            [
                self.vectors.encode(words),
                squash(form_features(words, load_background())),
                squash(self.contrast.features(words)),
            ],
            axis=1,
        )

    def columns(self, facts: FloatArray, evidence: FloatArray, head: str) -> FloatArray:
        """(n, d) of what the head of that name looks at, from `of` and the words' n-gram evidence."""
        if head in VECTOR_ONLY:
            return facts[:, : self.vectors.dim]
        return np.concatenate([facts, squash(evidence)], axis=1)

    def matrix(self, words: Sequence[str], evidence: CharEvidence, head: str) -> FloatArray:
        """(n, d) float32 of new words for the head of that name."""
        if head in VECTOR_ONLY:
            return self.vectors.encode(words)
        return self.columns(self.of(words), evidence.features(words), head)


def squash(values: FloatArray) -> FloatArray:
    """sign(x) log(1 + |x|): sums of log-odds have long tails, on which a standardised scale would be spent."""
    return (np.sign(values) * np.log1p(np.abs(values))).astype(np.float32)
