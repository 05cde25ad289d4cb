"""Every kind of network encoder on a tiny real network of its class, saved to disk and loaded by path."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import (
    TEXTS,
    pictures,
    tiny_bert,
    tiny_chinese_clip,
    tiny_open_clip,
    tiny_qwen3_embedding,
    tiny_sentence_transformer,
    tiny_timm,
)


def check_promises(spec: str, items: list[Any], models_dir: Path, empty: int | None = None) -> Encoder:
    """Unit rows, order and independence of batch size, stable ids; for every network alike."""
    one = load_encoder(spec, models_dir=models_dir, device="cpu", batch_size=1)
    many = load_encoder(spec, models_dir=models_dir, device="cpu", batch_size=3)
    assert one.model_id == many.model_id
    assert "@" in one.model_id
    assert str(models_dir) not in one.model_id
    rows = many.encode(items)
    assert rows.shape == (len(items), many.dim)
    assert rows.dtype == np.float32
    expected_norms = [0.0 if index == empty else 1.0 for index in range(len(items))]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), expected_norms, atol=1e-5)
    np.testing.assert_allclose(one.encode(items), rows, atol=1e-5)
    backwards = many.encode(items[::-1])[::-1]
    np.testing.assert_allclose(backwards, rows, atol=1e-5)
    others = [index for index in range(len(items)) if index != empty]
    similar = rows[others] @ rows[others].T - 2 * np.eye(len(others))
    assert similar.max() < 1 - 1e-7, "two different items have the same vector"
    assert many.encode([]).shape == (0, many.dim)
    return many


def test_sentence_transformers(tmp_path: Path) -> None:
    tiny_sentence_transformer(tmp_path / "tiny-st")
    encoder = check_promises("st:tiny-st", TEXTS, tmp_path, empty=3)
    assert (encoder.modality, encoder.dim) == ("text", 16)
    with pytest.raises(UserError, match="number 1 is a int, expected str"):
        encoder.encode(["裙", 1])


def test_sentence_transformers_give_what_their_own_encode_gives(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny_sentence_transformer(tmp_path / "tiny-st")
    # A prompt that the model puts before every text is part of the model.
    config = folder / "config_sentence_transformers.json"
    told = json.loads(config.read_text()) | {"prompts": {"word": "裙"}, "default_prompt_name": "word"}
    config.write_text(json.dumps(told))
    texts = [text for text in TEXTS if text]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    ours = load_encoder(f"st:{folder}", device="cpu", batch_size=2).encode(texts)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_bert_is_the_mean_over_real_tokens(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = tiny_bert(tmp_path / "tiny-bert")
    encoder = check_promises(f"hf:{folder}", TEXTS, tmp_path, empty=3)
    assert encoder.modality == "text"
    tokens = AutoTokenizer.from_pretrained(str(folder))(TEXTS[0], return_tensors="pt")
    with torch.inference_mode():
        mean = (
            AutoModel.from_pretrained(str(folder)).eval()(**tokens).last_hidden_state[0].mean(dim=0).numpy()
        )
    np.testing.assert_allclose(encoder.encode([TEXTS[0]])[0], mean / np.linalg.norm(mean), atol=1e-5)
    assert np.linalg.norm(encoder.encode(["裙" * 500])) == pytest.approx(1, abs=1e-5)


def test_a_decoder_keeps_its_pooling_padding_and_prompts(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny_qwen3_embedding(tmp_path / "tiny-qwen3")
    # Rows must not depend on the padding, which lies before the texts and so moves their positions.
    encoder = check_promises("st:tiny-qwen3", TEXTS, tmp_path, empty=3)
    own = SentenceTransformer(str(folder), device="cpu")
    assert own.tokenizer.padding_side == "left"
    texts = [text for text in TEXTS if text]
    np.testing.assert_allclose(encoder.encode(texts), own.encode_document(texts), atol=1e-5)
    assert np.abs(encoder.encode(texts) - own.encode_query(texts)).max() > 0.01, "posts are no queries"
    # What is longer than the limit is cut, and still ends in the token that is pooled.
    long = ["裙西装" * 500, "裙西装" * 600]
    first, second = encoder.encode(long)
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert own.preprocess(long[:1])["input_ids"][0, -1] == own.tokenizer.eos_token_id


def test_chinese_clip_has_both_towers(tmp_path: Path) -> None:
    tiny_chinese_clip(tmp_path / "tiny-cn-clip")
    items = [*TEXTS[:4], *pictures(tmp_path)]
    encoder = check_promises("hf:tiny-cn-clip", items, tmp_path, empty=3)
    assert (encoder.modality, encoder.dim) == ("joint", 12)


def test_open_clip_by_folder_and_by_checkpoint(tmp_path: Path) -> None:
    tiny_open_clip(tmp_path / "tiny-open-clip")
    items = ["red dress", "a black wool coat", *pictures(tmp_path)]
    encoder = check_promises("open_clip:tiny-open-clip", items, tmp_path)
    assert (encoder.modality, encoder.dim) == ("joint", 12)
    by_file = load_encoder(
        "open_clip:tiny-clip/tiny-open-clip/tiny.safetensors", models_dir=tmp_path, device="cpu"
    )
    np.testing.assert_allclose(by_file.encode(items), encoder.encode(items), atol=1e-5)
    (tmp_path / "tiny-open-clip" / "tiny.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights"):
        load_encoder("open_clip:tiny-open-clip", models_dir=tmp_path)


def test_timm_with_weights_of_a_file(tmp_path: Path) -> None:
    import timm

    tiny_timm(tmp_path / "weights.safetensors")
    encoder = check_promises("timm:test_vit/weights.safetensors", pictures(tmp_path), tmp_path)
    assert (encoder.modality, encoder.dim) == ("image", timm.create_model("test_vit").num_features)
    with pytest.raises(UserError, match="wrap file names in Path"):
        encoder.encode(["shop.jpg"])
    tiny_timm(tmp_path / "partial.safetensors", drop="blocks.0.attn.qkv")
    with pytest.raises(UserError, match=r"no weights for blocks\.0\.attn\.qkv\.weight"):
        load_encoder("timm:test_vit/partial.safetensors", models_dir=tmp_path)


@pytest.fixture
def tiny_beit() -> Iterator[str]:
    """The name of a small BEiT among timm's networks, whose own smallest has 86 million parameters."""
    from timm.models import beit, register_model
    from timm.models._registry import _model_entrypoints

    def beit_tiny_made_for_tests(pretrained: bool = False, **kwargs: Any) -> Any:
        sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
        return beit._create_beit("beit_tiny_made_for_tests", pretrained=pretrained, **{**sizes, **kwargs})

    beit_tiny_made_for_tests.__module__ = beit.__name__
    beit.default_cfgs["beit_tiny_made_for_tests"] = beit._cfg(input_size=(3, 32, 32))
    yield register_model(beit_tiny_made_for_tests).__name__
    del beit.default_cfgs["beit_tiny_made_for_tests"], _model_entrypoints["beit_tiny_made_for_tests"]


