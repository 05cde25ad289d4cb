"""Picture towers as ONNX: the same vectors, whatever the resizing of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.onnx_networks import resize_and_crop
from fashion_assets.encoders.onnx_picture_export import check_pictures, export_picture_encoder
from fashion_assets.encoders.torch_pictures import from_torchvision
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import tiny_bert, tiny_marqo, tiny_open_clip, tiny_timm


@pytest.mark.parametrize(
    "kind",
    [
        "timm",
        pytest.param("open_clip", marks=pytest.mark.slow),
        pytest.param("squash", marks=pytest.mark.slow),
    ],
)
def test_an_exported_tower_gives_the_same_vectors(tmp_path: Path, kind: str) -> None:
    if kind == "timm":
        spec = f"timm:test_efficientnet/{tiny_timm(tmp_path / 'e.safetensors', 'test_efficientnet')}"
    else:
        make = tiny_open_clip if kind == "open_clip" else tiny_marqo
        spec = f"open_clip:{make(tmp_path / 'network')}"
    made = export_picture_encoder(spec, tmp_path / "exported")
    assert made.cosine_min > 0.99999
    pictures = check_pictures()
    again = load_encoder(f"onnx:{made.folder}", device="cpu")
    np.testing.assert_allclose(
        again.encode(pictures), load_encoder(spec, device="cpu").encode(pictures), atol=1e-4
    )
    assert again.modality == "image"
    with pytest.raises(UserError, match="holds something"):
        export_picture_encoder(spec, tmp_path / "exported")


def test_what_has_no_picture_tower_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no picture tower to export"):
        export_picture_encoder(f"hf:{tiny_bert(tmp_path / 'bert')}", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("size", [40, (40, 50), (33, 33)])
def test_resizing_without_torchvision_gives_its_pixels(size: int | tuple[int, int]) -> None:
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    made = from_torchvision(transform)
    assert made.resizing is not None
    for pixels in check_pictures():
        ours = resize_and_crop(pixels, made.resizing.resize, "bicubic", *made.resizing.crop)
        np.testing.assert_array_equal(ours.transpose(2, 0, 1), made.fit(pixels))
