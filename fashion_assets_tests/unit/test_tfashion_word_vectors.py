"""Words through any encoder: a network that is loaded by path, the cache, and the embedded vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.tfashion.corpus import CorpusContrast
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets_tests.unit.test_encoders_networks import tiny_sentence_transformer
from fashion_assets_tests.unit.words_made import cbow, classifier

WORDS = ["连衣裙", "西装", "围巾", "通勤穿搭", "ootd", "西装", "裙"]


class Counting:
    """An encoder that keeps what it was asked to encode."""

    modality = "text"

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.model_id: str = encoder.model_id
        self.dim: int = encoder.dim
        self.encoded: list[str] = []

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> np.ndarray:
        asked = list(items)
        self.encoded += asked
        return self._encoder.encode(asked)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_sentence_transformer(tmp_path_factory.mktemp("st") / "tiny-st")
    return load_encoder(f"st:{folder}", device="cpu", batch_size=4)


def test_a_network_encodes_every_word_once_ever(network: Any, tmp_path: Path) -> None:
    counting = Counting(network)
    vectors = WordVectors(counting, EmbeddingCache(tmp_path))
    rows = vectors.encode(WORDS)
    assert sorted(counting.encoded) == sorted(set(WORDS))
    np.testing.assert_allclose(rows, network.encode(WORDS), atol=1e-5)
    np.testing.assert_array_equal(rows[1], rows[5])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    vectors.encode(WORDS[::-1])
    assert len(counting.encoded) == len(set(WORDS))
    # Another run, another process: only what is new.
    later = Counting(network)
    again = WordVectors(later, EmbeddingCache(tmp_path)).encode([*WORDS, "羽绒服"])
    assert later.encoded == ["羽绒服"]
    np.testing.assert_array_equal(again[:-1], rows)


def test_another_encoder_does_not_read_the_vectors_of_this_one(network: Any, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    WordVectors(Counting(network), cache).encode(WORDS)
    other = Counting(network)
    other.model_id = "st:other@000000000000"
    WordVectors(other, cache).encode(WORDS)
    assert len(other.encoded) == len(set(WORDS))


def test_without_a_cache_and_without_words(network: Any) -> None:
    vectors = WordVectors(network)
    assert (vectors.model_id, vectors.dim) == (network.model_id, 16)
    np.testing.assert_allclose(vectors.encode(WORDS), network.encode(WORDS), atol=1e-5)
    assert vectors.encode([]).shape == (0, 16)
    counting = Counting(network)
    assert WordVectors(counting).encode([]).dtype == np.float32
    assert counting.encoded == []


def test_embedded_vectors_are_those_of_words_not_of_texts(tmp_path: Path) -> None:
    model = cbow(words=("的", "裙子"))
    rows = WordVectors(model, EmbeddingCache(tmp_path)).encode(["的", "裙子", "没见过的词", ""])
    np.testing.assert_allclose(
        rows[:2], model.vectors / np.linalg.norm(model.vectors, axis=1)[:, None], atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.norm(rows[:3], axis=1), 1, atol=1e-6)  # a stopword has one as well
    assert np.isfinite(rows).all()
    assert not list(tmp_path.iterdir())  # looking a vector up needs no cache


def test_a_classifier_on_a_network_scores_each_new_word_once(network: Any, tmp_path: Path) -> None:
    counting = Counting(network)
    known = WordFacts(WordVectors(counting, EmbeddingCache(tmp_path)), CorpusContrast.count([]))
    model = classifier(known)
    trained_on = len(counting.encoded)
    assert trained_on == len(set(counting.encoded))
    first = model.score(["西装", "围巾", "历史问题", "西 装"])
    assert len(counting.encoded) == trained_on + 2  # 历史问题 was trained on, 西 装 is 西装
    assert first[0] == first[3]
    np.testing.assert_array_equal(model.score(["围巾", "西装"]), first[[1, 0]])
    assert len(counting.encoded) == trained_on + 2
