"""``open_clip:…``: joint text-picture networks of the open_clip library.

Forms: ``<arch>/<pretrained tag>``, ``<arch>/<checkpoint file>``, ``hf-hub:<org>/<model>``, and the path of
a folder with an ``open_clip_config.json``. An architecture that open_clip does not know is looked for as
``<arch>.json`` beside the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fashion_assets.encoders.torch_pictures import from_torchvision
from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.networks.hub import HubSnapshot, load_from_hub, split_revision
from fashion_assets.networks.torch_compile import compiled
from fashion_assets.networks.torch_runtime import TorchRuntime, ready
from fashion_assets.networks.torch_transfer import fetched, on_device, pinned
from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

_CONFIG_FILE = "open_clip_config.json"
_WEIGHTS_FILE = "open_clip_model.safetensors"
_PIXEL_SETTINGS = ("mean", "std", "interpolation", "resize_mode")
_HUB_PREFIX = "hf-hub:"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "spiece.model", "vocab.txt")
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


def load_open_clip(name: str, *, models_dir: Path | None, runtime: TorchRuntime) -> NetworkEncoder:
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
                runtime,
            ),
        )
    folder = local_path(name, models_dir)
    if folder is not None and folder.is_dir():
        model_id = model_id_of(f"open_clip:{folder.name}", path_digest(folder))
        return _load_folder(spec, folder, model_id, runtime)
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
        return _load_checkpoint(spec, architecture, checkpoint, model_id, runtime)
    if looks_like_path(weights):
        raise missing_file(f"encoder {spec!r}", weights, models_dir)
    return _load_tag(spec, architecture, weights, runtime)


def _load_folder(spec: str, folder: Path, model_id: str, runtime: TorchRuntime) -> NetworkEncoder:
    if not (folder / _CONFIG_FILE).is_file():
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} holds no {_CONFIG_FILE}, so it is not an open_clip model"
        )
    # open_clip only warns and goes on with random numbers when the weights are not there.
    if not any(file.suffix in _WEIGHT_SUFFIXES for file in folder.iterdir()):
        raise UnloadableFiles(f"encoder {spec!r}: {folder} holds no weights ({', '.join(_WEIGHT_SUFFIXES)})")
    _check_tokenizer(spec, folder)
    return _build(spec, f"local-dir:{folder}", None, model_id, runtime)


def _check_tokenizer(spec: str, folder: Path) -> None:
    """open_clip takes a hub tokenizer that the configuration names from the folder, wherever it is published."""
    try:
        text = json.loads((folder / _CONFIG_FILE).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        named = text.get("hf_tokenizer_name")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder / _CONFIG_FILE} describes no open_clip model "
            f"({type(error).__name__}: {error})"
        ) from error
    if named and not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} holds no {' and no '.join(_TOKENIZER_FILES)}; its texts need the tokenizer "
            f"files of {named} beside the weights, copy them there"
        )


def _load_checkpoint(
    spec: str, architecture: str, checkpoint: Path, model_id: str, runtime: TorchRuntime
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
    return _build(spec, architecture, str(checkpoint), model_id, runtime)


def _load_tag(spec: str, architecture: str, tag: str, runtime: TorchRuntime) -> NetworkEncoder:
    import open_clip

    configuration = open_clip.get_pretrained_cfg(architecture, tag)
    if not configuration:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        known = f"its tags are {', '.join(tags)}" if tags else "see open_clip.list_pretrained()"
        raise UserError(f"encoder {spec!r}: open_clip has no weights {tag!r} for {architecture!r}; {known}")
    # open_clip writes org/model/ or org/model/file; it takes the safetensors form of a file if there is one.
    repository, _, file_name = str(configuration["hf_hub"]).rpartition("/")
    names = [_WEIGHTS_FILE, "open_clip_pytorch_model.bin"]
    if file_name:
        names = [str(Path(file_name).with_suffix(".safetensors")), file_name]

    def load(snapshot: HubSnapshot) -> NetworkEncoder:
        file = next((snapshot.folder / name for name in names if (snapshot.folder / name).is_file()), None)
        if file is None:
            raise UnloadableFiles(f"encoder {spec!r}: {snapshot.folder} holds none of {', '.join(names)}")
        model_id = model_id_of(f"open_clip:{architecture}/{tag}", snapshot.commit)
        return _build(spec, architecture, str(file), model_id, runtime, configuration)

    return load_from_hub(f"encoder {spec!r}", repository, load, only=names)


def _build(
    spec: str,
    name: str,
    pretrained: str | None,
    model_id: str,
    runtime: TorchRuntime,
    pixels: Mapping[str, Any] | None = None,
) -> NetworkEncoder:
    """The encoder of a loaded network; ``pixels`` are the scaling and resizing that the weights were
    trained with."""
    import open_clip
    import torch

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
    network: Any = ready(model, runtime.device, runtime.dtype)
    picture = from_torchvision(transform)
    moved = picture.onto(runtime.device, runtime.dtype)

    def picture_rows(batch: torch.Tensor) -> Any:
        return network.encode_image(moved(batch))

    see, read = picture_rows, network.encode_text
    if runtime.compile:
        see, read = (
            compiled(picture_rows, f"{spec}, pictures"),
            compiled(network.encode_text, f"{spec}, texts"),
        )

    def prepare_texts(texts: list[str]) -> Any:
        return pinned({"tokens": tokenizer(texts)}, runtime.device)

    def forward_texts(batch: Any) -> Any:
        with torch.inference_mode():
            return fetched(read(on_device(batch, runtime.device)["tokens"]))

    def forward_pictures(batch: torch.Tensor) -> Any:
        with torch.inference_mode():
            return fetched(see(batch))

    with torch.inference_mode():
        dim = int(network.encode_text(tokenizer(["clothes"]).to(runtime.device)).shape[1])
    read_rows = Trainable(
        network, lambda batch: network.encode_text(on_device(batch, runtime.device)["tokens"])
    )
    return NetworkEncoder(
        runtime.model_id(model_id),
        dim,
        text=Tower(prepare_texts, forward_texts, trainable=read_rows),
        image=Tower(
            lambda fitted: picture.batch(fitted, runtime.device),
            forward_pictures,
            picture.fit,
            trainable=Trainable(network, picture_rows, picture),
        ),
        batch_size=runtime.batch_size(),
        save=lambda folder: _save(name, network, tokenizer, folder),
    )


def _save(name: str, network: Any, tokenizer: Any, folder: Path) -> None:
    """A folder as open_clip's repositories on the hub are: configuration, weights, tokenizer files if it has any."""
    import open_clip
    from safetensors.torch import save_file

    described = open_clip.get_model_config(name)
    # The weights are all here: nothing is to be fetched for a tower when the folder is loaded.
    for tower, key in (("vision_cfg", "timm_model_pretrained"), ("text_cfg", "hf_model_pretrained")):
        if key in described[tower]:
            described[tower][key] = False
    if described["text_cfg"].get("hf_tokenizer_name"):
        tokenizer.tokenizer.save_pretrained(str(folder))
    state = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / _WEIGHTS_FILE)
    card = {"model_cfg": described, "preprocess_cfg": network.visual.preprocess_cfg}
    write_text_atomic(folder / _CONFIG_FILE, json.dumps(card, indent=2) + "\n")
