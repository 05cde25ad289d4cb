"""``timm:<name>``, ``timm:<name>/<weights file>`` and ``timm:<folder>``: picture networks of timm that make features.

The classifier is taken off; the vector is the pooled feature before it. A folder holds ``config.json`` and
``model.safetensors``, as timm's repositories on the hub do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_assets.encoders.torch_pictures import from_torchvision
from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.networks.hub import load_from_hub
from fashion_assets.networks.torch_compile import compiled
from fashion_assets.networks.torch_runtime import TorchRuntime, ready
from fashion_assets.networks.torch_transfer import fetched
from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

#: Order of preference inside a hub snapshot; timm's own repositories hold the first.
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_CONFIG_FILE = "config.json"


def load_timm(name: str, *, models_dir: Path | None, runtime: TorchRuntime) -> NetworkEncoder:
    """The picture encoder of a timm architecture with its published weights or with a file's."""
    spec = f"timm:{name}"
    folder = local_path(name, models_dir)
    if folder is not None and folder.is_dir():
        return _load_folder(spec, folder, runtime)
    architecture, separator, weights = name.partition("/")
    _check_architecture(spec, architecture)
    if separator:
        file = local_path(weights, models_dir)
        if file is None or not file.is_file():
            raise missing_file(f"encoder {spec!r}", weights, models_dir)
        model_id = model_id_of(f"timm:{architecture}/{file.name}", path_digest(file))
        return _build(spec, *_from_file(architecture, file), model_id, runtime)
    return load_from_hub(
        f"encoder {spec!r}",
        _published_weights(spec, architecture),
        lambda snapshot: _build(
            spec,
            *_from_file(architecture, _weights_file(spec, snapshot.folder)),
            model_id_of(f"timm:{architecture}", snapshot.commit),
            runtime,
        ),
    )


def _load_folder(spec: str, folder: Path, runtime: TorchRuntime) -> NetworkEncoder:
    import timm

    try:
        architecture = str(json.loads((folder / _CONFIG_FILE).read_text(encoding="utf-8"))["architecture"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder / _CONFIG_FILE} names no timm architecture ({type(error).__name__}: {error})"
        ) from error
    _check_architecture(spec, architecture)
    weights = _weights_file(spec, folder)
    model_id = model_id_of(f"timm:{folder.name}", path_digest(folder))
    return _build(
        spec, partial(timm.create_model, f"local-dir:{folder}", num_classes=0), weights, model_id, runtime
    )


def _from_file(architecture: str, weights: Path) -> tuple[Callable[..., Any], Path]:
    """(``create(pretrained=…)`` of the network with the weights of a file, that file)."""
    import timm

    overlay = {"file": str(weights)}
    return partial(timm.create_model, architecture, num_classes=0, pretrained_cfg_overlay=overlay), weights


def _check_architecture(spec: str, architecture: str) -> None:
    import timm

    if looks_like_path(architecture) or not timm.is_model(architecture):
        near = timm.list_models(f"*{architecture.split('.')[0].split('_')[0]}*")[:5] if architecture else []
        raise UserError(
            f"encoder {spec!r}: timm has no network {architecture!r}"
            + (f"; near ones: {', '.join(near)}" if near else "")
            + "; expected timm:<name>, timm:<name>/<weights file> or timm:<folder>"
        )


def _published_weights(spec: str, architecture: str) -> str:
    import timm

    configuration = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    if configuration is None or not configuration.hf_hub_id:
        raise UserError(
            f"encoder {spec!r}: timm publishes no weights for {architecture!r} on the hub; give a file: "
            f"timm:{architecture}/<weights file>, or take one of timm.list_pretrained()"
        )
    return str(configuration.hf_hub_id)


def _weights_file(spec: str, folder: Path) -> Path:
    for name in _WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise UnloadableFiles(f"encoder {spec!r}: {folder} holds none of {', '.join(_WEIGHT_FILES)}")


def _build(
    spec: str, create: Callable[..., Any], weights: Path, model_id: str, runtime: TorchRuntime
) -> NetworkEncoder:
    """The encoder of the network that ``create(pretrained=True)`` makes with ``weights``."""
    import timm
    import torch

    network: Any = ready(_weighted(spec, create, weights), runtime.device, runtime.dtype)
    settings = timm.data.resolve_model_data_config(network)
    picture = from_torchvision(timm.data.create_transform(**settings, is_training=False))
    moved = picture.onto(runtime.device, runtime.dtype)

    def rows_of(batch: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = network(moved(batch))
        return rows

    run = compiled(rows_of, spec) if runtime.compile else rows_of

    def forward(batch: torch.Tensor) -> Any:
        with torch.inference_mode():
            return fetched(run(batch))

    # num_features is not the width of the output for networks with a convolution behind the pooling.
    with torch.inference_mode():
        blank = torch.zeros(1, *settings["input_size"], device=runtime.device, dtype=runtime.dtype)
        dim = int(network(blank).shape[1])
    return NetworkEncoder(
        runtime.model_id(model_id),
        dim,
        image=Tower(
            lambda fitted: picture.batch(fitted, runtime.device),
            forward,
            picture.fit,
            trainable=Trainable(network, rows_of, picture),
        ),
        batch_size=runtime.batch_size(),
        save=lambda folder: timm.models.save_for_hf(network, str(folder), safe_serialization=True),
    )


def _weighted(spec: str, create: Callable[..., Any], weights: Path) -> torch.nn.Module:
    """The network with the file's weights, loaded by timm, which knows how older files name their layers.

    timm says nothing when a file lacks layers and leaves them random. Two networks made from one seed
    differ wherever the file had a say, so a varied parameter that is equal in both was never loaded.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untouched: torch.nn.Module = create(pretrained=False)
        architecture = untouched.pretrained_cfg["architecture"]
        torch.manual_seed(0)
        try:
            network: torch.nn.Module = create(pretrained=True)
        except Exception as error:  # safetensors, pickle and size errors have no common class
            raise UnloadableFiles(
                f"encoder {spec!r}: {weights} does not fit {architecture} ({type(error).__name__}: {error})"
            ) from error
    before = dict(untouched.named_parameters())
    for name, parameter in network.named_parameters():
        start = before[name]
        if start.numel() > 1 and bool((start != start.flatten()[0]).any()) and torch.equal(start, parameter):
            raise UnloadableFiles(f"encoder {spec!r}: {weights} has no weights for {name} of {architecture}")
    return network
