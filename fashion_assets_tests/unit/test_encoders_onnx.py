"""ONNX picture networks: a tiny graph written by hand, and the real ImageNet network."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders import pictures as picture_items
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.onnx_networks import fit_picture, scaled_batch
from fashion_assets.media.decoding import decode_cut_out
from fashion_assets.storage.errors import UserError


def field(number: int, value: bytes | int | str) -> bytes:
    """One protobuf field: a varint for numbers, else length and bytes
    (protobuf.dev/programming-guides/encoding)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def value_info(name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def node(operator: str, inputs: list[str], output: str) -> bytes:
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)


def tiny_network(
    path: Path, outputs: tuple[str, ...] = ("features", "logits"), batch: int | str = "N"
) -> Path:
    """image (N, 3, 8, 8) -> mean colour -> times a (3, 5) matrix: the 5 features, and their negative as
    logits."""
    matrix = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    nodes = [
        node("GlobalAveragePool", ["image"], "pooled"),
        node("Flatten", ["pooled"], "flat"),
        node("MatMul", ["flat", "matrix"], outputs[0]),
        node("Neg", [outputs[0]], outputs[1]),
    ]
    weights = field(1, 3) + field(1, 5) + field(2, 1) + field(8, "matrix")
    weights += field(4, struct.pack("<15f", *matrix.ravel()))
    graph = b"".join(field(1, one) for one in nodes) + field(2, "tiny") + field(5, weights)
    graph += field(11, value_info("image", (batch, 3, 8, 8)))
    graph += b"".join(field(12, value_info(name, (batch, 5))) for name in outputs)
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


def pictures(n_items: int = 5) -> list[Any]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 256, size=(10 + i, 20, 3 + i % 2), dtype=np.uint8) for i in range(n_items)]


def test_features_are_chosen_and_batches_do_not_matter(tmp_path: Path) -> None:
    path = tiny_network(tmp_path / "net.onnx")
    encoder = load_encoder("onnx:net.onnx", models_dir=tmp_path)
    assert (encoder.modality, encoder.dim) == ("image", 5)
    rows = encoder.encode(pictures())
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    one_by_one = load_encoder(f"onnx:{path}", batch_size=1)
    assert one_by_one.model_id == encoder.model_id
    np.testing.assert_allclose(one_by_one.encode(pictures()[::-1])[::-1], rows, atol=1e-6)
    logits = load_encoder(f"onnx:{path}#logits")
    assert logits.model_id != encoder.model_id
    np.testing.assert_allclose(logits.encode(pictures()), -rows, atol=1e-6)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    free = load_encoder(f"onnx:{tiny_network(tmp_path / 'free.onnx')}")
    fixed = load_encoder(f"onnx:{tiny_network(tmp_path / 'fixed.onnx', batch=2)}", batch_size=7)
    np.testing.assert_allclose(fixed.encode(pictures()), free.encode(pictures()), atol=1e-6)


def test_settings_beside_the_network_count(tmp_path: Path) -> None:
    path = tiny_network(tmp_path / "net.onnx")
    plain = load_encoder(f"onnx:{path}")
    settings = path.with_suffix(".json")
    settings.write_text(
        json.dumps({"mean": [0, 0, 0], "std": [255, 255, 255], "fit": "stretch", "output": "logits"})
    )
    other = load_encoder(f"onnx:{path}")
    assert other.model_id != plain.model_id
    assert np.abs(other.encode(pictures()) - plain.encode(pictures())).max() > 0.01
    for wrong, message in (
        ("{", "is not JSON"),
        ('{"men": [1]}', "holds men"),
        ('{"mean": [1]}', "list of 3 numbers"),
        ('{"std": [0, 1, 1]}', "no 0"),
        ('{"fit": "bend"}', "fit is one of"),
        ('{"input": "pixels"}', "no input 'pixels'"),
    ):
        settings.write_text(wrong)
        with pytest.raises(UserError, match=message):
            load_encoder(f"onnx:{path}")


