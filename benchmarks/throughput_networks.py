"""What ``encoder_throughput.py`` measures with: networks of published sizes with random weights, and items for them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from fashion_assets.sample.pictures import PicturePlan, draw_plan, encode_picture
from fashion_assets.sample.post_text import write_post
from fashion_assets.sample.styles import STYLES

#: Layers, width, attention heads of a BERT; "qwen" is Qwen3-Embedding-0.6B by its published config.json.
TEXT_SIZES = {"tiny": (2, 128, 2), "base": (12, 768, 12), "large": (24, 1024, 16), "qwen": (28, 1024, 16)}
#: Layers, width, heads of a ViT's two towers; "base" has the shape of ViT-B-16 (SigLIP, Marqo-FashionSigLIP).
PICTURE_SIZES = {"tiny": (2, 128, 2), "base": (12, 768, 12)}
CHARACTERS = [chr(0x4E00 + at) for at in range(6000)]
#: Lengths of the distinct words of posts, roughly: shares of words of 2, 3, 4, 5, 6 and 10 characters.
LENGTHS, SHARES = (2, 3, 4, 5, 6, 10), (50, 20, 18, 6, 4, 2)
#: Rows of BERT's Chinese vocabulary.
VOCABULARY = 21_128
MAX_TOKENS = 512


def save_text_network(folder: Path, size: str) -> Path:
    """A sentence transformer; the network alone lies beside it in ``network``."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer, Qwen3Config, Qwen3Model

    layers, width, heads = TEXT_SIZES[size]
    inside, whole = folder / "network", folder / f"random-{size}"
    inside.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (inside / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    side = "left" if size == "qwen" else "right"
    tokenizer = BertTokenizer(str(inside / "vocab.txt"), model_max_length=MAX_TOKENS, padding_side=side)
    tokenizer.save_pretrained(str(inside))
    torch.manual_seed(0)
    shape = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    if size == "qwen":
        config = Qwen3Config(
            vocab_size=151_669, intermediate_size=3072, num_key_value_heads=8, head_dim=128, **shape
        )
        Qwen3Model(config).bfloat16().save_pretrained(str(inside))
    else:
        BertModel(BertConfig(vocab_size=VOCABULARY, intermediate_size=4 * width, **shape)).save_pretrained(
            str(inside)
        )
    pooling = Pooling(width, pooling_mode="lasttoken" if size == "qwen" else "mean")
    SentenceTransformer(modules=[Transformer(str(inside)), pooling], device="cpu").save(str(whole))
    return whole


def save_picture_network(folder: Path, size: str) -> Path:
    """A folder that ``open_clip:`` loads: a ViT on 224-pixel pictures in 16-pixel patches, and a text tower."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    layers, width, heads = PICTURE_SIZES[size]
    head_width = width // heads
    config = {
        "embed_dim": width,
        "vision_cfg": {
            "image_size": 224,
            "layers": layers,
            "width": width,
            "head_width": head_width,
            "patch_size": 16,
        },
        # Small: pictures alone are measured.
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
    }
    whole = folder / f"random-vit-{size}"
    whole.mkdir()
    (whole / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    (folder / f"{whole.name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{whole.name}.json")
    torch.manual_seed(0)
    state = open_clip.create_model(whole.name).state_dict()
    save_file(
        {key: value.contiguous() for key, value in state.items()}, whole / "open_clip_model.safetensors"
    )
    return whole


def made_words(count: int, seed: int) -> list[str]:
    """Different words with the lengths of real ones."""
    draw = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(draw.choices(CHARACTERS, k=draw.choices(LENGTHS, SHARES)[0]))] = None
    return list(words)


def made_texts(count: int, seed: int) -> list[str]:
    """Posts of the sample generator, title and body."""
    draw = random.Random(seed)
    posts = (write_post(draw.choice(STYLES), draw.randint(1, 12), draw) for _ in range(count))
    return [f"{post.title}\n{post.body}" for post in posts]


def made_pictures(count: int, n_files: int, seed: int, folder: Path) -> list[Path]:
    """``count`` paths of ``n_files`` drawn outfits, JPEGs of 240 x 320; a file that comes again is decoded again."""
    files: list[Path] = []
    for number in range(min(count, n_files)):
        style = STYLES[number % len(STYLES)].name
        plan = PicturePlan(str(number), f"{number}.jpg", style, "outfit", (seed, number))
        files.append(folder / plan.name)
        files[-1].write_bytes(encode_picture(draw_plan(plan).pixels, ".jpg"))
    return [files[number % len(files)] for number in range(count)]
