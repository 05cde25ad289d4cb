"""Word vectors: equal to gensim's, the same on every run, and sentence vectors that keep their promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cbow import CbowModel, CbowSettings
from fashion_assets.encoders.cbow_training import (
    MAX_EPOCHS,
    MIN_EPOCHS,
    _train_fasttext,
    epochs_for,
    first_component,
    lexicon_cbow,
    train_cbow,
)
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.storage.errors import UserError

TOPICS = [
    ["连衣裙", "碎花", "法式", "夏天"],
    ["羽绒服", "围巾", "冬天", "毛衣"],
    ["西装", "通勤", "衬衫", "职场"],
]


def corpus(n_texts: int = 300) -> list[list[str]]:
    """Made-up texts, each of one topic."""
    generator = np.random.default_rng(3)
    return [[str(generator.choice(TOPICS[i % 3])) for _ in range(8)] for i in range(n_texts)]


@pytest.fixture(scope="module")
def model() -> CbowModel:
    return train_cbow(corpus(), dim=24, epochs=20, bucket=500)


def test_it_is_an_encoder_of_unit_rows(model: CbowModel) -> None:
    assert isinstance(model, Encoder)
    rows = model.encode_tokens([["连衣裙", "碎花"], [], ["没见过的词"]])
    assert rows.dtype == np.float32
    assert rows.shape == (3, 24)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0, 1], atol=1e-6)
    assert model.encode_tokens([]).shape == (0, 24)


def test_texts_of_one_topic_are_nearer(model: CbowModel) -> None:
    rows = model.encode_tokens([["连衣裙", "碎花"], ["法式", "夏天"], ["羽绒服", "围巾"], ["毛衣", "冬天"]])
    similar = rows @ rows.T
    assert similar[0, 1] > similar[0, 2] + 0.3
    assert similar[2, 3] > similar[1, 3] + 0.3


def test_saved_vectors_equal_gensim_known_and_unknown(tmp_path: Path) -> None:
    settings = CbowSettings(dim=24, epochs=5, bucket=500)
    keyed = _train_fasttext(corpus(), settings).wv
    model = train_cbow(corpus(), dim=24, epochs=5, bucket=500)
    model.save(tmp_path / "cbow.safetensors")
    loaded = CbowModel.load(tmp_path / "cbow.safetensors")
    for word in [*keyed.index_to_key, "碎花连衣裙", "lululemon", "裙", "💃"]:
        np.testing.assert_allclose(loaded.word_vector(word), keyed.get_vector(word), atol=1e-6)
    assert loaded.model_id == model.model_id
    np.testing.assert_array_equal(loaded.encode_tokens(corpus(20)), model.encode_tokens(corpus(20)))
    assert {path.name for path in tmp_path.iterdir()} == {"cbow.safetensors", "cbow.json"}


def test_the_digest_is_the_same_in_another_process(tmp_path: Path) -> None:
    program = (
        "from fashion_assets_tests.unit.test_encoders_cbow import corpus, train_cbow;"
        "print(train_cbow(corpus(60), dim=16, epochs=3, bucket=200).model_id)"
    )
    here = train_cbow(corpus(60), dim=16, epochs=3, bucket=200).model_id
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.strip() == here
    assert train_cbow(corpus(60), dim=16, epochs=3, bucket=200, seed=8).model_id != here


@given(st.lists(st.lists(st.sampled_from(["连衣裙", "西装", "冬天", "怪词", "x"]), max_size=6), max_size=8))
def test_a_text_has_its_vector_whatever_stands_beside_it(model: CbowModel, texts: list[list[str]]) -> None:
    together = model.encode_tokens(texts)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(row, model.encode_tokens([text])[0])


def test_frequent_words_weigh_less(model: CbowModel) -> None:
    weights = model.word_weights([model.words[0], "没见过的词"])
    assert 0 < weights[0] < weights[1] <= 1


def test_first_component_is_the_main_direction() -> None:
    generator = np.random.default_rng(0)
    direction = np.asarray([3.0, -4.0]) / 5
    rows = np.outer(generator.normal(size=200), direction) + 0.01 * generator.normal(size=(200, 2))
    np.testing.assert_allclose(first_component(rows), -direction, atol=0.01)
    np.testing.assert_array_equal(first_component(np.zeros((0, 3))), np.zeros(3))


@given(st.integers(0, 10**9))
def test_epochs_stay_within_bounds(n_tokens: int) -> None:
    assert MIN_EPOCHS <= epochs_for(n_tokens) <= MAX_EPOCHS


def test_too_little_text_is_said() -> None:
    with pytest.raises(UserError, match="at least 2 times"):
        train_cbow([["一次"], ["两回"]])
    with pytest.raises(UserError, match="at least 2 times"):
        train_cbow([])


def test_load_encoder_finds_the_models_folder_and_paths(model: CbowModel, tmp_path: Path) -> None:
    model.save(tmp_path / "word_vectors" / "cbow.safetensors")
    for spec in ("local:cbow", "local:cbow:word_vectors/cbow.safetensors"):
        assert load_encoder(spec, models_dir=tmp_path).model_id == model.model_id
    assert model.model_id == f"local:cbow@{model.digest[:12]}"
    with pytest.raises(UserError, match="materialise word_vectors"):
        load_encoder("local:cbow", models_dir=tmp_path / "none")
    with pytest.raises(UserError, match=r"nowhere\.safetensors"):
        load_encoder("local:cbow:nowhere.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"not a model")
    with pytest.raises(UserError, match="safetensors"):
        load_encoder("local:cbow:junk.safetensors", models_dir=tmp_path)


def test_a_flipped_bit_is_refused_wherever_it_lies(model: CbowModel, tmp_path: Path) -> None:
    path = tmp_path / "cbow.safetensors"
    model.save(path)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in np.linspace(start, len(whole) - 1, 30).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=r"cbow\.safetensors is .*materialise word_vectors"):
            CbowModel.load(path)


def test_equal_models_are_equal_files(model: CbowModel, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for path in files:
        model.save(path)
    assert len({path.read_bytes() for path in files}) == 1


def test_without_a_corpus_the_lexicon_serves() -> None:
    encoder = load_encoder("local:cbow")
    assert encoder is lexicon_cbow()
    assert encoder.model_id.startswith("local:cbow-lexicon@")
    rows = encoder.encode(["碎花连衣裙和半身裙", "红色 蓝色 绿色", "连衣裙 短裙", ""])
    assert np.linalg.norm(rows[3]) == 0
    assert rows[0] @ rows[2] > rows[0] @ rows[1]
    with pytest.raises(UserError, match="item 1 is a int"):
        encoder.encode(["裙", 3])
