"""Who says that a word is a fashion word: the protocol, and the scorer that needs no training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.lexicon import Lexicon, load_lexicon
from fashion_assets.keywords.normalise import normalise_word

#: Score of a word that the lexicon lists, and of one that ends in a listed term of two characters or more,
#: and of one that ends in a single character such as 裙. The order matters, not the value; all pass the
#: threshold.
EXACT_SCORE = 1.0
HEAD_SCORE = 0.8
ONE_CHARACTER_SCORE = 0.6

#: Half, as for the probability of a two-class classifier, so that scorers can be exchanged.
THRESHOLD = 0.5


@runtime_checkable
class KeywordScorer(Protocol):
    """Scores words. A trained classifier and the lexicon both do; `extract_keywords` takes either."""

    @property
    def model_id(self) -> str:
        """Name and revision; two scorers with the same id give the same scores."""
        ...

    @property
    def threshold(self) -> float:
        """A word is a keyword if its score is at least this."""
        ...

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores (n,) in [0, 1] of n words in normal form."""
        ...


class UserTermScorer:
    """A scorer under which the reviewed terms of a user dictionary that have a facet are keywords for certain."""

    def __init__(self, scorer: KeywordScorer, terms: Mapping[str, str]) -> None:
        self._scorer = scorer
        self._sure = frozenset(term for term, facet in terms.items() if facet)
        self.threshold = scorer.threshold

    @property
    def model_id(self) -> str:
        """The scorer's, with a digest of the terms."""
        if not self._sure:
            return self._scorer.model_id
        digest = hashlib.sha256("\n".join(sorted(self._sure)).encode()).hexdigest()
        return f"{self._scorer.model_id}+{digest[:8]}"

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """The scorer's scores (n,), and 1.0 for the reviewed terms."""
        scores = np.array(self._scorer.score(words), dtype=np.float32)
        scores[[normalise_word(word) in self._sure for word in words]] = EXACT_SCORE
        return scores


class LexiconScorer:
    """1.0 for a term of the lexicon, 0.8 for a word headed by one, 0.6 for one headed by 裙, 裤, 鞋 …, else
    0.
    """

    def __init__(self, lexicon: Lexicon | None = None) -> None:
        self.lexicon = lexicon or load_lexicon()
        listed = "\n".join(
            f"{facet}\t{term}" for facet in self.lexicon.facets for term in self.lexicon.terms(facet)
        )
        self._model_id = f"lexicon:{hashlib.sha256(listed.encode()).hexdigest()[:12]}"

    @property
    def model_id(self) -> str:
        """`lexicon:` and the first twelve hex digits of the SHA-256 of all terms with their facets."""
        return self._model_id

    @property
    def threshold(self) -> float:
        """`THRESHOLD`."""
        return THRESHOLD

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores (n,) of n words; words are normalised for the look-up."""
        return np.fromiter((self._score_word(word) for word in words), dtype=np.float32, count=len(words))

    def _score_word(self, word: str) -> float:
        if self.lexicon.exact_facet(word) is not None:
            return EXACT_SCORE
        head = self.lexicon.head(word)
        if head is None:
            return 0.0
        return HEAD_SCORE if len(head) > 1 else ONE_CHARACTER_SCORE
