"""A loaded network saved to a folder is the same encoder when the folder is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.towers import NetworkEncoder
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import (
    TEXTS,
    pictures,
    tiny_bert,
    tiny_chinese_clip,
    tiny_marqo,
    tiny_open_clip,
    tiny_qwen3_embedding,
    tiny_sentence_transformer,
    tiny_timm,
)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("st", tiny_sentence_transformer),
        ("st", tiny_qwen3_embedding),
        ("hf", tiny_bert),
        ("hf", tiny_chinese_clip),
        ("open_clip", tiny_open_clip),
        ("open_clip", tiny_marqo),
    ],
)
def test_a_saved_folder_gives_the_same_vectors(
    tmp_path: Path, kind: str, make: Callable[[Path], Path]
) -> None:
    check_round_trip(f"{kind}:{make(tmp_path / 'network')}", kind, tmp_path)


@pytest.mark.parametrize("architecture", ["test_vit", "test_efficientnet"])
def test_timm_folders_are_encoders(tmp_path: Path, architecture: str) -> None:
    file = tiny_timm(tmp_path / "weights.safetensors", architecture)
    check_round_trip(f"timm:{architecture}/{file}", "timm", tmp_path)


def test_a_timm_folder_without_an_architecture_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"num_classes": 3}))
    with pytest.raises(UserError, match="names no timm architecture"):
        load_encoder(f"timm:{folder}", device="cpu")


def check_round_trip(spec: str, kind: str, folder: Path) -> None:
    """Save, load, compare on every kind of item that the encoder takes."""
    encoder = load_encoder(spec, device="cpu")
    assert isinstance(encoder, NetworkEncoder)
    assert encoder.save is not None
    items = [] if encoder.modality == "image" else list(TEXTS)
    items += [] if encoder.modality == "text" else pictures(folder)
    saved = folder / "saved"
    saved.mkdir()
    encoder.save(saved)
    assert not any(file.suffix in (".bin", ".pt", ".pkl") for file in saved.rglob("*"))
    again = load_encoder(f"{kind}:{saved}", device="cpu")
    np.testing.assert_array_equal(again.encode(items), encoder.encode(items))
    assert again.model_id.startswith(f"{kind}:saved@")
