"""What pictures and what texts say of products, each on its own: two classifiers over the labels of one shop.

The text side is learned as the reference did: word vectors without labels on the texts of both shops first, so that
the target's words are known, then a classifier on the labelled ones. The picture side is a classifier on the vectors
of a pretrained (or fine-tuned) network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fashion_assets.products.labels import label_text

if TYPE_CHECKING:
    from fashion_assets.encoders.cbow import CbowModel
    from fashion_assets.products.classifiers.protocol import Classifier

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


def learn_target_words(
    source_texts: Sequence[str], target_texts: Sequence[str], *, seed: int = 7
) -> CbowModel:
    """Word vectors learned without labels on the texts of both shops."""
    from fashion_assets.encoders.cbow_training import train_or_lexicon
    from fashion_assets.keywords.tokens import content_tokens

    texts = [text for text in (*target_texts, *source_texts) if text]
    return train_or_lexicon(content_tokens(texts), seed=seed)[0]


@dataclass(frozen=True)
class Side:
    """A classifier over ``labels`` (k,) that reads vectors of one kind; rows of zeros have no opinion."""

    labels: tuple[str, ...]
    classifier: Classifier | None

    def probabilities(self, vectors: npt.ArrayLike) -> FloatArray:
        """(n, k) probabilities in the order of ``labels``; zeros for rows of ``vectors`` that are zeros."""
        rows = np.asarray(vectors, dtype=np.float32)
        found = np.zeros((len(rows), len(self.labels)))
        present = np.any(rows != 0, axis=1)
        if self.classifier is None or not present.any():
            return found
        codes = np.asarray(self.classifier.classes_, dtype=np.int64)
        found[np.ix_(present, codes)] = self.classifier.predict_proba(rows[present])
        return found


def train_side(vectors: npt.ArrayLike, labels: Sequence[object], names: Sequence[str]) -> Side:
    """The side that learned ``labels`` (n,) from ``vectors`` (n, d); products without a label, with one that is not
    among ``names``, or without a vector are left out. A side without two classes has no opinion.
    """
    from fashion_assets.products.classifiers import CLASSIFIERS

    rows = np.asarray(vectors, dtype=np.float32)
    position = {name: code for code, name in enumerate(names)}
    codes = np.array([position.get(label_text(label) or "", -1) for label in labels], dtype=np.int64)
    used = (codes >= 0) & np.any(rows != 0, axis=1)
    if len(np.unique(codes[used])) < 2:
        return Side(tuple(names), None)
    return Side(tuple(names), CLASSIFIERS["logistic"]().fit(rows[used], codes[used]))
