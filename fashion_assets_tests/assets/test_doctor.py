"""What ``doctor`` says about the segmenter, the precision and the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fashion_assets.defs import doctor
from fashion_assets.defs.doctor import Finding
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