def test_unclear_or_broken_networks_are_said(tmp_path: Path) -> None:
    path = tiny_network(tmp_path / "two.onnx", outputs=("left", "right"))
    with pytest.raises(UserError, match=r"several outputs; choose with .* left, right"):
        load_encoder(f"onnx:{path}")
    with pytest.raises(UserError, match="no output 'middle'"):
        load_encoder(f"onnx:{path}#middle")
    assert load_encoder(f"onnx:{path}#left").dim == 5
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(UserError, match="not an ONNX file"):
        load_encoder(f"onnx:{tmp_path / 'junk.onnx'}")
    with pytest.raises(UserError, match=r"none\.jpg is not there"):
        load_encoder(f"onnx:{path}#left").encode([tmp_path / "none.jpg"])


def test_a_month_that_is_run_again_decodes_and_encodes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{number}.png" for number in range(9)]
    for number, file in enumerate(files):
        Image.fromarray(np.full((4, 4, 3), number * 20, np.uint8)).save(file)
    files[4].write_bytes(b"\x89PNG cut")
    decoded: list[Path] = []

    def counting(path: Path, **options: Any) -> Any:
        decoded.append(path)
        return decode_cut_out(path, **options)

    monkeypatch.setattr(picture_items, "decode_cut_out", counting)
    encoder = load_encoder(f"onnx:{tiny_network(tmp_path / 'net.onnx')}", batch_size=2)
    hashes = [file.name for file in files]
    first = EmbeddingCache(tmp_path / "cache", shard_rows=4).encode_missing(encoder, hashes, files)
    assert sorted(decoded) == files
    assert (first.new, first.reused, list(first.refused)) == (8, 0, [4])
    assert np.linalg.norm(first.vectors, axis=1).round(4).tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    decoded.clear()
    monkeypatch.setattr(type(encoder), "encode", lambda *_: pytest.fail("encoded again"))
    del files[4], hashes[4]
    again = EmbeddingCache(tmp_path / "cache").encode_missing(encoder, hashes, files)
    assert (again.new, again.reused, decoded) == (0, 8, [])
    np.testing.assert_array_equal(again.vectors, np.delete(first.vectors, 4, axis=0))


def test_scaling_is_the_arithmetic_that_it_stands_for() -> None:
    generator = np.random.default_rng(5)
    rgb = [generator.integers(0, 256, (7, 5, 3), dtype=np.uint8) for _ in range(3)]
    mean, std = np.array([1, 128, 200.5]), np.array([128, 3, 0.25])
    table = ((np.arange(256)[:, None] - mean) / std).astype(np.float32)
    expected = ((np.stack(rgb) - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(scaled_batch(rgb, table), expected, rtol=1e-6)


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from(["pad", "stretch", "crop"]), st.integers(0, 255)
)
def test_every_picture_is_made_to_fit(rows: int, columns: int, fit: Any, grey: int) -> None:
    out = fit_picture(np.full((rows, columns, 3), grey, np.uint8), 16, 12, fit)
    assert out.shape == (16, 12, 3)
    assert set(np.unique(out)) <= ({grey, 255} if fit == "pad" else {grey})


@pytest.mark.real_data
def test_the_real_network_puts_two_grounds_closer_than_a_picture(real_data: Path) -> None:
    path = real_data / "weights" / "mobilenet_v2_imagenet.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    encoder = load_encoder(f"onnx:{path}")
    assert encoder.dim == 1280
    generator = np.random.default_rng(0)
    flat = np.full((60, 80, 3), 200, np.uint8)
    noisy = [
        np.clip(flat.astype(int) + generator.integers(-9, 9, flat.shape), 0, 255).astype(np.uint8)
        for _ in "ab"
    ]
    rows = encoder.encode([*noisy, pictures(1)[0]])
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    assert load_encoder(f"onnx:{path}#logits").dim == 1001
