"""``open_clip:…``: joint text-picture networks of the open_clip library.

Forms: ``<arch>/<pretrained tag>``, ``<arch>/<checkpoint file>``, ``hf-hub:<org>/<model>``, and the path of
a folder with an ``open_clip_config.json``. An architecture that open_clip does not know is looked for as
``<arch>.json`` beside the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.towers import NetworkEncoder, Tower, decode_pool, read_pictures
from fashion_assets.networks.hub import HubSnapshot, load_from_hub, split_revision
from fashion_assets.networks.torch_runtime import pick_batch_size, pick_device, ready
from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)
from fashion_assets.storage.errors import UserError

_CONFIG_FILE = "open_clip_config.json"
_PIXEL_SETTINGS = ("mean", "std", "interpolation", "resize_mode")
_HUB_PREFIX = "hf-hub:"
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


def load_open_clip(
    name: str, *, models_dir: Path | None, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    """The joint encoder of one of the forms above; UserError says what was tried."""
    spec = f"open_clip:{name}"
    if name.startswith(_HUB_PREFIX):
        repository = split_revision(name.removeprefix(_HUB_PREFIX))[0]
        return load_from_hub(
            f"encoder {spec!r}",
            name.removeprefix(_HUB_PREFIX),
            lambda snapshot: _load_folder(
                spec,
                snapshot.folder,
                model_id_of(f"open_clip:{_HUB_PREFIX}{repository}", snapshot.commit),
                device,
                batch_size,
            ),
        )
    folder = local_path(name, models_dir)
    if folder is not None and folder.is_dir():
        model_id = model_id_of(f"open_clip:{folder.name}", path_digest(folder))
        return _load_folder(spec, folder, model_id, device, batch_size)
    architecture, separator, weights = name.partition("/")
    if name.startswith(("/", "./", "../", "~")) or not separator or not weights:
        raise UserError(
            f"encoder {spec!r}: expected open_clip:<arch>/<pretrained tag>, "
            "open_clip:<arch>/<checkpoint file>, open_clip:hf-hub:<org>/<model> or the path of a folder "
            f"with {_CONFIG_FILE}"
        )
    checkpoint = local_path(weights, models_dir)
    if checkpoint is not None:
        model_id = model_id_of(f"open_clip:{architecture}/{checkpoint.name}", path_digest(checkpoint))
        return _load_checkpoint(spec, architecture, checkpoint, model_id, device, batch_size)
    if looks_like_path(weights):
        raise missing_file(f"encoder {spec!r}", weights, models_dir)
    return _load_tag(spec, architecture, weights, device, batch_size)


def _load_folder(
    spec: str, folder: Path, model_id: str, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    if not (folder / _CONFIG_FILE).is_file():
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} holds no {_CONFIG_FILE}, so it is not an open_clip model"
        )
    # open_clip only warns and goes on with random numbers when the weights are not there.
    if not any(file.suffix in _WEIGHT_SUFFIXES for file in folder.iterdir()):
        raise UnloadableFiles(f"encoder {spec!r}: {folder} holds no weights ({', '.join(_WEIGHT_SUFFIXES)})")
    return _build(spec, f"local-dir:{folder}", None, model_id, device, batch_size)


def _load_checkpoint(
    spec: str, architecture: str, checkpoint: Path, model_id: str, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    import open_clip

    if architecture not in open_clip.list_models():
        described = checkpoint.parent / f"{architecture}.json"
        if not described.is_file():
            raise UserError(
                f"encoder {spec!r}: open_clip knows no architecture {architecture!r} "
                f"and {described} does not exist; "
                "take one of open_clip.list_models() or put its configuration there"
            )
        open_clip.add_model_config(described)
    return _build(spec, architecture, str(checkpoint), model_id, device, batch_size)


def _load_tag(
    spec: str, architecture: str, tag: str, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    import open_clip

    configuration = open_clip.get_pretrained_cfg(architecture, tag)
    if not configuration:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        known = f"its tags are {', '.join(tags)}" if tags else "see open_clip.list_pretrained()"
        raise UserError(f"encoder {spec!r}: open_clip has no weights {tag!r} for {architecture!r}; {known}")
    # open_clip writes org/model/ or org/model/file; it takes the safetensors form of a file if there is one.
    repository, _, file_name = str(configuration["hf_hub"]).rpartition("/")
    names = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    if file_name:
        names = [str(Path(file_name).with_suffix(".safetensors")), file_name]

    def load(snapshot: HubSnapshot) -> NetworkEncoder:
        file = next((snapshot.folder / name for name in names if (snapshot.folder / name).is_file()), None)
        if file is None:
            raise UnloadableFiles(f"encoder {spec!r}: {snapshot.folder} holds none of {', '.join(names)}")
        model_id = model_id_of(f"open_clip:{architecture}/{tag}", snapshot.commit)
        return _build(spec, architecture, str(file), model_id, device, batch_size, configuration)

    return load_from_hub(f"encoder {spec!r}", repository, load, only=names)


def _build(
    spec: str,
    name: str,
    pretrained: str | None,
    model_id: str,
    device: str | None,
    batch_size: int | None,
    pixels: Mapping[str, Any] | None = None,
) -> NetworkEncoder:
    """The encoder of a loaded network; ``pixels`` are the scaling and resizing that the weights were
    trained with."""
    import open_clip
    import torch

    chosen = pick_device(device)
    try:
        model, _, transform = open_clip.create_model_and_transforms(
            name,
            pretrained=pretrained,
            precision="fp32",
            device="cpu",
            weights_only=True,
            **{f"image_{key}": pixels[key] for key in _PIXEL_SETTINGS if pixels and pixels.get(key)},
        )
        tokenizer: Any = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip passes on whatever the hub client, timm or torch raise
        raise UnloadableFiles(
            f"encoder {spec!r}: open_clip cannot load it ({type(error).__name__}: {error})"
        ) from error
    network: Any = ready(model, chosen)
    pool = decode_pool()

    def prepare_pictures(items: list[Any]) -> Any:
        from PIL import Image

        return torch.stack(read_pictures(pool, items, lambda pixels: transform(Image.fromarray(pixels))))

    def forward_pictures(batch: Any) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            rows: npt.NDArray[np.float32] = network.encode_image(batch.to(chosen)).float().cpu().numpy()
        return rows

    def forward_texts(batch: Any) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            rows: npt.NDArray[np.float32] = network.encode_text(batch.to(chosen)).float().cpu().numpy()
        return rows

    text = Tower(tokenizer, forward_texts)
    dim = int(forward_texts(tokenizer(["clothes"])).shape[1])
    return NetworkEncoder(
        model_id,
        dim,
        text=text,
        image=Tower(prepare_pictures, forward_pictures),
        batch_size=pick_batch_size(batch_size, chosen),
    )
