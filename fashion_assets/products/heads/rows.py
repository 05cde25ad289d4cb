"""Products as plain rows, for the kinds of ``products.classifiers``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.classifiers import CLASSIFIERS, Classifier
from fashion_assets.products.heads.config import AS_THEY_ARE
from fashion_assets.products.heads.space import Signals
from fashion_assets.products.heads.transform import EmbeddingTransform
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.resampling import Resampling

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Kinds that take n-grams as they are; the others get the most frequent ones folded into few numbers.
SPARSE_KINDS = frozenset({"logistic"})
#: Numbers that n-grams are folded into, and of how many n-grams.
FOLDED_AXES, FOLDED_NGRAMS = 200, 8000
#: A product with both sides is learnt from a second time with one side blank, for products that come with one only.
BLANKED_WEIGHT = 0.5


@dataclass
class RowClassifier:
    """A classifier of ``kind`` over [vectors | n-grams]; ``fold`` (v, r) turns n-grams into numbers, or is None.

    ``transform`` maps the vectors, and with them n-grams that are folded; None leaves them as they are.
    """

    kind: str
    classifier: Classifier
    columns: npt.NDArray[np.int64] | None = None
    fold: npt.NDArray[np.float32] | None = None
    transform: EmbeddingTransform | None = None

    @classmethod
    def fit(
        cls,
        kind: str,
        signals: Signals,
        codes: IntArray,
        *,
        seed: int,
        params: Mapping[str, Any] | None = None,
        resampling: Resampling | None = None,
        embedding_transform: str = AS_THEY_ARE,
    ) -> RowClassifier:
        """Learn from labelled products; ``params`` are options of the kind, ``resampling`` evens out the classes,
        ``embedding_transform`` is learnt from the same products.
        """
        made = cls.unfitted(
            kind, signals, codes, seed=seed, params=params, embedding_transform=embedding_transform
        )
        rows, labels, weights = made.training_rows(signals, codes, seed)
        if resampling is not None:
            rows, labels = resampling.apply(rows, labels)
            weights = np.ones(len(labels))
        made.classifier.fit(rows, labels, sample_weight=weights)
        return made

    @classmethod
    def unfitted(
        cls,
        kind: str,
        signals: Signals,
        codes: IntArray,
        *,
        seed: int,
        params: Mapping[str, Any] | None = None,
        embedding_transform: str = AS_THEY_ARE,
    ) -> RowClassifier:
        """All but the classifier learnt, so that ``rows`` can be asked for. Raises UserError for a transform where
        there is no vector to map.
        """
        made_of = CLASSIFIERS[kind]
        options = dict(params or {})
        if "random_state" in made_of().get_params():
            options.setdefault("random_state", seed)
        made = cls(kind, made_of(**options))
        if kind not in SPARSE_KINDS:
            made._fit_fold(signals, seed)
        if embedding_transform != AS_THEY_ARE:
            numbers = made._numbers(signals)
            if not numbers.shape[1]:
                raise UserError(
                    f"the embedding transform {embedding_transform} has no vector to map: these products have words "
                    "alone; take it out, or name an encoder"
                )
            made.transform = EmbeddingTransform.fit(embedding_transform, numbers, codes, seed=seed)
        return made

    def predict_proba(self, signals: Signals) -> FloatArray:
        """(n, k) probabilities."""
        if not len(signals):
            return np.zeros((0, len(self.classifier.classes_)))
        return np.asarray(self.classifier.predict_proba(self.rows(signals)), dtype=np.float64)

    def rows(self, signals: Signals) -> Any:
        """(n, d) what the classifier sees: CSR for the kinds that take n-grams, else dense float32."""
        import scipy.sparse

        numbers = self._numbers(signals)
        if self.transform is not None:
            numbers = self.transform.apply(numbers)
        if self.kind in SPARSE_KINDS:
            # Beside numbers of spread 1, n-gram rows of length 1 would be penalised away.
            weight = np.float32(np.sqrt(numbers.shape[1]) or 1.0)
            ngrams = _all_ngrams(signals) * weight
            return scipy.sparse.hstack([scipy.sparse.csr_matrix(numbers), ngrams], format="csr")
        return numbers if numbers.shape[1] else np.zeros((len(signals), 1), np.float32)

    def _numbers(self, signals: Signals) -> npt.NDArray[np.float32]:
        """(n, d) vectors of spread 1, and n-grams where they are folded; d is 0 where there is neither."""
        dense = [block * np.float32(np.sqrt(block.shape[1])) for block in signals.dense.values()]
        if self.fold is not None and self.columns is not None:
            folded = _all_ngrams(signals)[:, self.columns] @ self.fold
            dense.append(np.asarray(folded, dtype=np.float32))
        return np.hstack(dense) if dense else np.zeros((len(signals), 0), np.float32)

    def _fit_fold(self, signals: Signals, seed: int) -> None:
        from sklearn.utils.extmath import randomized_svd

        ngrams = _all_ngrams(signals)
        used = np.asarray((ngrams > 0).sum(axis=0)).ravel()
        self.columns = np.sort(np.argsort(-used, kind="stable")[:FOLDED_NGRAMS])
        chosen = ngrams[:, self.columns]
        axes = min(FOLDED_AXES, min(chosen.shape) - 1)
        if axes < 1:
            self.columns = None
            return
        _, strength, directions = randomized_svd(chosen, axes, random_state=seed)
        kept = directions[strength > 1e-6]
        # Rows of about the length that a block of vectors has: whitened, the rarest n-grams would outweigh all else.
        self.fold = np.ascontiguousarray(kept.T * np.sqrt(len(kept)), dtype=np.float32)

    def training_rows(self, signals: Signals, codes: IntArray, seed: int) -> tuple[Any, IntArray, FloatArray]:
        """(rows, codes, weights): the products, and those with both sides once more with one side blank."""
        import scipy.sparse

        rows = self.rows(signals)
        both = np.flatnonzero(signals.has_image & signals.has_text)
        if not len(both):
            return rows, codes, np.ones(len(codes))
        side = np.random.default_rng(seed).random(len(both)) < 0.5
        parts, labels = [rows], [codes]
        for name, chosen in (("image", both[side]), ("text", both[~side])):
            if len(chosen):
                parts.append(self.rows(signals.take(chosen).only(name)))
                labels.append(codes[chosen])
        stacked = scipy.sparse.vstack(parts, format="csr") if self.kind in SPARSE_KINDS else np.vstack(parts)
        weights = np.concatenate([np.ones(len(codes)), np.full(len(both), BLANKED_WEIGHT)])
        return stacked, np.concatenate(labels), weights

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """(arrays, card)."""
        arrays, card = self.classifier.state()
        arrays = {f"classifier.{name}": values for name, values in arrays.items()}
        if self.columns is not None and self.fold is not None:
            arrays |= {"columns": self.columns, "fold": self.fold}
        told: dict[str, Any] = {"kind": self.kind, "classifier": card, "transform": None}
        if self.transform is not None:
            mapped, told["transform"] = self.transform.state()
            arrays |= {f"transform.{name}": values for name, values in mapped.items()}
        return arrays, told

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> RowClassifier:
        """What ``state`` described."""
        classifier = CLASSIFIERS[card["kind"]].from_state(_below("classifier.", arrays), card["classifier"])
        transform = None
        if card["transform"] is not None:
            transform = EmbeddingTransform.from_state(_below("transform.", arrays), card["transform"])
        return cls(card["kind"], classifier, arrays.get("columns"), arrays.get("fold"), transform)


def _all_ngrams(signals: Signals) -> Any:
    """(n, v) CSR n-grams of all kinds side by side."""
    import scipy.sparse

    return scipy.sparse.hstack(list(signals.ngrams.values()), format="csr", dtype=np.float32)


def _below(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