def test_beit(tiny_beit: str, tmp_path: Path) -> None:
    tiny_timm(tmp_path / "weights.safetensors", tiny_beit)
    encoder = check_promises(f"timm:{tiny_beit}/weights.safetensors", pictures(tmp_path), tmp_path)
    assert (encoder.modality, encoder.dim) == ("image", 32)


def test_efficientnet_v2(tmp_path: Path) -> None:
    tiny_timm(tmp_path / "weights.safetensors", "tf_efficientnetv2_b0")
    encoder: Any = load_encoder(
        "timm:tf_efficientnetv2_b0/weights.safetensors", models_dir=tmp_path, device="cpu", batch_size=2
    )
    rows = encoder.encode(pictures(tmp_path))
    assert (encoder.modality, encoder.dim) == ("image", 1280)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_missing_weights_of_transformers_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny_bert(tmp_path / "tiny-bert")
    state = load_file(folder / "model.safetensors")
    state.pop("encoder.layer.1.output.dense.weight")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="lacks 1 weights"):
        load_encoder(f"hf:{folder}")


def test_the_model_id_follows_the_weights_not_the_place(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "here" / "tiny-bert")
    shutil.copytree(folder, tmp_path / "there" / "tiny-bert")
    here, there = (
        load_encoder(f"hf:{tmp_path / place / 'tiny-bert'}").model_id for place in ("here", "there")
    )
    assert here == there
    with (tmp_path / "there" / "tiny-bert" / "vocab.txt").open("a", encoding="utf-8") as handle:
        handle.write("\n新")
    assert load_encoder(f"hf:{tmp_path / 'there' / 'tiny-bert'}").model_id != here


def test_out_of_memory_halves_the_batch_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import torch

    encoder: Any = load_encoder(f"hf:{tiny_bert(tmp_path / 'tiny-bert')}", device="cpu", batch_size=4)
    expected = encoder.encode(TEXTS)
    runner = encoder._text
    works = runner.forward

    def cramped(limit: int) -> Callable[[Any], Any]:
        def forward(batch: Any) -> Any:
            if len(batch["input_ids"]) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
            return works(batch)

        return forward

    runner.forward = cramped(1)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    assert "out of memory at 4 items a batch, going on with 2" in caplog.text
    assert runner.batch_size == 1
    runner.forward = cramped(0)
    with pytest.raises(UserError, match="alone does not fit"):
        encoder.encode(TEXTS)
