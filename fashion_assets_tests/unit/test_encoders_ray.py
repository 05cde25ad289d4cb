"""The rooms of the Ray engine that need no cluster: rows, what workers do, shares, and how a connection fails."""

from __future__ import annotations

import itertools
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image

from fashion_assets.encoders import load_encoder, ray_session
from fashion_assets.encoders.batches import reader_count
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.pictures import PackedPicture, picture_pixels
from fashion_assets.encoders.ray_pipeline import call_rows
from fashion_assets.encoders.ray_rows import check_kinds, decoded, items_of_rows, rows_of_items
from fashion_assets.encoders.ray_shares import Share, encoder_share
from fashion_assets.encoders.ray_workers import (
    EncoderFacts,
    EncodeRows,
    EncodeShards,
    decode_rows,
    encoder_facts,
)
from fashion_assets.encoders.shards import list_shards, shard_hashes
from fashion_assets.encoders.tables import vectors_of
from fashion_assets.media.errors import MediaError
from fashion_assets.networks.cores import core_count, cpu_lanes, limit_cores
from fashion_assets.storage.errors import UserError

GENERATOR = np.random.default_rng(0)
OPTIONS: dict[str, Any] = {"batch_size": None}


@pytest.fixture(autouse=True)
def all_cores() -> Iterator[None]:
    """Workers limit their cores for good."""
    yield
    limit_cores(None)


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


def test_a_packed_picture_that_cannot_be_fetched_is_refused_alone(photograph: Path) -> None:
    def gone() -> bytes:
        raise MediaError("the archive is gone; fetch it again")

    rows = rows_of_items(list("ab"), [PackedPicture("a.jpg", gone), photograph])
    [table] = decoded(rows, max_side=50, block_bytes=1 << 20)
    assert table["refused"].to_pylist() == ["the archive is gone; fetch it again", None]


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
    facts = encoder_facts("local:visual", OPTIONS, 1)
    assert isinstance(facts, EncoderFacts)
    items = [photograph, tmp_path / "none.jpg", pixels(4)]
    [rows] = decoded(rows_of_items(list("abc"), items), facts.decode_side, 1 << 30)
    encoded = EncodeRows("local:visual", OPTIONS, facts, "{}", 1)(rows)
    expected = load_encoder("local:visual").encode([photograph, items[2]])
    np.testing.assert_array_equal(vectors_of(encoded), [expected[0], np.zeros(facts.dim), expected[1]])

    refused = EncodeShards("local:visual", OPTIONS, facts, "{}", 1, root=tmp_path, shard_rows=1)(rows)
    assert refused["key"].to_pylist() == ["b"] and "is not there" in refused["refused"][0].as_py()
    shards = list_shards(EmbeddingCache(tmp_path).folder(facts.model_id))
    assert sorted(shard_hashes(path).to_pylist() for path in shards) == [["a"], ["c"]]
    vectors, found = EmbeddingCache(tmp_path).lookup(load_encoder("local:visual"), ["c", "b", "a"])
    assert found.tolist() == [True, False, True]
    np.testing.assert_array_equal(vectors[[2, 0]], expected)


def test_a_batch_of_refused_pictures_leaves_no_shard(tmp_path: Path) -> None:
    facts = encoder_facts("local:visual", OPTIONS, 1)
    assert isinstance(facts, EncoderFacts)
    [rows] = decoded(rows_of_items(["a"], [tmp_path / "none.jpg"]), 100, 1 << 20)
    actor = EncodeShards("local:visual", OPTIONS, facts, "{}", 1, root=tmp_path, shard_rows=9)
    assert actor(rows).num_rows == 1
    assert list(tmp_path.rglob("*.parquet")) == []


def test_workers_with_another_encoder_and_unknown_specs_are_refused() -> None:
    refusal = encoder_facts("local:nothing", OPTIONS, 1)
    assert isinstance(refusal, UserError) and "local:nothing" in str(refusal)
    other = EncoderFacts("local:visual@v0", "image", 3, 512)
    with pytest.raises(UserError, match=r"'local:visual@v0' with 3 dimensions, another 'local:visual@"):
        EncodeRows("local:visual", OPTIONS, other, "{}", 1)(pa.table({"key": ["a"], "refused": [None]}))


def shares(cpus: float, gpus: float = 0, nodes: int = 1) -> list[Share]:
    return [Share(cpus, gpus)] * nodes


