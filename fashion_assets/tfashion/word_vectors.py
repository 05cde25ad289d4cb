"""Vectors of single words from any text encoder, each distinct word encoded once ever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.cbow import CbowModel
from fashion_assets.encoders.content import content_hashes
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.encoders.rows import unit_rows


class WordVectors:
    """``encoder`` for words. With a ``cache`` a word that any run has encoded before is read, not encoded."""

    def __init__(self, encoder: Encoder, cache: EmbeddingCache | None = None) -> None:
        self.encoder = encoder
        self.model_id = encoder.model_id
        self.dim = encoder.dim
        self._cache = cache

    def encode(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, dim) float32 unit rows, in order."""
        if not words:
            return np.zeros((0, self.dim), dtype=np.float32)
        if isinstance(self.encoder, CbowModel):
            # As a text the word would lose what all posts share, and a stopword would have no vector; and looking
            # a vector up is faster than any cache.
            return unit_rows(self.encoder.word_vectors(words))
        if self._cache is None:
            return np.asarray(self.encoder.encode(list(words)), dtype=np.float32)
        return self._cache.encode_missing(self.encoder, content_hashes(words), list(words)).vectors
