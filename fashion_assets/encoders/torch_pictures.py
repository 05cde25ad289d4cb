"""Pictures into PyTorch networks: sizes are made to fit in threads, bytes travel, numbers are scaled on the device.

A float32 picture is four times its bytes, and scaling it costs a core more than a GPU's whole forward pass. So a
library's own transform is cut in two where that gives the same pixels: all up to the uint8 picture, and
``(pixels * factor - mean) / std``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.pictures import Pixels
from fashion_assets.networks.torch_transfer import stacked

if TYPE_CHECKING:
    import torch


#: Steps of open_clip that make RGB of what is RGB already.
_COLOUR_STEPS = ("MaybeConvertMode", "_convert_to_rgb", "function")


@dataclass(frozen=True)
class Scaling:
    """``(pixels * factor - mean) / std`` by channel, which a network wants done to uint8 pixels."""

    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Resizing:
    """A picture made to fit by Pillow: to ``resize`` (short side, or height and width) by ``interpolation``, then the
    middle ``crop`` (height, width) of it.
    """

    resize: tuple[int, ...]
    interpolation: str
    crop: tuple[int, int]


@dataclass(frozen=True)
class PictureInput:
    """How pictures become a network's input.

    ``fit``: uint8 RGB (h, w, 3) -> uint8 (3, H, W) where ``scaling`` is given, else the finished float32 (3, H, W).
    ``resizing``: what ``fit`` does, where it can be said in numbers.
    """

    fit: Callable[[Pixels], npt.NDArray[Any]]
    scaling: Scaling | None
    resizing: Resizing | None = None

    def batch(self, fitted: Sequence[npt.NDArray[Any]], device: str) -> torch.Tensor:
        """(n, 3, H, W) on the host, ready to go to ``device``."""
        return stacked(fitted, device)

    def onto(self, device: str, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
        """The way of a batch onto the device: (n, 3, H, W) in ``dtype``, scaled there, in float32."""
        import torch

        if self.scaling is None:
            return lambda batch: batch.to(device, non_blocking=True).to(dtype)
        factor = self.scaling.factor
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)
            for values in (self.scaling.mean, self.scaling.std)
        )
        return lambda batch: ((batch.to(device, non_blocking=True).float() * factor - mean) / std).to(dtype)


def from_torchvision(transform: Any) -> PictureInput:
    """The input of a torchvision ``Compose`` (timm, open_clip); cut where it ends in ToTensor and Normalize."""
    from torchvision import transforms

    steps = list(getattr(transform, "transforms", []))
    if (
        len(steps) < 2
        or not isinstance(steps[-2], transforms.ToTensor)
        or not isinstance(steps[-1], transforms.Normalize)
    ):
        return PictureInput(lambda pixels: transform(_pillow(pixels)).numpy(), None)
    fit = transforms.Compose(steps[:-2])
    mean, std = (tuple(float(value) for value in values) for values in (steps[-1].mean, steps[-1].std))

    def channels_first(pixels: Pixels) -> npt.NDArray[np.uint8]:
        return np.ascontiguousarray(np.asarray(fit(_pillow(pixels)).convert("RGB")).transpose(2, 0, 1))

    return PictureInput(channels_first, Scaling(1 / 255, mean, std), _resizing(steps[:-2]))


def _resizing(steps: Sequence[Any]) -> Resizing | None:
    """The resizing that torchvision's steps do; None if there is more to them."""
    from torchvision import transforms

    steps = [step for step in steps if type(step).__name__ not in _COLOUR_STEPS]
    crop = steps.pop() if len(steps) > 1 and isinstance(steps[-1], transforms.CenterCrop) else None
    if len(steps) != 1 or not isinstance(steps[0], transforms.Resize):
        return None
    size = steps[0].size
    resize = (size,) if isinstance(size, int) else tuple(int(side) for side in size)
    cropped = resize if crop is None else tuple(int(side) for side in crop.size)
    height, width = cropped if len(cropped) == 2 else (resize[0], resize[0])
    return Resizing(resize, str(steps[0].interpolation.value), (height, width))


def from_image_processor(processor: Any) -> PictureInput:
    """The input of a transformers image processor; cut where it rescales and normalises uint8 pixels last."""

    def whole(pixels: Pixels) -> npt.NDArray[Any]:
        return processor(images=_pillow(pixels), return_tensors="np")["pixel_values"][0]

    def unscaled(pixels: Pixels) -> npt.NDArray[Any]:
        done = processor(images=_pillow(pixels), do_rescale=False, do_normalize=False, return_tensors="np")
        return done["pixel_values"][0]

    if not (getattr(processor, "do_rescale", False) and getattr(processor, "do_normalize", False)):
        return PictureInput(whole, None)
    scaling = Scaling(processor.rescale_factor, tuple(processor.image_mean), tuple(processor.image_std))
    cut = PictureInput(unscaled, scaling)
    return cut if _same_input(cut, whole) else PictureInput(whole, None)


#: Largest difference of two ways to scale a pixel that is only float32's rounding; inputs are within +-3.
_ROUNDING = 1e-5


def _same_input(cut: PictureInput, whole: Callable[[Pixels], npt.NDArray[Any]]) -> bool:
    """Whether both ways make the same of a picture of noise: processors are free to mind their options or not."""
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    fitted, expected = cut.fit(noise), whole(noise)
    if fitted.dtype != np.uint8 or fitted.shape != expected.shape:
        return False
    scaled = cut.onto("cpu", torch.float32)(cut.batch([fitted], "cpu"))[0].numpy()
    return bool(np.abs(scaled - expected).max() < _ROUNDING)


def _pillow(pixels: Pixels) -> Any:
    from PIL import Image

    return Image.fromarray(pixels)
