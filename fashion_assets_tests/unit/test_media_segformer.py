"""``segformer:`` on a tiny network of the same class, saved to disk by the test."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fashion_assets.media import segformer
from fashion_assets.media.clothes_labels import classes_of_labels
from fashion_assets.media.segmentation import GARMENT, PERSON, Segmenter, load_segmenter
from fashion_assets.media.waiting_batches import WaitingBatches
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.test_media_clothes_labels import ATR


def save_network(folder: Path, labels: list[str] = ATR) -> Path:
    """A SegFormer of 16 and 32 channels with random weights and the given labels."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    torch.manual_seed(0)
    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[4, 2],
        hidden_sizes=[16, 32],
        num_attention_heads=[1, 2],
        patch_sizes=[7, 3],
        strides=[4, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    network = SegformerForSemanticSegmentation(config)
    # A fresh head gives all pixels much the same scores; larger weights make labels differ within a picture.
    network.decode_head.classifier.weight.data *= 100
    network.save_pretrained(str(folder))
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Segmenter:
    return load_segmenter(f"segformer:{folder}", device="cpu")


def scene(height: int = 90, width: int = 70, seed: int = 0) -> npt.NDArray[np.uint8]:
    import cv2

    small = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def test_it_is_a_segmenter_with_a_name_for_paths(segmenter: Segmenter, folder: Path) -> None:
    assert isinstance(segmenter, Segmenter)
    assert segmenter.name.startswith("segformer-") and len(segmenter.name) == len("segformer-") + 12
    assert segmenter.name.replace("-", "").isalnum()
    assert segmenter.finds_person
    # The models folder is searched for relative paths, and the name does not depend on where the files lie.
    again = load_segmenter("segformer:tiny", models_dir=folder.parent, device="cpu")
    assert again.name == segmenter.name


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (67, 31), (3, 3), (512, 384)])
def test_masks_have_the_pictures_size(segmenter: Segmenter, shape: tuple[int, int]) -> None:
    result = segmenter.segment(scene(*shape))
    assert result.mask.shape == shape and result.mask.dtype == np.uint8
    assert set(np.unique(result.mask)) <= {0, GARMENT, PERSON}
    assert result.garment_share == pytest.approx((result.mask == GARMENT).mean())


def test_the_mask_is_that_of_the_networks_own_recipe(segmenter: Segmenter, folder: Path) -> None:
    """Scores enlarged to the picture, best label, label by name: as the checkpoint's card says."""
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, SegformerForSemanticSegmentation

    network = SegformerForSemanticSegmentation.from_pretrained(str(folder)).eval()
    processor: Any = AutoImageProcessor.from_pretrained(str(folder))
    values = set()
    for seed in range(4):
        rgb = scene(90, 70, seed)
        with torch.inference_mode():
            logits = network(**processor(images=Image.fromarray(rgb), return_tensors="pt")).logits
            labels = torch.nn.functional.interpolate(
                logits, size=rgb.shape[:2], mode="bilinear", align_corners=False
            ).argmax(dim=1)[0]
        expected = classes_of_labels(dict(enumerate(ATR)))[labels.numpy()]
        np.testing.assert_array_equal(segmenter.segment(rgb).mask, expected)
        values |= set(np.unique(expected))
    assert len(values) > 1  # otherwise the comparison says nothing


def test_labels_count_by_name_not_by_number(folder: Path, tmp_path: Path) -> None:
    """The same weights under turned labels: the class of each pixel follows the name."""
    turned = Path(shutil.copytree(folder, tmp_path / "turned"))
    config = json.loads((turned / "config.json").read_text())
    names = list(reversed(ATR))
    config["id2label"] = {str(index): name for index, name in enumerate(names)}
    config["label2id"] = {name: index for index, name in enumerate(names)}
    (turned / "config.json").write_text(json.dumps(config))
    first = load_segmenter(f"segformer:{folder}", device="cpu")
    second = load_segmenter(f"segformer:{turned}", device="cpu")
    assert first.name != second.name
    table = {}
    straight, reverse = classes_of_labels(dict(enumerate(ATR))), classes_of_labels(dict(enumerate(names)))
    for one, other in zip(straight, reverse, strict=True):
        table.setdefault(int(one), set()).add(int(other))
    before, after = first.segment(scene()).mask, second.segment(scene()).mask
    assert (before != after).any()
    for value in np.unique(before):
        assert set(np.unique(after[before == value])) <= table[int(value)]


