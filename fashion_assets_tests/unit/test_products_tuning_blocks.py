"""Which blocks are found, what learns, and that frozen blocks can be left out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.products.tuning.activations import captured, replayed
from fashion_assets.products.tuning.adapters import add_adapters, merge_adapters, target_layers
from fashion_assets.products.tuning.augmentation import augmented
from fashion_assets.products.tuning.blocks import learning_blocks, set_learning_mode, tower_blocks
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import (
    TEXTS,
    tiny_bert,
    tiny_chinese_clip,
    tiny_open_clip,
    tiny_qwen3_embedding,
    tiny_sentence_transformer,
    tiny_timm,
)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Trainable, Any]]:
    """Name -> (network, a batch of three items) of every kind of tower."""
    folder = tmp_path_factory.mktemp("networks")
    specs = {
        "vit": f"timm:test_vit/{tiny_timm(folder / 'vit.safetensors')}",
        "efficientnet": f"timm:test_efficientnet/{tiny_timm(folder / 'e.safetensors', 'test_efficientnet')}",
        "resnet": f"timm:test_resnet/{tiny_timm(folder / 'r.safetensors', 'test_resnet')}",
        "bert": f"hf:{tiny_bert(folder / 'bert')}",
        "sentence": f"st:{tiny_sentence_transformer(folder / 'sentence')}",
        "qwen": f"st:{tiny_qwen3_embedding(folder / 'qwen')}",
        "clip": f"open_clip:{tiny_open_clip(folder / 'clip')}",
        "chinese": f"hf:{tiny_chinese_clip(folder / 'chinese')}",
    }
    found = {}
    for name, spec in specs.items():
        encoder = load_encoder(spec, device="cpu")
        assert isinstance(encoder, NetworkEncoder)
        for side, tower in (("image", encoder.image_tower), ("text", encoder.text_tower)):
            if tower is not None and tower.trainable is not None:
                key = f"{name}/{side}" if encoder.modality == "joint" else name
                found[key] = (tower.trainable, batch_of(tower, side))
    return found


def batch_of(tower: Tower, side: str) -> Any:
    if side == "text":
        return tower.prepare([text for text in TEXTS if text][:3])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 50, 40, 3), dtype=np.uint8)
    return tower.prepare([tower.transform(picture) for picture in pixels])


@pytest.mark.parametrize(
    ("name", "count", "last", "behind"),
    [
        ("vit", 6, "blocks.5", {"norm.weight", "norm.bias"}),
        ("bert", 2, "encoder.layer.1", set()),
        ("sentence", 2, "0.model.encoder.layer.1", set()),
        ("qwen", 2, "0.model.layers.1", {"0.model.norm.weight"}),
        (
            "clip/image",
            2,
            "visual.transformer.resblocks.1",
            {"visual.ln_post.weight", "visual.ln_post.bias", "visual.proj"},
        ),
        (
            "clip/text",
            2,
            "transformer.resblocks.1",
            {"ln_final.weight", "ln_final.bias", "text_projection"},
        ),
    ],
)
def test_the_last_block_learns_with_what_lies_behind_it(
    towers: dict[str, tuple[Trainable, Any]], name: str, count: int, last: str, behind: set[str]
) -> None:
    trainable, batch = towers[name]
    assert len(tower_blocks(trainable, batch)) == count
    found = learning_blocks(trainable, batch, 1, name)
    assert found.names == [last]
    assert len(found.before) == count - 1
    assert {one for one, depth in found.depths.items() if depth == 0} == behind
    inside = {one for one, depth in found.depths.items() if depth == 1}
    assert inside
    assert all(one.startswith(f"{last}.") for one in inside)
    assert not any(parameter.requires_grad for parameter in trainable.network.parameters())


def test_blocks_of_convolutional_networks(towers: dict[str, tuple[Trainable, Any]]) -> None:
    names = {name: [block for block, _ in tower_blocks(*towers[name])] for name in ("efficientnet", "resnet")}
    assert names["efficientnet"][0] == "blocks.0.0"
    assert names["resnet"][0] == "layer1.0"
    assert names["resnet"][-1].startswith("layer4.")
    assert all(len(found) > 3 for found in names.values())


def test_each_tower_of_a_joint_network_has_its_own(towers: dict[str, tuple[Trainable, Any]]) -> None:
    image = learning_blocks(*towers["chinese/image"], 1, "image")
    text = learning_blocks(*towers["chinese/text"], 1, "text")
    assert image.names[0].startswith("vision_model.")
    assert text.names[0].startswith("text_model.")
    assert not set(image.depths) & set(text.depths)


def test_too_many_blocks_are_told(towers: dict[str, tuple[Trainable, Any]]) -> None:
    with pytest.raises(UserError, match="the image tower has 6 blocks, so its last 7 cannot"):
        learning_blocks(*towers["vit"], 7, "image")


@pytest.mark.parametrize("name", ["vit", "efficientnet", "resnet", "bert", "sentence", "qwen", "clip/image"])
def test_rows_from_captured_states_are_those_of_the_whole_network(
    towers: dict[str, tuple[Trainable, Any]], name: str
) -> None:
    trainable, batch = towers[name]
    blocks = learning_blocks(trainable, batch, 1, name)
    with torch.no_grad():
        whole = trainable.rows(batch)
        hidden = captured(trainable, blocks, batch, 3)
        with replayed(blocks, hidden):
            replay = trainable.rows(batch)
        with replayed(blocks, torch.zeros_like(hidden)):
            other = trainable.rows(batch)
        after = trainable.rows(batch)
    torch.testing.assert_close(replay, whole, rtol=0, atol=1e-6)
    assert (other - whole).abs().max() > 1e-4, "the states are not read at all"
    assert torch.equal(after, whole), "the network is not as it was"


def test_dropout_is_on_in_learning_blocks_alone(towers: dict[str, tuple[Trainable, Any]]) -> None:
    trainable, batch = towers["efficientnet"]
    blocks = learning_blocks(trainable, batch, 2, "image")
    set_learning_mode(blocks, True)
    try:
        assert all(block.training for block in blocks.blocks)
        assert not any(block.training for block in blocks.before)
        norms = [
            m for m in trainable.network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
        ]
        assert norms
        assert not any(module.training for module in norms)
    finally:
        set_learning_mode(blocks, False)
    assert not any(module.training for module in trainable.network.modules())


def test_adapters_start_at_no_effect_and_merge_to_the_same_rows(tmp_path: Path) -> None:
    encoder = load_encoder(f"hf:{tiny_bert(tmp_path / 'bert')}", device="cpu")
    assert isinstance(encoder, NetworkEncoder)
    assert encoder.text_tower is not None
    trainable = encoder.text_tower.trainable
    assert trainable is not None
    batch = batch_of(encoder.text_tower, "text")
    names = [name for name, _ in trainable.network.named_parameters()]
    layers = target_layers(trainable.network, ["encoder.layer.1"], ["query", "value"])
    assert layers == [f"encoder.layer.1.attention.self.{name}" for name in ("query", "value")]
    with torch.no_grad():
        before = trainable.rows(batch)
        adapted = add_adapters(trainable.network, layers, rank=2, alpha=4, seed=3)
        assert torch.equal(trainable.rows(batch), before)
        learns = [name for name, one in trainable.network.named_parameters() if one.requires_grad]
        assert len(learns) == 4
        assert all("lora_" in name for name in learns)
        for name, parameter in trainable.network.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
        learned = trainable.rows(batch)
        merge_adapters(adapted)
        assert (learned - before).abs().max() > 1e-3
        torch.testing.assert_close(trainable.rows(batch), learned, rtol=0, atol=1e-5)
    assert [name for name, _ in trainable.network.named_parameters()] == names


def test_layers_that_adapters_cannot_reach_are_left_out(towers: dict[str, tuple[Trainable, Any]]) -> None:
    network = towers["clip/image"][0].network
    found = target_layers(network, ["visual.transformer.resblocks.1"])
    assert {name.rpartition(".")[2] for name in found} == {"c_fc", "c_proj"}
    with pytest.raises(UserError, match="ends in qkv; they end in c_fc, c_proj"):
        target_layers(network, ["visual.transformer.resblocks.1"], ["qkv"])


def test_adapters_without_peft_are_a_sentence(
    towers: dict[str, tuple[Trainable, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else found(name, *rest)
    )
    with pytest.raises(UserError, match="pip install peft"):
        add_adapters(towers["vit"][0].network, ["blocks.5.mlp.fc1"], rank=2, alpha=4, seed=0)


def test_augmentation_is_seeded_and_small() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 32, 24), dtype=np.uint8)
    made = [augmented(picture, seed=7, epoch=epoch, item=item) for epoch in (0, 1) for item in (0, 1)]
    again = augmented(picture, seed=7, epoch=1, item=0)
    np.testing.assert_array_equal(again, made[2])
    assert len({one.tobytes() for one in made}) == 4
    assert all(one.shape == picture.shape and one.dtype == picture.dtype for one in made)
    # A gradient from left to right keeps its place when turned by ten degrees, or stands mirrored.
    ramp = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.float32), (3, 64, 64))
    slopes = [
        float(
            np.diff(augmented(np.ascontiguousarray(ramp), seed=0, epoch=0, item=item)[:, 32], axis=1).mean()
        )
        for item in range(20)
    ]
    assert {round(abs(slope)) for slope in slopes} == {4}
    assert len({slope > 0 for slope in slopes}) == 2
