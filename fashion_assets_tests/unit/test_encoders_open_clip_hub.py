"""``open_clip:hf-hub:…``: repositories as they lie in the hub's cache, without network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.networks import hub
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import pictures, tiny_marqo

COMMIT = "ab12cd34ef56" + "0" * 28
NAME = "open_clip:hf-hub:Made/tiny-fashionSigLIP"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a repository in a cache of its own; asking the network for anything fails the test."""
    import huggingface_hub
    import huggingface_hub.constants  # a lazy package: the attribute exists once somebody has imported it

    cache = tmp_path / "hub"
    repository = cache / "models--Made--tiny-fashionSigLIP"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))

    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    return tiny_marqo(repository / "snapshots" / COMMIT)


def test_a_cached_repository_loads_with_both_towers(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_download", lambda *_: pytest.fail("asked the network"))
    encoder = load_encoder(NAME, device="cpu", batch_size=2)
    assert encoder.model_id.startswith(f"{NAME}@{COMMIT[:12]}")
    items = ["裙", "西装 围巾", "", *pictures(tmp_path / "pictures")]
    rows = encoder.encode(items)
    assert (encoder.modality, encoder.dim) == ("joint", 64)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1, 1, 1, 1, 1], atol=1e-5)
    pinned = load_encoder(f"{NAME}@{COMMIT[:12]}", device="cpu")
    assert pinned.model_id == encoder.model_id
    np.testing.assert_allclose(pinned.encode(items), rows, atol=1e-5)


def test_texts_are_read_with_the_repository_own_tokenizer(snapshot: Path) -> None:
    """The configuration names a tokenizer elsewhere on the hub; the files beside the weights are taken."""
    tokens = json.loads((snapshot / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    encoder: Any = load_encoder(NAME, device="cpu")
    (row,) = encoder.text_tower.prepare(["裙"])["tokens"].tolist()
    assert tokens["裙"] in row
    assert len(row) == 16, "SigLIP reads texts padded to the full length"


def test_without_tokenizer_files_one_sentence_says_what_to_copy(snapshot: Path) -> None:
    for file in snapshot.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(
        UserError, match=r"(?s)no tokenizer\.json.*timm/ViT-B-16-SigLIP.*the hub cannot be reached"
    ):
        load_encoder(NAME, device="cpu")


def test_without_weights_nothing_random_is_made(snapshot: Path) -> None:
    (snapshot / "open_clip_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no weights.*the hub cannot be reached"):
        load_encoder(NAME, device="cpu")