@pytest.mark.parametrize(
    ("encoders", "gpus", "expected"),
    [(1, 2, 1.0), (2, 2, 1.0), (3, 2, 0.5), (8, 5, 0.5), (3, 1, 0.3333), (4, 0, 0.0)],
)
def test_every_gpu_takes_the_same_number_of_encoders(encoders: int, gpus: int, expected: float) -> None:
    assert encoder_share(encoders, shares(16, gpus)).gpus == expected
    assert encoder_share(encoders, shares(16, 1, gpus) or shares(16)).gpus == expected


@pytest.mark.parametrize(
    ("encoders", "nodes", "expected"),
    [
        # Less than one where a decoding task (1 CPU) would not fit beside the encoders.
        *((n, shares(2), one) for n, one in ((1, 1.0), (2, 0.5), (3, 0.3333))),
        (1, shares(1), 0.0),
        (2, shares(16), 1.0),
        # Wherever they lie: at 0.75 each neither node had a CPU left.
        (4, shares(2, nodes=2), 0.5),
        (4, shares(1, nodes=4), 0.0),
        (4, shares(1, nodes=5), 1.0),
        # On GPUs more, but not more than half, and what each node with a GPU has.
        (1, shares(16, 1), 4),
        (8, shares(32, 8), 2),
        (8, shares(16, 8), 1.0),
        (2, [*shares(1, 1, 2), *shares(32)], 1.0),
    ],
)
def test_beside_the_encoders_a_decoding_task_finds_a_cpu(
    encoders: int, nodes: list[Share], expected: float
) -> None:
    share = encoder_share(encoders, nodes)
    assert share.cpus == expected
    placed = 0
    for counts in itertools.product(range(encoders + 1), repeat=len(nodes)):
        left = [node.cpus - n * share.cpus for n, node in zip(counts, nodes, strict=True)]
        fits = (
            all(n * share.gpus <= node.gpus for n, node in zip(counts, nodes, strict=True)) and min(left) >= 0
        )
        if sum(counts) == encoders and fits:
            placed += 1
            assert max(left) >= 1, f"no node has a CPU where {counts} encoders lie"
    assert placed


@pytest.mark.parametrize(
    ("encoders", "nodes", "asked"),
    [
        (2, shares(8, 1), 1),
        (3, shares(8, 1, nodes=2), 0.6),
        (2, shares(8, 3, nodes=2), 4),
        (1, shares(8, 3), 1.5),
        (1, shares(0), None),
        (1, [], None),
    ],
)
def test_encoders_that_do_not_fit_are_one_sentence(
    encoders: int, nodes: list[Share], asked: float | None
) -> None:
    with pytest.raises(
        UserError, match=f"^{encoders} encoders with .* do not fit the nodes of the Ray cluster"
    ):
        encoder_share(encoders, nodes, asked)


def test_a_share_that_is_asked_for_is_given() -> None:
    assert encoder_share(2, shares(8, 1), 0.5).gpus == 0.5
    assert encoder_share(2, shares(8, 2, nodes=2), 2).gpus == 2
    assert encoder_share(2, shares(8, 2), 0) == Share(1.0, 0)


def test_an_encoder_is_handed_four_batches_within_the_bytes() -> None:
    small, large = EncoderFacts("m", "image", 3, 256), EncoderFacts("m", "joint", 3, 512)
    texts = EncoderFacts("m", "text", 3, 512)
    assert [call_rows(facts, None, on_gpu=True) for facts in (texts, small, large)] == [4096, 1820, 455]
    assert [call_rows(facts, None, on_gpu=False) for facts in (texts, small, large)] == [4096, 455, 113]
    assert [call_rows(large, batch, on_gpu=True) for batch in (16, 200, 500)] == [64, 455, 500]


def test_a_worker_has_the_cores_of_its_share_only(tmp_path: Path) -> None:
    facts = encoder_facts("local:visual", OPTIONS, 3)
    assert isinstance(facts, EncoderFacts) and core_count() <= 3
    EncodeRows("local:visual", OPTIONS, facts, "{}", 2)
    assert core_count() <= 2
    list(decode_rows(rows_of_items([], []), max_side=8, block_bytes=8))
    assert core_count() == reader_count() == cpu_lanes() == 1


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
    # Held, so that nobody else gets it meanwhile; bound and not listened on, it refuses connections.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setattr(ray_session, "_start", lambda *given: pytest.fail("Ray was asked"))
        errors = types.SimpleNamespace(AuthenticationError=AuthenticationError)
        fake = types.SimpleNamespace(is_initialized=lambda: False, exceptions=errors)
        monkeypatch.setattr(ray_session, "_ray", lambda: fake)
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(UserError, match=rf"no Ray cluster answers at {address}"):
            ray_session.connect()
