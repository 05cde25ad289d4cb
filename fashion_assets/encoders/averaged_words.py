"""``words:<file>``: the mean of the vectors of a text's words, from any file of word vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.rows import unit_rows
from fashion_assets.encoders.word_vector_files import WordVectors, load_word_vectors
from fashion_assets.networks.weights import model_id_of, path_digest
from fashion_assets.storage.errors import UserError


class AveragedWords:
    """An ``Encoder`` for short texts: names, titles, keys.

    A word is looked up as it is written, then in normal form (lower case, simplified Chinese); one that the file does
    not know is left out, and a text of such words alone has a row of zeros.
    """

    modality: Modality = "text"

    def __init__(self, words: WordVectors, model_id: str) -> None:
        self.words = words
        self.model_id = model_id
        self.dim = words.dim

    @classmethod
    def load(cls, path: Path) -> AveragedWords:
        """The encoder of a file; its model id holds the file's digest. Raises as ``load_word_vectors``."""
        return cls(load_word_vectors(path), model_id_of(f"words:{path.stem}", path_digest(path)))

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 unit rows; zeros for a text without a known word. ``refused`` stays as it is."""
        from fashion_assets.keywords.normalise import normalise_word
        from fashion_assets.keywords.tokens import tokenize

        items = item_list(items, self.model_id)
        for number, item in enumerate(items):
            if not isinstance(item, str):
                raise UserError(
                    f"{self.model_id} takes texts: item {number} is a {type(item).__name__}, expected str"
                )
        means = np.zeros((len(items), self.dim))
        for row, tokens in enumerate(tokenize(items)):
            found = [
                vector
                for token in tokens
                if (vector := self._first_known(token, normalise_word(token))) is not None
            ]
            if found:
                means[row] = np.mean(found, axis=0, dtype=np.float64)
        return unit_rows(means)

    def _first_known(self, *forms: str) -> Any:
        return next((vector for form in forms if (vector := self.words.find(form)) is not None), None)
