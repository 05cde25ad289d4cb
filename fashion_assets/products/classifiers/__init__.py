"""Classifiers of one attribute under one interface, whatever learns inside.

Belongs here: what takes rows of numbers and codes and gives probabilities. Does not: what the numbers are made
of, labels that are missing, abstaining, choosing between kinds (``products/heads``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import ClassVar

from fashion_assets.products.classifiers.protocol import Classifier, State

__all__ = ["CLASSIFIERS", "Classifier", "State"]


class _ByName(Mapping[str, type[Classifier]]):
    """Loads a kind when it is first asked for: each of them brings scikit-learn, some torch."""

    _places: ClassVar[dict[str, tuple[str, str]]] = {
        "logistic": ("logistic", "SoftmaxRegression"),
        "mlp": ("mlp", "MlpClassifier"),
        "lda": ("lda", "ShrinkageLda"),
        "knn": ("knn", "CosineNeighbours"),
        "catboost": ("boost", "BoostedTrees"),
    }

    def __getitem__(self, name: str) -> type[Classifier]:
        module, class_name = self._places[name]
        found: type[Classifier] = getattr(import_module(f"{__name__}.{module}"), class_name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


#: Kind -> class: "logistic", "mlp", "lda", "knn", "catboost" (the last needs the extra ``boost``).
CLASSIFIERS: Mapping[str, type[Classifier]] = _ByName()
