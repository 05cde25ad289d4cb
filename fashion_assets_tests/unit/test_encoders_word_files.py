"""Word vectors of every shared format give the same vectors; pickles and damaged files give a sentence."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import save_facebook_model
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.averaged_words import AveragedWords
from fashion_assets.encoders.word_vector_files import load_word_vectors
from fashion_assets.storage.errors import UserError

WORDS = ["платье", "Красный", "dress", "连衣裙", "<unk>"]
ROWS = np.random.default_rng(0).choice([-1.5, -0.25, 0.5, 2.0], (len(WORDS), 6)).astype(np.float32)


def keyed() -> KeyedVectors:
    vectors = KeyedVectors(6)
    vectors.add_vectors(WORDS, ROWS)
    return vectors


def write_navec(path: Path, words: list[str] = WORDS, version: int = 1, centroids: int = 5) -> None:
    """Three parts of two numbers; every word has a centroid of its own in each."""
    table = np.stack([ROWS[:centroids, 2 * part : 2 * part + 2] for part in range(3)])
    codes = np.tile(np.arange(len(WORDS), dtype=np.uint8)[:, None], 3)
    counts = np.arange(len(words), dtype="<u4").tobytes()
    members = {
        "meta.json": json.dumps({"id": "made", "version": version}).encode(),
        "vocab.bin": gzip.compress(struct.pack("<I", len(words)) + counts + "\n".join(words).encode()),
        "pq.bin": struct.pack("<4I", len(WORDS), 6, 3, centroids) + codes.tobytes() + table.tobytes(),
    }
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write(path: Path, kind: str) -> Path:
    if kind == "navec":
        write_navec(path)
    elif kind == "glove":
        lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, ROWS, strict=True)]
        path.write_text("".join(lines), "utf-8")
    else:
        keyed().save_word2vec_format(str(path), binary=kind == "binary")
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tar", "navec"),
        ("a.txt", "text"),
        ("a.vec.gz", "text"),
        ("a.bin", "binary"),
        ("a.bin.gz", "binary"),
        ("a.kv", "binary"),
        ("glove.txt", "glove"),
    ],
)
def test_every_format_gives_the_same_vectors(tmp_path: Path, name: str, kind: str) -> None:
    vectors = load_word_vectors(write(tmp_path / name, kind))
    assert vectors.dim == 6
    for word, row in zip(WORDS[:4], ROWS, strict=False):
        found = vectors.find(word)
        assert found is not None
        np.testing.assert_array_equal(found, row)
    assert vectors.find("unseen") is None


def test_fasttext_knows_words_that_it_never_saw(tmp_path: Path) -> None:
    model = FastText(
        [["platform", "shoes", "platforms"]] * 20, vector_size=4, min_count=1, epochs=2, workers=1, bucket=50
    )
    save_facebook_model(model, str(tmp_path / "cc.bin"))
    vectors = load_word_vectors(tmp_path / "cc.bin")
    for word in ("shoes", "platformed"):
        found = vectors.find(word)
        assert found is not None
        np.testing.assert_allclose(found, model.wv[word], atol=1e-6)


def test_the_encoder_takes_the_mean_of_the_words_it_knows(tmp_path: Path) -> None:
    write_navec(tmp_path / "made.tar")
    encoder = load_encoder("words:made.tar", models_dir=tmp_path)
    assert isinstance(encoder, AveragedWords) and encoder.model_id.startswith("words:made@")
    texts = ["ПЛАТЬЕ, Красный unseen", "连衣裙", "nothing known", ""]
    vectors = encoder.encode(texts)
    mean = (ROWS[0] + ROWS[1]) / 2
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(vectors[1], ROWS[3] / np.linalg.norm(ROWS[3]), atol=1e-6)
    assert not vectors[2:].any()
    with pytest.raises(UserError, match="item 1 is a int"):
        encoder.encode(["a", 1])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps({"a": 1}), r"saved with save\(\) is a pickle, which is not read"),
        (b"", "first line is neither"),
        (b"PK\x03\x04 zip", "first line is neither"),
        (b"999999999 9999\nword 1 2\n", "header promises 999,999,999 words"),
        (b"2 3\na 1 2 3\nb 1 2\n", "cannot be read"),
        (b"1 2\na 1 nan\n", "NaN or infinity"),
        (b"0 3\n", "holds no words"),
        (b"  ", "1 words with 0 numbers"),
        (struct.pack("<i", 793_712_314) + b"\0" * 9, "cannot be read"),
    ],
)
def test_other_and_damaged_files_get_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "file.kv").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        load_word_vectors(tmp_path / "file.kv")


def test_damaged_navec_files_get_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "navec.tar"
    write_navec(path, version=2)
    with pytest.raises(UserError, match="navec version 2"):
        load_word_vectors(path)
    write_navec(path, words=WORDS[:3])
    with pytest.raises(UserError, match="3 words for 5 vectors"):
        load_word_vectors(path)
    write_navec(path, centroids=4)
    with pytest.raises(UserError, match="vectors without centroids"):
        load_word_vectors(path)
    with tarfile.open(path, "w"):
        pass
    with pytest.raises(UserError, match=r"meta\.json"):
        load_word_vectors(path)
    with pytest.raises(UserError, match="no file of word vectors"):
        load_word_vectors(tmp_path / "missing")


@given(st.binary(max_size=200))
def test_no_bytes_whatever_do_more_than_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    try:
        assert load_word_vectors(path).dim > 0
    except UserError as error:
        assert "cannot be read" in str(error)
