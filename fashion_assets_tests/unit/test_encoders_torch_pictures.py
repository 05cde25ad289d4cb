"""Pictures for PyTorch networks: the way by bytes gives the pixels of the library's own transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders.torch_pictures import PictureInput, from_image_processor, from_torchvision

torch = pytest.importorskip("torch")
PICTURE = np.random.default_rng(1).integers(0, 256, (70, 50, 3), dtype=np.uint8)


def made(picture: PictureInput) -> Any:
    """(1, 3, H, W) float32 that a network on the CPU would see."""
    return picture.onto("cpu", torch.float32)(picture.batch([picture.fit(PICTURE)], "cpu"))


def of_timm() -> Any:
    import timm

    settings = timm.data.resolve_model_data_config(timm.create_model("test_vit"))
    return timm.data.create_transform(**settings, is_training=False)


def of_open_clip(resize_mode: str) -> Any:
    from open_clip.transform import image_transform

    return image_transform(64, is_train=False, resize_mode=resize_mode)


@pytest.mark.parametrize("transform", ["timm", "shortest", "longest", "squash"])
def test_torchvision_transforms_are_cut_in_two(transform: str) -> None:
    from PIL import Image

    whole = of_timm() if transform == "timm" else of_open_clip(transform)
    picture = from_torchvision(whole)
    assert picture.scaling is not None
    assert picture.fit(PICTURE).dtype == np.uint8
    np.testing.assert_allclose(made(picture)[0], whole(Image.fromarray(PICTURE)), atol=2e-6)


def test_other_transforms_run_whole() -> None:
    from torchvision import transforms

    whole = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5), transforms.Resize(32)])
    picture = from_torchvision(whole)
    assert picture.scaling is None
    assert made(picture).shape == (1, 3, 44, 32)
    assert made(picture).min() < 0


@pytest.mark.parametrize(
    "name", ["ChineseCLIPImageProcessor", "ViTImageProcessor", "SiglipImageProcessor", "BitImageProcessor"]
)
def test_image_processors_are_cut_in_two(name: str) -> None:
    import transformers

    processor = getattr(transformers, name)()
    picture = from_image_processor(processor)
    assert picture.scaling is not None
    expected = processor(images=PICTURE, return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(made(picture), expected, atol=2e-6)


def test_a_processor_that_does_not_mind_its_options_runs_whole() -> None:
    from transformers import ViTImageProcessor

    class Stubborn(ViTImageProcessor):
        def __call__(self, images: Any, **options: Any) -> Any:
            return super().__call__(images, return_tensors=options["return_tensors"])

    plain = ViTImageProcessor(do_normalize=False)
    for processor in (Stubborn(), plain):
        picture = from_image_processor(processor)
        assert picture.scaling is None
        expected = processor(images=PICTURE, return_tensors="pt")["pixel_values"]
        np.testing.assert_array_equal(made(picture), expected)


def test_batches_are_on_the_host_in_one_piece() -> None:
    picture = from_torchvision(of_open_clip("squash"))
    batch = picture.batch([picture.fit(PICTURE), picture.fit(PICTURE[::-1])], "cpu")
    assert (tuple(batch.shape), batch.dtype) == ((2, 3, 64, 64), torch.uint8)
    assert not torch.equal(batch[0], batch[1])
    assert batch.is_contiguous()
