"""Tiny real networks of every class that encoders load, saved to disk as people save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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


def tiny_timm(file: Path, architecture: str = "test_vit", drop: str | None = None) -> Path:
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    state = timm.create_model(architecture, pretrained=False, num_classes=10).state_dict()
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


def write_decoder_tokenizer(folder: Path, *, max_length: int = 40) -> None:
    """Words of single characters with the end of text behind them and padding on the left, as Qwen3-Embedding's."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    words = {
        word: number for number, word in enumerate(["<|endoftext|>", "[UNK]", *dict.fromkeys(CHARACTERS)])
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="[UNK]",
        padding_side="left",
        model_max_length=max_length,
    ).save_pretrained(str(folder))


def tiny_qwen3_embedding(folder: Path) -> Path:
    """A decoder with last-token pooling, unit rows and an instruction for queries alone."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    inside = folder.parent / "qwen-inside"
    write_decoder_tokenizer(inside)
    config = Qwen3Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    Qwen3Model(config).save_pretrained(str(inside))
    modules = [Transformer(str(inside)), Pooling(16, pooling_mode="lasttoken"), Normalize()]
    prompts = {"query": "裙裙裙", "document": ""}
    SentenceTransformer(modules=modules, device="cpu", prompts=prompts).save(str(folder))
    return folder


#: SigLIP's shape as Marqo's repository describes it: a timm picture tower, and a tokenizer that the hub holds.
SIGLIP_CONFIG = {
    "embed_dim": 64,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 160,
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 64,
        "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 64,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    },
}


def tiny_marqo(folder: Path) -> Path:
    """The files of a repository such as Marqo/marqo-fashionSigLIP."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    write_decoder_tokenizer(folder, max_length=16)
    scaling = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    described = {"model_cfg": SIGLIP_CONFIG, "preprocess_cfg": scaling}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    (folder.parent / "tiny-siglip.json").write_text(json.dumps(SIGLIP_CONFIG))
    open_clip.add_model_config(folder.parent / "tiny-siglip.json")
    state = open_clip.create_model("tiny-siglip").state_dict()
    save_file(
        {name: tensor.contiguous() for name, tensor in state.items()}, folder / "open_clip_model.safetensors"
    )
    return folder
