"""The rooms of the Ray engine that need no cluster: rows, what workers do, shares, and how a connection fails."""

from __future__ import annotations

import socket
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image

from fashion_assets.encoders import load_encoder, ray_session
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.pictures import PackedPicture, picture_pixels
from fashion_assets.encoders.ray_encoder import cpus_each, gpus_each
from fashion_assets.encoders.ray_rows import check_kinds, decoded, items_of_rows, rows_of_items
from fashion_assets.encoders.ray_workers import EncoderFacts, EncodeRows, encoder_facts, store_rows
from fashion_assets.encoders.tables import vectors_of
from fashion_assets.storage.errors import UserError

GENERATOR = np.random.default_rng(0)
OPTIONS: dict[str, Any] = {"batch_size": None}


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "photograph.jpg"
    Image.fromarray(GENERATOR.integers(0, 256, (30, 20, 3), dtype=np.uint8)).resize((400, 600)).save(path)
    return path


def pixels(channels: int) -> npt.NDArray[np.uint8]:
    return GENERATOR.integers(0, 256, (7, 5, channels), dtype=np.uint8)


def test_items_come_out_of_the_rows_as_an_encoder_would_read_them(
    photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photograph.parent)
    items = [
        Path("photograph.jpg"),
        PackedPicture("packed.jpg", photograph.read_bytes),
        pixels(3),
        pixels(4),
        "连衣裙",
        "",
    ]
    rows = rows_of_items(list("abcdef"), items)
    monkeypatch.chdir("/")  # as a worker, which has another working folder
    [table] = decoded(rows, max_side=100, block_bytes=1 << 20)
    expected = [picture_pixels(photograph, max_side=100)] * 2 + items[2:]
    assert expected[0].shape == (100, 67, 3)
    for found, wanted in zip(items_of_rows(table), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert table["key"].to_pylist() == list("abcdef") and table["refused"].null_count == 6


def test_decoded_pictures_leave_in_blocks_and_a_bad_one_alone(photograph: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    rows = rows_of_items(list("abcde"), [photograph, bad, photograph, photograph, tmp_path / "none.jpg"])
    one = picture_pixels(photograph, max_side=50).nbytes
    tables = list(decoded(rows, max_side=50, block_bytes=2 * one))
    assert [table["key"].to_pylist() for table in tables] == [["a", "b", "c"], ["d", "e"]]
    reasons = [reason for table in tables for reason in table["refused"].to_pylist()]
    assert reasons[1].startswith("bad.jpg is empty") and reasons[4].startswith("none.jpg is not there")
    assert [reason is None for reason in reasons] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("modality", "items", "said"),
    [
        ("text", ["a", Path("b")], "number 11 is a PosixPath, expected str"),
        ("image", [Path("a"), Path("b"), "c.jpg"], "number 12 is a str.*wrap file names in Path"),
        ("joint", ["a", Path("b"), 3], "number 12 is a int"),
    ],
)
def test_the_first_item_of_a_wrong_kind_is_named(modality: Any, items: list[Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_kinds(items, modality, "m@1", 10)
    check_kinds(items[:1], modality, "m@1")


def test_workers_encode_what_can_be_read_and_store_it(photograph: Path, tmp_path: Path) -> None:
    facts = encoder_facts("local:visual", OPTIONS)
    assert isinstance(facts, EncoderFacts)
    items = [photograph, tmp_path / "none.jpg", pixels(4)]
    [rows] = decoded(rows_of_items(list("abc"), items), facts.decode_side, 1 << 30)
    encoded = EncodeRows("local:visual", OPTIONS, facts, "{}")(rows)
    expected = load_encoder("local:visual").encode([photograph, items[2]])
    np.testing.assert_array_equal(vectors_of(encoded), [expected[0], np.zeros(facts.dim), expected[1]])

    refused = store_rows(encoded, root=tmp_path, model_id=facts.model_id)
    assert refused["key"].to_pylist() == ["b"] and "is not there" in refused["refused"][0].as_py()
    vectors, found = EmbeddingCache(tmp_path).lookup(load_encoder("local:visual"), ["c", "b", "a"])
    assert found.tolist() == [True, False, True]
    np.testing.assert_array_equal(vectors[[2, 0]], expected)


def test_a_batch_of_refused_pictures_leaves_no_shard(tmp_path: Path) -> None:
    facts = encoder_facts("local:visual", OPTIONS)
    assert isinstance(facts, EncoderFacts)
    [rows] = decoded(rows_of_items(["a"], [tmp_path / "none.jpg"]), 100, 1 << 20)
    encoded = EncodeRows("local:visual", OPTIONS, facts, "{}")(rows)
    assert store_rows(encoded, root=tmp_path, model_id="m@1").num_rows == 1
    assert list(tmp_path.rglob("*.parquet")) == []


def test_workers_with_another_encoder_and_unknown_specs_are_refused() -> None:
    refusal = encoder_facts("local:nothing", OPTIONS)
    assert isinstance(refusal, UserError) and "local:nothing" in str(refusal)
    other = EncoderFacts("local:visual@v0", "image", 3, 512)
    with pytest.raises(UserError, match=r"'local:visual@v0' with 3 dimensions, another 'local:visual@"):
        EncodeRows("local:visual", OPTIONS, other, "{}")(pa.table({"key": ["a"], "refused": [None]}))


def test_encoders_share_what_the_cluster_has() -> None:
    assert [gpus_each(n, None, 2) for n in (1, 2, 3)] == [1.0, 1.0, 0.6666]
    assert gpus_each(4, None, 0) == 0 and gpus_each(2, 0.5, 1) == 0.5
    with pytest.raises(UserError, match="need 2 GPUs, the Ray cluster has 1"):
        gpus_each(2, 1, 1)
    # One CPU is left for decoding and storing, or nothing would ever reach the encoders.
    assert [cpus_each(n, 2) for n in (1, 2, 3)] == [1.0, 0.5, 0.3333]
    assert cpus_each(1, 1) == 0 and cpus_each(2, 16) == 1


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install "fashion-assets\[ray\]"'):
        ray_session.connect()


class AuthenticationError(Exception):
    """As Ray's."""


@pytest.mark.parametrize(
    ("address", "fault", "said"),
    [
        ("auto", ConnectionError("no route\nto host"), r"answers at auto \(no route\).*RAY_ADDRESS"),
        ("auto", AuthenticationError("token missing"), r"answers at auto \(token missing\).*RAY_AUTH_MODE"),
        (None, OSError(28, "No space left"), r"cannot start on this machine.*FASHION_ENGINE=inline"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, address: str | None, fault: Exception, said: str
) -> None:
    asked: list[Any] = []

    def init(**options: Any) -> None:
        asked.append(options["address"])
        raise fault

    errors = types.SimpleNamespace(AuthenticationError=AuthenticationError)
    fake = types.SimpleNamespace(is_initialized=lambda: False, init=init, exceptions=errors)
    monkeypatch.setattr(ray_session, "_ray", lambda: fake)
    monkeypatch.setattr("os.environ", {"RAY_ADDRESS": address} if address else {})
    with pytest.raises(UserError, match=said):
        ray_session.connect()
    assert asked == [address or "local"]


def test_an_address_where_nothing_listens_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(ray_session, "_start", lambda *given: pytest.fail("Ray was asked"))
    errors = types.SimpleNamespace(AuthenticationError=AuthenticationError)
    fake = types.SimpleNamespace(is_initialized=lambda: False, exceptions=errors)
    monkeypatch.setattr(ray_session, "_ray", lambda: fake)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=rf"no Ray cluster answers at {address}"):
        ray_session.connect()
