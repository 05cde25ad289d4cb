"""``local:cbow``: word vectors learned on the corpus itself, and SIF sentence vectors made of them.

Words: continuous bag of words with character n-grams (Bojanowski et al. 2017, by gensim), so that a word
that was never seen still gets the vector of its characters. Texts: smooth inverse frequency (Arora, Liang
and Ma 2017, "A simple but tough-to-beat baseline"): the mean of the word vectors weighted by a / (a +
p(word)), without its part along the first principal component of the training corpus.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.rows import unit_rows
from fashion_assets.networks.weights import DIGEST_LENGTH
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

#: Texts per block of the sparse product: bounds memory, changes no value.
_TEXTS_PER_BLOCK = 4096
_FORMAT = "fashion-assets cbow 1"


@dataclass(frozen=True)
class CbowSettings:
    """What steers training and encoding, kept with the model; each default with its reason."""

    #: d; small corpora fill no more, and it sets the width of every table behind it.
    dim: int = 128
    #: Rounds over the corpus; None: as many as reach ``cbow_training.TARGET_TOKENS``, within bounds.
    epochs: int | None = None
    seed: int = 7
    #: Words seen less often have no vector of their own, only that of their n-grams.
    min_count: int = 2
    #: Context words on each side: most of a post, since its words describe one outfit in any order. With 5 the
    #: styles of the sample were not found.
    window: int = 20
    #: First learning rate; gensim's .025 leaves a corpus of some thousand posts undertrained.
    alpha: float = 0.05
    #: Most Chinese words have two to four characters, and single ones carry meaning (裙, 鞋).
    min_n: int = 1
    max_n: int = 3
    #: Rows of the n-gram table; bounds the file to bucket x dim x 4 bytes (10 MB).
    bucket: int = 20_000
    #: a of SIF as Arora et al. took it; on the sample 3e-4 to 1e-2 find the styles alike.
    sif_a: float = 1e-3


class CbowModel:
    """Word vectors with SIF sentence vectors; an ``Encoder`` for texts.

    ``vectors`` (v, d) are the finished vectors of the words of the vocabulary, ``ngram_vectors`` (b, d) the
    hashed n-grams, ``counts`` (v,) how often each word was seen, ``component`` (d,) the direction that is
    removed.
    """

    modality: Modality = "text"

    def __init__(
        self,
        words: Sequence[str],
        vectors: npt.NDArray[np.float32],
        ngram_vectors: npt.NDArray[np.float32],
        counts: npt.NDArray[np.int64],
        component: npt.NDArray[np.float32],
        settings: CbowSettings,
        name: str = "local:cbow",
    ) -> None:
        self.words = list(words)
        self.vectors = vectors
        self.ngram_vectors = ngram_vectors
        self.counts = counts
        self.component = component
        self.settings = settings
        self.dim = int(vectors.shape[1])
        self._index = {word: row for row, word in enumerate(self.words)}
        self._total = float(max(int(counts.sum()), 1))
        self.digest = self._digest()
        self.model_id = f"{name}@{self.digest[:DIGEST_LENGTH]}"

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def word_vector(self, word: str) -> npt.NDArray[np.float32]:
        """(d,) float32, not normalised: the word's own vector, or the mean of its n-grams if it was never
        seen."""
        row = self._index.get(word)
        return self.vectors[row] if row is not None else self._ngram_mean(word)

    def word_vectors(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, d) float32, one ``word_vector`` a row."""
        rows = [self.word_vector(word) for word in words]
        return np.stack(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)

    def _ngram_mean(self, word: str) -> npt.NDArray[np.float32]:
        # The arithmetic of gensim's FastTextKeyedVectors.get_vector, whose hashes are used.
        from gensim.models.fasttext import ft_ngram_hashes

        out = np.zeros(self.dim, dtype=np.float32)
        hashes = ft_ngram_hashes(word, self.settings.min_n, self.settings.max_n, self.settings.bucket)
        for row in hashes:
            out += self.ngram_vectors[row]
        return np.divide(out, np.float32(max(len(hashes), 1)))

    def word_weights(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n,) SIF weights a / (a + p(word)); an unseen word counts as seen once."""
        seen = [self.counts[self._index[word]] if word in self._index else 1 for word in words]
        share = np.asarray(seen, dtype=np.float64) / self._total
        return (self.settings.sif_a / (self.settings.sif_a + share)).astype(np.float32)

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 unit rows of the texts; all zeros for a text without content words.

        ``refused`` stays as it is: a text is never refused.
        """
        from fashion_assets.keywords.tokens import content_tokens

        items = item_list(items, self.model_id)
        for number, item in enumerate(items):
            if not isinstance(item, str):
                raise UserError(
                    f"{self.model_id} takes texts: item {number} is a {type(item).__name__}, expected str"
                )
        return self.encode_tokens(content_tokens(items))

    def encode_tokens(self, token_lists: Iterable[Sequence[str]]) -> Vectors:
        """(n, d) float32 unit rows of texts that are tokens already; all zeros for an empty list."""
        means = self.weighted_means(token_lists)
        along = means @ self.component
        return unit_rows(means - np.outer(along, self.component))

    def weighted_means(self, token_lists: Iterable[Sequence[str]]) -> npt.NDArray[np.float64]:
        """(n, d) float64 SIF-weighted means before the common component is removed."""
        texts = list(token_lists)
        blocks = [
            self._weighted_means(texts[start : start + _TEXTS_PER_BLOCK])
            for start in range(0, len(texts), _TEXTS_PER_BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, self.dim))

    def _weighted_means(self, texts: list[Sequence[str]]) -> npt.NDArray[np.float64]:
        from scipy.sparse import csr_array

        lengths = np.asarray([len(text) for text in texts], dtype=np.int64)
        words = sorted({word for text in texts for word in text})
        if not words:
            return np.zeros((len(texts), self.dim))
        column = {word: position for position, word in enumerate(words)}
        columns = np.asarray([column[word] for text in texts for word in text], dtype=np.int64)
        weighted = self.word_vectors(words).astype(np.float64) * self.word_weights(words)[:, None]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        chosen = csr_array((np.ones(len(columns)), columns, offsets), shape=(len(texts), len(words)))
        # Sorted columns add up in the same order whatever else is in the block: a text's vector is its own.
        chosen.sort_indices()
        means: npt.NDArray[np.float64] = (chosen @ weighted) / np.maximum(lengths, 1)[:, None]
        return means

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "vectors": self.vectors,
            "ngram_vectors": self.ngram_vectors,
            "counts": self.counts,
            "component": self.component,
            "words": np.frombuffer("\n".join(self.words).encode("utf-8"), dtype=np.uint8),
        }

    def _digest(self) -> str:
        """SHA-256 over every tensor and the settings that encoding depends on."""
        settings = self.settings
        digest = hashlib.sha256(
            f"{_FORMAT} {settings.min_n} {settings.max_n} {settings.bucket} {settings.sif_a}".encode()
        )
        for name, tensor in self._tensors().items():
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            digest.update(np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write ``path`` (safetensors, complete in itself) and a JSON card for people beside it."""
        from safetensors.numpy import save

        inside = {"format": _FORMAT, "settings": asdict(self.settings), "digest": self.digest}
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self._tensors().items()}
        # One entry: several would be written in an order that changes from run to run.
        write_bytes_atomic(path, save(tensors, metadata={"card": json.dumps(inside, sort_keys=True)}))
        card = {
            "model_id": self.model_id,
            "kind": "FastText CBOW word vectors with SIF sentence vectors",
            "words": len(self.words),
            "tokens_seen": int(self.counts.sum()),
            "digest": self.digest,
            "settings": asdict(self.settings),
        }
        write_text_atomic(path.with_suffix(".json"), json.dumps(card, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> CbowModel:
        """The model of a file that ``save`` wrote. UserError if it is missing, something else, or was changed."""
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise UserError(
                f"no word vectors at {path}; materialise word_vectors first, or give another path"
            )
        try:
            with safe_open(path, framework="numpy") as handle:
                header = handle.metadata() or {}
                # Earlier versions wrote an entry each, and no digest.
                card = json.loads(header["card"]) if "card" in header else header
                if card.get("format") != _FORMAT:
                    raise UserError(
                        f"{path} holds no CBOW model of this project (format {card.get('format')!r})"
                    )
                tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a dict
            settings = card["settings"] if "card" in header else json.loads(card["settings"])
            text = tensors["words"].tobytes().decode("utf-8")
            model = cls(
                text.split("\n") if text else [],
                tensors["vectors"],
                tensors["ngram_vectors"],
                tensors["counts"],
                tensors["component"],
                CbowSettings(**settings),
            )
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{path} is not a safetensors file of word vectors that loads: {error}; it is damaged or something "
                "else: materialise word_vectors again, or give another path"
            ) from error
        if card.get("digest", model.digest) != model.digest:
            raise UserError(
                f"{path} is damaged: the digest of its vectors is {model.digest[:12]}, but they were written with "
                f"{str(card['digest'])[:12]}; copy the file again, or materialise word_vectors"
            )
        return model
