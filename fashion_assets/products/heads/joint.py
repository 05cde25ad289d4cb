"""Attributes of one product decided together: a sandal is footwear, whatever the other head leans to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.labels import label_text
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

FloatArray = npt.NDArray[np.float64]
Labels = Sequence[object] | npt.NDArray[Any]

CARD_FILE, ARRAYS_FILE = "joint.json", "joint.safetensors"
FORMAT = "fashion-assets joint decoder 1"
#: Strengths that are tried; 0 leaves every head to itself.
STRENGTHS = (0.0, 0.03, 0.06, 0.1, 0.2, 0.3)
#: Pairs that were never seen count as one product spread over all pairs as if attributes were independent.
PRIOR_PRODUCTS = 1.0
#: A head that says 0 has no logarithm; smaller probabilities count as this.
SMALLEST_PROBABILITY = 1e-12
#: Rounds of mean-field updates.
ROUNDS = 2


class JointDecoder:
    """Mean-field decoding over pairs of attributes (a pairwise Markov field with the heads as unary terms).

    log q_a(x) = log p_a(x) + strength * sum_b sum_y q_b(y) PMI_ab(x, y), PMI from the training labels.

    Fitted attributes: ``classes_`` attribute -> labels, ``pmi_`` (a, b) -> (k_a, k_b), ``strength_``.
    """

    def fit(
        self,
        labels: Mapping[str, Labels],
        classes: Mapping[str, Sequence[str]],
        probabilities: Mapping[str, npt.ArrayLike],
        truth: Mapping[str, Labels],
    ) -> JointDecoder:
        """Learn which labels go together from ``labels`` (training products), and the strength from held-out
        ``probabilities`` (m, k) and ``truth`` (m,) per attribute: the one with most products right in all.

        Of equally good strengths the smallest wins. Raises UserError for fewer than two attributes.
        """
        names = list(classes)
        if len(names) < 2:
            raise UserError(f"{len(names)} attribute cannot be decided jointly; give two or more")
        self.classes_ = {name: [str(label) for label in classes[name]] for name in names}
        codes = {name: self._codes(name, labels[name]) for name in names}
        self.pmi_ = {pair: self._pmi(pair, codes) for pair in combinations(names, 2)}
        true = np.column_stack([self._codes(name, truth[name]) for name in names])
        known = (true >= 0).all(axis=1)
        scores = []
        for strength in STRENGTHS:
            self.strength_ = strength
            decoded = self.decode(probabilities)
            guess = np.column_stack([decoded[name].argmax(axis=1) for name in names])
            scores.append((guess == true)[known].all(axis=1).mean() if known.any() else 0.0)
        self.strength_ = STRENGTHS[int(np.argmax(scores))]
        return self

    def decode(self, probabilities: Mapping[str, npt.ArrayLike]) -> dict[str, FloatArray]:
        """Attribute -> (n, k) probabilities with the other attributes heard; rows add up to 1.

        Raises UserError for other attributes or classes than it was fitted on.
        """
        if not hasattr(self, "pmi_"):
            raise UserError("the joint decoder has not been fitted; call fit or load first")
        given = {name: np.asarray(values, dtype=np.float64) for name, values in probabilities.items()}
        for name, classes in self.classes_.items():
            if name not in given or given[name].ndim != 2 or given[name].shape[1] != len(classes):
                raise UserError(
                    f"the joint decoder knows {', '.join(self.classes_)}; there are no probabilities of {name} over "
                    f"its {len(classes)} classes"
                )
        if not self.strength_:
            return {name: given[name] for name in self.classes_}
        logs = {name: np.log(np.maximum(given[name], SMALLEST_PROBABILITY)) for name in self.classes_}
        current = {name: given[name] for name in self.classes_}
        for _ in range(ROUNDS):
            heard = {name: values.copy() for name, values in logs.items()}
            for (first, second), pmi in self.pmi_.items():
                heard[first] += self.strength_ * (current[second] @ pmi.T)
                heard[second] += self.strength_ * (current[first] @ pmi)
            current = {name: _softmax(values) for name, values in heard.items()}
        return current

    def save(self, folder: Path) -> None:
        """Write ``joint.json`` and ``joint.safetensors`` into ``folder``."""
        from safetensors.numpy import save

        pairs = list(self.pmi_)
        arrays = {f"pmi.{number}": np.ascontiguousarray(self.pmi_[pair]) for number, pair in enumerate(pairs)}
        card = {"format": FORMAT, "strength": self.strength_, "classes": self.classes_, "pairs": pairs}
        write_bytes_atomic(Path(folder) / ARRAYS_FILE, save(arrays))
        write_text_atomic(Path(folder) / CARD_FILE, json.dumps(card, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> JointDecoder:
        """The decoder that ``save`` wrote. Raises UserError if there is none or it is damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            card: Any = json.loads((Path(folder) / CARD_FILE).read_text("utf-8"))
            arrays = load((Path(folder) / ARRAYS_FILE).read_bytes())
            if card["format"] != FORMAT:
                raise ValueError(f"format {card['format']!r}")
            made = cls()
            made.strength_, made.classes_ = float(card["strength"]), dict(card["classes"])
            made.pmi_ = {
                (first, second): arrays[f"pmi.{number}"]
                for number, (first, second) in enumerate(card["pairs"])
            }
        except FileNotFoundError as error:
            raise UserError(f"{folder} holds no joint decoder; train the model anew") from error
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(
                f"the joint decoder in {folder} is damaged ({error}); train the model anew"
            ) from error
        return made

    def _codes(self, name: str, labels: Labels) -> npt.NDArray[np.int64]:
        position = {label: at for at, label in enumerate(self.classes_[name])}
        return np.array([position.get(label_text(label) or "", -1) for label in labels], dtype=np.int64)

    def _pmi(self, pair: tuple[str, str], codes: Mapping[str, npt.NDArray[np.int64]]) -> FloatArray:
        first, second = (codes[name] for name in pair)
        known = (first >= 0) & (second >= 0)
        counts = np.zeros((len(self.classes_[pair[0]]), len(self.classes_[pair[1]])))
        np.add.at(counts, (first[known], second[known]), 1.0)
        counts += 1e-6
        share = counts / counts.sum()
        alone = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
        counts += PRIOR_PRODUCTS * alone
        return np.asarray(np.log(counts / counts.sum() / alone))


def _softmax(values: FloatArray) -> FloatArray:
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
