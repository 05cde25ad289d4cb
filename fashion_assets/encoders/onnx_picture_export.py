"""A picture tower of the registry as an ONNX file that ``onnx:<folder>`` loads, checked against the original.

Belongs here: towers of timm and open_clip, tuned ones among them. Does not: texts (``onnx_export``).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion_assets.encoders.onnx_export import LEAST_COSINE, quiet_logging, require_exporter
from fashion_assets.encoders.onnx_networks import FEATURES
from fashion_assets.encoders.onnx_texts import NETWORK_FILE
from fashion_assets.encoders.pictures import Pixels
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.encoders.registry import load_encoder
from fashion_assets.encoders.towers import NetworkEncoder, Trainable
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

    from fashion_assets.encoders.torch_pictures import Resizing, Scaling

#: Protobuf's limit is 2 GiB a file; larger networks keep their weights in a file beside.
_ONE_FILE_BYTES = 1_800_000_000


@dataclass(frozen=True)
class PictureExport:
    """What was written to ``folder``, and the cosine of its vectors to the original's on ``check_pictures``."""

    folder: Path
    spec: str
    cosine_mean: float
    cosine_min: float


def export_picture_encoder(spec: str, folder: Path, *, models_dir: Path | None = None) -> PictureExport:
    """The picture tower of ``spec`` (``timm:`` or ``open_clip:``) written to ``folder`` as a spec ``onnx:<folder>``.

    The folder appears whole or not at all. Raises UserError for other kinds, a missing library, a folder that holds
    something, a preprocessing that has no numbers, and vectors under ``LEAST_COSINE``.
    """
    require_exporter()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and holds something; give a new folder")
    original = load_encoder(spec, models_dir=models_dir, device="cpu")
    tower = original.image_tower if isinstance(original, NetworkEncoder) else None
    picture = tower.trainable.picture if tower is not None and tower.trainable is not None else None
    if tower is None or tower.trainable is None or picture is None:
        raise UserError(f"{spec!r} has no picture tower to export; expected timm:… or open_clip:…")
    if picture.resizing is None or picture.scaling is None:
        raise UserError(
            f"{spec!r} prepares its pictures in a way that cannot be written down as resizing, cropping and scaling"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as beside:
        made = Path(beside) / folder.name
        made.mkdir()
        _export_network(tower.trainable, picture.scaling, picture.resizing, made / NETWORK_FILE)
        settings = _settings(picture.scaling, picture.resizing)
        (made / NETWORK_FILE).with_suffix(".json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
        cosines = _cosines(original, load_encoder(f"onnx:{made}", device="cpu"))
        if cosines.min() < LEAST_COSINE:
            raise UserError(
                f"{spec!r}: the exported network is not the same, the cosine of its vectors to the original's falls to "
                f"{cosines.min():.4f} (expected at least {LEAST_COSINE}); nothing was written"
            )
        if folder.exists():
            folder.rmdir()
        shutil.move(made, folder)
    return PictureExport(folder, spec, float(cosines.mean()), float(cosines.min()))


def check_pictures() -> list[Pixels]:
    """Made pictures of several shapes: smooth colours with edges and a little noise, as photographs have."""
    generator = np.random.default_rng(7)
    found: list[Pixels] = []
    for height, width in ((300, 225), (224, 224), (80, 60), (200, 420), (512, 384), (160, 161)):
        coarse = generator.integers(0, 256, (6, 6, 3)).astype(np.float64)
        rows, columns = np.arange(height) * 6 // height, np.arange(width) * 6 // width
        pixels = coarse[rows][:, columns] + generator.normal(0, 8, (height, width, 3))
        found.append(np.clip(pixels, 0, 255).astype(np.uint8))
    return found


def _settings(scaling: Scaling, resizing: Resizing) -> dict[str, Any]:
    """The JSON beside the network, as ``onnx_networks`` reads it."""
    return {
        "input": "image",
        "output": FEATURES,
        "size": list(resizing.crop),
        "mean": [value / scaling.factor for value in scaling.mean],
        "std": [value / scaling.factor for value in scaling.std],
        "fit": "resize-crop",
        "resize": list(resizing.resize),
        "interpolation": resizing.interpolation,
    }


def _export_network(trainable: Trainable, scaling: Scaling, resizing: Resizing, path: Path) -> None:
    """Write the network with a free batch; its input are scaled pixels."""
    import torch

    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (scaling.mean, scaling.std))

    class Features(torch.nn.Module):
        """Scaled pixels in: the tower scales by itself, so that is taken back before it, and the graph cancels it."""

        def __init__(self) -> None:
            super().__init__()
            self.network = trainable.network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return trainable.rows((image * std + mean) / scaling.factor)

    n_bytes = sum(parameter.numel() * 4 for parameter in trainable.network.parameters())
    with warnings.catch_warnings(), torch.inference_mode(), quiet_logging():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Features().eval(),
            (torch.zeros(2, 3, *resizing.crop),),
            str(path),
            input_names=["image"],
            output_names=[FEATURES],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            external_data=n_bytes > _ONE_FILE_BYTES,
            dynamo=True,
            verbose=False,
        )


def _cosines(original: Encoder, exported: Encoder) -> Any:
    pictures = check_pictures()
    return (original.encode(pictures) * exported.encode(pictures)).sum(axis=1)