def test_large_pictures_take_bounded_memory(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    small = segmenter.segment(scene(200, 100))
    monkeypatch.setattr(segformer, "MAX_SCORE_SIDE", 100)
    result = segmenter.segment(scene(200, 100))
    assert result.mask.shape == (200, 100)
    assert (result.mask[::2] == result.mask[1::2]).all()
    assert (result.mask == small.mask).mean() > 0.9


def test_threads_get_the_masks_that_one_alone_gets(segmenter: Segmenter) -> None:
    pictures = [scene(60 + i, 50, i) for i in range(8)]
    alone = [segmenter.segment(rgb).mask for rgb in pictures]
    with ThreadPoolExecutor(max_workers=4) as pool:
        together = [result.mask for result in pool.map(segmenter.segment, pictures)]
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


def test_pictures_that_wait_go_through_in_one_batch(
    folder: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: pictures of different sizes share a pass, and each gets its own mask."""
    together = load_segmenter(f"segformer:{folder}", device="cpu")
    assert isinstance(together, segformer.SegformerSegmenter)
    sizes: list[int] = []

    def forward(pictures: Any) -> Any:
        sizes.append(len(pictures))
        return together._forward(pictures)

    batches = WaitingBatches(forward, 8)
    monkeypatch.setattr(together, "_labels", batches)
    pictures = [scene(60 + i, 50, i) for i in range(4)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        with batches._running:
            found = [pool.submit(together.segment, rgb) for rgb in pictures]
            while len(batches._queue) < len(pictures):
                time.sleep(0.001)
        for rgb, result in zip(pictures, found, strict=True):
            assert (result.result().mask == segmenter.segment(rgb).mask).mean() > 0.99
    assert sizes == [4]


def test_what_does_not_fit_into_memory_is_halved_for_good(
    folder: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    small = load_segmenter(f"segformer:{folder}", device="cpu")
    assert isinstance(small, segformer.SegformerSegmenter)
    network, sizes = small._model, []

    def cramped(pixel_values: Any) -> Any:
        sizes.append(len(pixel_values))
        if len(pixel_values) > 2:
            raise torch.OutOfMemoryError("full")
        return network(pixel_values=pixel_values)

    monkeypatch.setattr(small, "_model", cramped)
    pictures = [scene(64, 64, i) for i in range(5)]
    prepared = [(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255, (64, 64)) for rgb in pictures]
    labels = small._halving(prepared)
    assert len(labels) == 5 and sizes == [5, 3, 2, 1, 2]
    assert small._labels.largest == 2
    assert "5 pictures do not fit into memory; going on with 3" in caplog.text
    for one, found in zip(prepared, labels, strict=True):
        assert (small._forward([one])[0] == found).mean() > 0.99

    monkeypatch.setattr(small, "_model", lambda pixel_values: cramped(torch.cat([pixel_values] * 3)))
    with pytest.raises(UserError, match="not even one picture fits into the memory that is left"):
        small.segment(pictures[0])


@pytest.mark.gpu
def test_a_gpu_finds_what_a_cpu_finds(folder: Path, segmenter: Segmenter) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    fast = load_segmenter(f"segformer:{folder}", device="cuda")
    pictures = [scene(60 + i, 50, i) for i in range(32)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for rgb, result in zip(pictures, pool.map(fast.segment, pictures), strict=True):
            assert (result.mask == segmenter.segment(rgb).mask).mean() > 0.98
    assert fast.name == segmenter.name


def test_clothes_without_a_body_are_told(tmp_path: Path) -> None:
    found = load_segmenter(f"segformer:{save_network(tmp_path, ['Everything Else', 'dress', 'hat'])}")
    assert not found.finds_person


def test_what_is_no_picture_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(UserError, match="expected uint8"):
        segmenter.segment(np.zeros((4, 4, 4), np.uint8))


def test_bad_paths_and_files_are_sentences(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"segmenter 'segformer:\./none': no file or folder at none"):
        load_segmenter("segformer:./none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty does not hold a SegFormer network that loads"):
        load_segmenter(f"segformer:{tmp_path / 'empty'}")
    with pytest.raises(UserError, match="the device 'cuda:77' cannot be used here"):
        load_segmenter(f"segformer:{folder}", device="cuda:77")


def test_another_network_and_other_labels_are_sentences(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, SegformerConfig, SegformerForImageClassification

    BertModel(
        BertConfig(vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    ).save_pretrained(str(tmp_path / "bert"))
    with pytest.raises(UserError, match="holds a bert network; expected a segformer one"):
        load_segmenter(f"segformer:{tmp_path / 'bert'}")
    with pytest.raises(UserError, match=r"segformer:.*streets.*'wall', 'road' are not known"):
        load_segmenter(f"segformer:{save_network(tmp_path / 'streets', ['wall', 'road'])}")

    classifier = save_network(tmp_path / "classifier", ["background", "dress"])
    config = SegformerConfig.from_pretrained(str(classifier))
    SegformerForImageClassification(config).save_pretrained(str(classifier))
    with pytest.raises(UserError, match=r"lacks .* weights of the network, first decode_head"):
        load_segmenter(f"segformer:{classifier}")


def test_without_network_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    with pytest.raises(UserError, match=r"segformer:nobody/nothing'.*cannot be reached.*grabcut"):
        load_segmenter("segformer:nobody/nothing")
