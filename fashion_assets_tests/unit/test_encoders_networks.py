"""Every kind of network encoder on a tiny real network of its class, saved to disk and loaded by path."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.storage.errors import UserError

TEXTS = ["法式碎花连衣裙", "西装", "冬天的羽绒服和围巾很暖和", "", "裙", "通勤穿搭 ootd"]
CHARACTERS = [*sorted(set("".join(TEXTS)) - {" "}), "衣"]


def write_vocabulary(folder: Path) -> None:
    """A WordPiece tokenizer of single characters, as the Chinese BERTs have it."""
    from transformers import BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(str(folder))


def tiny_bert(folder: Path) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    write_vocabulary(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=64, max_position_embeddings=32, **sizes)).save_pretrained(str(folder))
    return folder


def tiny_sentence_transformer(folder: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    word = Transformer(str(tiny_bert(folder.parent / "bert-inside")))
    SentenceTransformer(modules=[word, Pooling(16, pooling_mode="mean")], device="cpu").save(str(folder))
    return folder


def tiny_chinese_clip(folder: Path) -> Path:
    import torch
    from transformers import ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel

    torch.manual_seed(0)
    write_vocabulary(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = ChineseCLIPConfig(
        text_config={"vocab_size": 64, "max_position_embeddings": 32, **sizes},
        vision_config={"image_size": 32, "patch_size": 8, **sizes},
        projection_dim=12,
    )
    ChineseCLIPModel(config).save_pretrained(str(folder))
    size = {"height": 32, "width": 32}
    ChineseCLIPImageProcessor(size=size, crop_size=size, do_center_crop=False).save_pretrained(str(folder))
    return folder


OPEN_CLIP_CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def tiny_open_clip(folder: Path) -> Path:
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "tiny-clip.json").write_text(json.dumps(OPEN_CLIP_CONFIG))
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": OPEN_CLIP_CONFIG}))
    open_clip.add_model_config(folder / "tiny-clip.json")
    model = open_clip.create_model("tiny-clip")
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "tiny.safetensors",
    )
    return folder


def tiny_timm(file: Path, drop: str | None = None) -> Path:
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    state = timm.create_model("test_vit", pretrained=False, num_classes=10).state_dict()
    save_file({name: tensor for name, tensor in state.items() if drop is None or drop not in name}, file)
    return file


def pictures(folder: Path) -> list[Any]:
    """RGB and RGBA arrays of several sizes and a JPEG file."""
    generator = np.random.default_rng(0)
    arrays: list[Any] = [
        generator.integers(0, 256, size=(height, width, channels), dtype=np.uint8)
        for height, width, channels in ((40, 30, 3), (20, 50, 4), (64, 64, 3), (33, 47, 3))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(arrays[0]).resize((90, 120)).save(folder / "shop.jpg")
    return [*arrays, folder / "shop.jpg"]


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


def test_bfloat16_is_float32_without_a_gpu_and_its_model_id_says_so(tmp_path: Path) -> None:
    folder = tiny_sentence_transformer(tmp_path / "tiny-st")
    full, half = (load_encoder(f"{kind}:{folder}", device="cpu") for kind in ("st", "st-bf16"))
    assert full.model_id == half.model_id
    np.testing.assert_array_equal(full.encode(TEXTS), half.encode(TEXTS))


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
