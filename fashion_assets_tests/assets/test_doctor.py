"""What ``doctor`` says about the segmenter, the precision and the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fashion_assets.defs import doctor
from fashion_assets.defs.doctor import Finding
from fashion_assets.encoders import registry
from fashion_assets.media import segmentation
from fashion_assets.settings import Settings


def finding(subject: str, root: Path, **values: object) -> Finding:
    (found,) = [one for one in doctor.examine(Settings(data_dir=root, **values)) if one.subject == subject]
    return found


def test_a_usable_segmenter_with_its_crop(tmp_path: Path) -> None:
    found = finding("segmenter", tmp_path, crop="person")
    assert found.ok and found.found == "grabcut, crop person"


def test_a_segmenter_without_its_file_says_where_it_goes(tmp_path: Path) -> None:
    found = finding("segmenter", tmp_path, segmenter="rembg:nothing.onnx")
    assert not found.ok and str(tmp_path / "models" / "nothing.onnx") in found.advice


def test_looking_at_a_network_of_the_hub_does_not_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("doctor loaded it")

    monkeypatch.setattr(segmentation, "load_segmenter", refuse)
    found = finding("segmenter", tmp_path, segmenter="segformer:nobody/nothing-here")
    assert not found.ok and found.optional and "not in the hub's cache" in found.found


def test_a_whole_person_needs_a_segmenter_that_finds_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class GarmentsOnly:
        finds_person = False

    monkeypatch.setattr(segmentation, "load_segmenter", lambda spec, models_dir: GarmentsOnly())
    assert finding("segmenter", tmp_path, segmenter="rembg:x.onnx").ok
    found = finding("segmenter", tmp_path, segmenter="rembg:x.onnx", crop="person")
    assert not found.ok and "FASHION_CROP=garment" in found.advice


@pytest.mark.parametrize("has_gpu", [True, False])
def test_a_precision_that_nothing_computes_in_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_gpu: bool
) -> None:
    monkeypatch.setattr(doctor, "_has_gpu", lambda: has_gpu)
    found = finding("precision", tmp_path, precision="bfloat16", torch_compile=True).found
    assert found.startswith("bfloat16, compiled")
    assert ("float32 here" in found) != has_gpu


def test_the_ray_engine_needs_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_libraries", lambda *modules: "ray" not in modules)
    inline = finding("engine", tmp_path, gpu_pool=3)
    assert inline.ok and inline.found == "inline; 3 step(s) of pool gpu at a time; ray is not installed"
    missing = finding("engine", tmp_path, engine="ray")
    assert not missing.ok and "fashion-assets[ray]" in missing.advice


@pytest.mark.parametrize(
    ("setting", "spec", "said"),
    [
        ("text_encoder", "nosuch:x", "there is no encoder 'nosuch:x'"),
        ("image_encoder", "local:nosuch", "there is no encoder 'local:nosuch'"),
        ("image_encoder", "local:visual:x", "takes nothing behind its name"),
        ("text_encoder", "st:", "names no model"),
        ("text_encoder", "st:./nothing", "no file or folder at nothing"),
        ("text_encoder", "local:cbow:nothing.safetensors", "models/nothing.safetensors"),
        ("image_encoder", "onnx:nothing.onnx#features", "models/nothing.onnx;"),
        ("image_encoder", "timm:resnet18/nothing", "models/nothing;"),
        ("image_encoder", "open_clip:ViT-B-32/nothing.pt", "models/nothing.pt;"),
        ("product_text_encoder", "hf:/nothing/here", "no file or folder at /nothing/here"),
        ("product_image_encoders", "local:visual, nosuch:y", "there is no encoder 'nosuch:y'"),
        ("product_word_vectors", "words:nothing.vec", "models/nothing.vec;"),
    ],
)
def test_an_encoder_that_cannot_be_found_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, spec: str, said: str
) -> None:
    monkeypatch.setattr(registry, "_missing_modules", lambda modules: [])
    found = finding("configured encoders", tmp_path, **{setting: spec})
    assert not found.ok and not found.optional
    assert found.advice.startswith(f"FASHION_{setting.upper()}: ") and said in found.advice


@pytest.mark.parametrize(
    ("setting", "spec"),
    [
        ("text_encoder", "local:cbow"),
        ("text_encoder", "st:nobody/nothing-here"),
        ("text_encoder", "hf:there"),
        ("image_encoder", "timm:resnet18"),
        ("image_encoder", "timm:resnet18/there/weights.bin"),
        ("image_encoder", "open_clip:ViT-B-32/openai"),
        ("image_encoder", "open_clip:hf-hub:nobody/nothing.bin"),
        ("image_encoder", "onnx:there#features"),
        ("product_word_vectors", ""),
    ],
)
def test_what_only_loading_or_the_hub_can_tell_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, spec: str
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("doctor loaded it")

    monkeypatch.setattr(registry, "_missing_modules", lambda modules: [])
    for load in ("_load_st", "_load_hf", "_load_timm", "_load_open_clip", "_load_onnx"):
        monkeypatch.setattr(registry, load, refuse)
    there = tmp_path / "models" / "there"
    there.mkdir(parents=True)
    for name in ("weights.bin", "model.onnx"):
        (there / name).touch()
    assert finding("configured encoders", tmp_path, **{setting: spec}).ok


def test_an_encoder_whose_library_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        registry, "_missing_modules", lambda modules: [name for name in modules if "timm" in name]
    )
    found = finding("configured encoders", tmp_path, image_encoder="timm:resnet18")
    assert not found.ok and "pip install timm" in found.advice
