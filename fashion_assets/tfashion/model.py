"""The trained word classifier: words in, probabilities of being a fashion word out; on disk safetensors and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.tokens import is_content_form
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic
from fashion_assets.tfashion.calibration import PlattCalibration
from fashion_assets.tfashion.corpus import CorpusContrast
from fashion_assets.tfashion.evidence import CharEvidence
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.heads import Head, head_from_tensors
from fashion_assets.tfashion.known_words import knowledge_digest, known_log_odds
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets.tfashion.words import training_form

#: Files of a model's folder.
WEIGHTS, CARD = "tfashion.safetensors", "tfashion.json"
#: Raise the number when the same file would give other features or scores: a file of another number is refused.
_FORMAT = "fashion-assets tfashion 1"

#: Words scored at a time: bounds the features in memory (8192 x 1200 float32 are 40 MB).
_WORDS_PER_BLOCK = 8192


@dataclass(frozen=True)
class TfashionModel:
    """A ``KeywordScorer``. ``uses_lists``: whether known words count by the project's lists as well."""

    head: Head
    facts: WordFacts
    evidence: CharEvidence
    calibration: PlattCalibration
    cut: float
    uses_lists: bool
    #: What the card tells beside what the model needs: figures, data, how it was chosen. JSON can hold it.
    story: Mapping[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """A word is a keyword from this probability on."""
        return self.cut

    @cached_property
    def model_id(self) -> str:
        """``tfashion:<head>@<digest>``; the digest covers all that scores depend on: the encoder's id and the project's
        lists as they are now too, so that stored scores are not those of other lists.
        """
        digest = _digest(self._needed(), self._tensors(), knowledge_digest())
        return f"tfashion:{self.head.name}@{digest[:12]}"

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n,) probabilities that the words speak of fashion; 0 for what no post could hold as a word: "", single
        characters, numbers, control characters, a line of thousands.
        """
        # Broken JSON brings halves of characters, which no encoder takes: each becomes a question mark.
        forms = [training_form(word).encode("utf-8", "replace").decode("utf-8") for word in words]
        blocks = [
            self._score(forms[start : start + _WORDS_PER_BLOCK])
            for start in range(0, len(forms), _WORDS_PER_BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)

    def _score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        decision = self.head.decision(self.facts.matrix(words, self.evidence, self.head.name))
        odds = self.calibration.slope * decision.astype(np.float64) + self.calibration.intercept
        if self.uses_lists:
            odds = odds + known_log_odds(words, load_background())
        probability = np.exp(-np.logaddexp(0.0, -odds)).astype(np.float32)
        probability[[not (is_content_form(word) and word.isprintable()) for word in words]] = 0.0
        return probability

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        parts = {
            "head": self.head.tensors(),
            "evidence": self.evidence.tensors(),
            "contrast": self.facts.contrast.tensors(),
        }
        return {f"{part}.{name}": made for part, all_made in parts.items() for name, made in all_made.items()}

    def _needed(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "encoder": self.facts.vectors.model_id,
            "head": self.head.name,
            "head_config": self.head.config(),
            "calibration": [self.calibration.slope, self.calibration.intercept],
            "threshold": self.cut,
            "uses_lists": self.uses_lists,
        }

    def card(self) -> dict[str, Any]:
        """What ``tfashion.json`` holds: the model id, what loading needs, and the story."""
        return {"model_id": self.model_id, **self._needed(), **self.story}

    def save(self, folder: Path) -> None:
        """Write weights and card into ``folder``; the weights are complete in themselves."""
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self._tensors().items()}
        needed = self._needed()
        header = {"needed": json.dumps({**needed, "digest": _digest(needed, tensors)}, ensure_ascii=False)}
        write_bytes_atomic(folder / WEIGHTS, save(tensors, metadata=header))
        write_text_atomic(
            folder / CARD, json.dumps(self.card(), ensure_ascii=False, indent=2, default=float) + "\n"
        )

    @classmethod
    def load(cls, folder: Path, vectors: WordVectors) -> TfashionModel:
        """The model that ``save`` wrote, on the word vectors in use.

        Raises UserError if there is none, if the file is something else, or if it was trained on the vectors
        of another encoder (both ids are named).
        """
        path = folder / WEIGHTS
        needed, tensors = _read(path)
        if needed["encoder"] != vectors.model_id:
            raise UserError(
                f"{path} was trained on words encoded by {needed['encoder']}, but the encoder in use is "
                f"{vectors.model_id}; set FASHION_TEXT_ENCODER to the one it was trained with, or train again: "
                "fashion-assets keywords train"
            )
        parts: dict[str, dict[str, npt.NDArray[Any]]] = {"head": {}, "evidence": {}, "contrast": {}}
        try:
            for name, tensor in tensors.items():
                part, _, inner = name.partition(".")
                parts[part][inner] = tensor
            slope, intercept = needed["calibration"]
            return cls(
                head_from_tensors(needed["head"], needed["head_config"], parts["head"]),
                WordFacts(vectors, CorpusContrast.from_tensors(parts["contrast"])),
                CharEvidence.from_tensors(parts["evidence"]),
                PlattCalibration(slope, intercept),
                needed["threshold"],
                needed["uses_lists"],
                _story(folder, needed),
            )
        except (KeyError, UnicodeDecodeError) as fault:
            raise UserError(
                f"{path} is damaged ({fault!r}); train again: fashion-assets keywords train"
            ) from fault


def read_card(folder: Path) -> dict[str, Any]:
    """The card of the model in ``folder``. UserError if there is none or it cannot be read."""
    path = folder / CARD
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(card, dict):
            raise ValueError("it holds no JSON object")
    except (OSError, ValueError) as fault:
        raise UserError(
            f"the model card {path} cannot be read ({fault}); train again: fashion-assets keywords train"
        ) from fault
    return card


def require_model(folder: Path) -> None:
    """UserError if no model was ever saved in ``folder``."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(
            f"there is no trained word classifier at {path}; train one: fashion-assets keywords train"
        )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    require_model(path.parent)
    try:
        with safe_open(path, framework="numpy") as handle:
            needed = json.loads((handle.metadata() or {}).get("needed", "{}"))
            found = needed.get("format") if isinstance(needed, dict) else None
            if found != _FORMAT:
                raise UserError(
                    f"{path} holds no word classifier of this project (format {found!r}); train one: "
                    "fashion-assets keywords train"
                )
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, json.JSONDecodeError) as fault:
        raise UserError(
            f"{path} is no safetensors file that loads ({fault}); train again: fashion-assets keywords train"
        ) from fault
    # Files of earlier versions tell no digest.
    written = needed.pop("digest", None)
    if written is not None and written != (found := _digest(needed, tensors)):
        raise UserError(
            f"{path} is damaged: the digest of its weights is {found[:12]}, but they were written with "
            f"{str(written)[:12]}; copy the file again, or train again: fashion-assets keywords train"
        )
    return needed, tensors


def _digest(needed: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]], *more: str) -> str:
    """SHA-256 of what a model needs and of its weights."""
    digest = hashlib.sha256(json.dumps(needed, sort_keys=True, ensure_ascii=False).encode())
    for text in more:
        digest.update(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _story(folder: Path, needed: Mapping[str, Any]) -> dict[str, Any]:
    """The card's other entries; a card that is lost or damaged costs the story, not the model."""
    try:
        card = read_card(folder)
    except UserError:
        return {}
    return {name: value for name, value in card.items() if name not in needed and name != "model_id"}
