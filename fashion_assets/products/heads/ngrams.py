"""TF-IDF of word and character n-grams, kept as arrays instead of a pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Analyzer = Literal["words", "letters"]

# Words are what stands between blanks: brands such as "U.S." or "W&B" keep their dots and signs. Character n-grams
# that a tenth of the products share cost most of the time and say least.
_OPTIONS: dict[Analyzer, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\S+"},
    "letters": {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 2, "max_df": 0.1},
}
#: Under this many products shares and counts of n-grams say nothing: all are kept.
MIN_TEXTS_FOR_LIMITS = 200


class NGrams:
    """Rows of length 1 over the n-grams of the training texts, tf as 1 + ln tf, idf smoothed (scikit-learn's)."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.analyzer: Analyzer = analyzer
        self._vectorizer: Any = None

    def fit(self, texts: Sequence[str]) -> NGrams:
        """Learn vocabulary and idf; texts without any n-gram leave an empty vocabulary."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        options = dict(_OPTIONS[self.analyzer])
        if len(texts) < MIN_TEXTS_FOR_LIMITS:
            options |= {"min_df": 1, "max_df": 1.0}
        model = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **options)
        try:
            self._vectorizer = model.fit(texts)
        except ValueError:
            # scikit-learn's word for "no text has an n-gram that is kept".
            self._vectorizer = None
        return self

    @property
    def has_terms(self) -> bool:
        """Whether any text that it was fitted on had an n-gram."""
        return self._vectorizer is not None

    def transform(self, texts: Sequence[str]) -> Any:
        """(n, vocabulary) float32 CSR; rows of zeros for texts without a known n-gram."""
        import scipy.sparse

        if self._vectorizer is None:
            return scipy.sparse.csr_matrix((len(texts), 0), dtype=np.float32)
        if not len(texts):
            return scipy.sparse.csr_matrix((0, len(self._vectorizer.idf_)), dtype=np.float32)
        return self._vectorizer.transform(texts).astype(np.float32)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Terms as UTF-8 bytes, one a line in column order, and their idf."""
        if self._vectorizer is None:
            return {"terms": np.zeros(0, np.uint8), "idf": np.zeros(0, np.float32)}
        terms = "\n".join(self._vectorizer.get_feature_names_out())
        return {
            "terms": np.frombuffer(terms.encode(), np.uint8).copy(),
            "idf": np.asarray(self._vectorizer.idf_, np.float32),
        }

    @classmethod
    def from_state(cls, analyzer: Analyzer, arrays: Mapping[str, npt.NDArray[Any]]) -> NGrams:
        """What ``state`` described."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        made = cls(analyzer)
        if len(arrays["idf"]):
            terms = bytes(arrays["terms"].tobytes()).decode().split("\n")
            options = {
                key: value for key, value in _OPTIONS[analyzer].items() if key not in ("min_df", "max_df")
            }
            made._vectorizer = TfidfVectorizer(
                sublinear_tf=True,
                dtype=np.float32,
                vocabulary={term: at for at, term in enumerate(terms)},
                **options,
            )
            made._vectorizer.idf_ = arrays["idf"]
        return made
