"""Tensors on disk: what the registry's encoder would have been given, made once, broken pictures told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.pictures import PackedPicture
from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.products.tuning.tensors import CHUNK, TokenTensors, mapped_rows, picture_tensors
from fashion_assets_tests.unit.tiny_networks import (
    pictures,
    tiny_bert,
    tiny_open_clip,
    tiny_qwen3_embedding,
    tiny_timm,
)


def silent(done: int, total: int) -> None:
    pass


def loaded(spec: str) -> NetworkEncoder:
    encoder = load_encoder(spec, device="cpu")
    assert isinstance(encoder, NetworkEncoder)
    return encoder


@pytest.mark.parametrize("kind", ["bert", "qwen", "clip"])
def test_texts_are_tokenised_as_the_encoder_does(tmp_path: Path, kind: str) -> None:
    makers: dict[str, tuple[str, Any]] = {
        "bert": ("hf", tiny_bert),
        "qwen": ("st", tiny_qwen3_embedding),
        "clip": ("open_clip", tiny_open_clip),
    }
    prefix, make = makers[kind]
    encoder = loaded(f"{prefix}:{make(tmp_path / kind)}")
    assert encoder.text_tower is not None
    assert encoder.text_tower.trainable is not None
    texts = [
        "裙",
        "法式碎花连衣裙和围巾",
        "西装",
        "冬天的羽绒服",
        *["衣" * (at % 9 + 1) for at in range(CHUNK)],
    ]
    tokens = TokenTensors(tmp_path / "tensors", encoder.model_id, encoder.text_tower, texts, silent)
    assert len(tokens) == len(texts)
    for rows in (np.array([0, 2]), np.array([3, 1, 0]), np.array([CHUNK + 3])):
        batch = tokens.batch(rows)
        own = encoder.text_tower.prepare([texts[row] for row in rows])
        for name in tokens.arrays:
            torch.testing.assert_close(batch[name], own[name].to(batch[name].dtype))
        with torch.no_grad():
            raw = encoder.text_tower.trainable.rows(batch)
        unit = torch.nn.functional.normalize(raw, dim=1).numpy()
        np.testing.assert_allclose(unit, encoder.encode([texts[row] for row in rows]), atol=1e-6)


def test_pictures_are_fitted_once_and_broken_ones_are_told(tmp_path: Path) -> None:
    encoder = loaded(f"timm:test_vit/{tiny_timm(tmp_path / 'v.safetensors')}")
    tower = encoder.image_tower
    assert isinstance(tower, Tower)
    asked: list[str] = []

    def broken() -> bytes:
        asked.append("broken")
        return b"no picture"

    good = pictures(tmp_path)
    items = [
        ("first", good[0]),
        ("broken", PackedPicture("shop.zip/7", broken)),
        *((str(at), one) for at, one in enumerate(good[1:])),
    ]
    rows, refused = picture_tensors(tmp_path / "tensors", encoder.model_id, tower, items, silent)
    assert rows.shape == (len(items), 3, 160, 160)
    assert list(refused) == [1]
    assert "shop.zip/7" in refused[1]
    assert not rows[1].any()
    assert tower.trainable is not None
    with torch.no_grad():
        raw = tower.trainable.rows(tower.prepare([rows[0], rows[2]]))
    unit = torch.nn.functional.normalize(raw, dim=1).numpy()
    np.testing.assert_allclose(unit, encoder.encode([good[0], good[1]]), atol=1e-6)
    again, told = picture_tensors(tmp_path / "tensors", encoder.model_id, tower, items, silent)
    assert asked == ["broken"], "pictures were read a second time"
    assert told == refused
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, rows)
    other, _ = picture_tensors(tmp_path / "tensors", "another network", tower, items[:1], silent)
    assert len(other) == 1


def test_a_file_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def chunks() -> Any:
        yield np.ones((2, 3), np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped_rows(tmp_path / "rows.npy", 4, chunks(), silent)
    assert list(tmp_path.iterdir()) == []
    # What a process that is long dead left; 2 ** 22 is the largest process number of Linux.
    (tmp_path / f".rows.npy.{2**22 + 1}.tmp").write_bytes(b"half")
    whole = mapped_rows(tmp_path / "rows.npy", 2, iter([np.ones((2, 3), np.float32)]), silent)
    np.testing.assert_array_equal(whole, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]
