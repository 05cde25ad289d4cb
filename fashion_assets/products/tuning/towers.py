"""From a registry spec to a side of the training: its network, the blocks that learn, its tensors on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.batches import reader_count
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.products.tuning.activations import captured, check_replay
from fashion_assets.products.tuning.adapters import add_adapters, target_layers
from fashion_assets.products.tuning.augmentation import augmented
from fashion_assets.products.tuning.blocks import LearningBlocks, learning_blocks
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.epochs import Progress
from fashion_assets.products.tuning.optimisation import Learning
from fashion_assets.products.tuning.sides import FixedSide, Numbers, Side, TowerSide
from fashion_assets.products.tuning.tensors import (
    CHUNK,
    TokenTensors,
    mapped_rows,
    picture_tensors,
    tensor_digest,
)
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SideItems:
    """What one side has of n products: ``items`` (m, different ones) with their content ``digests``, and which of them
    is each product's (n,), -1 for none.
    """

    items: Sequence[Any]
    digests: Sequence[str]
    rows: Numbers


@dataclass(frozen=True)
class LoadedSide:
    """An encoder loaded for training: ``tower`` is its way for this side if its blocks are to learn, else None."""

    name: str
    spec: str
    encoder: Encoder
    tower: Tower | None

    @property
    def network(self) -> torch.nn.Module:
        """The network that learns."""
        return self.trainable.network

    @property
    def trainable(self) -> Trainable:
        if self.tower is None or self.tower.trainable is None:
            raise UserError(f"the {self.name} encoder {self.spec!r} does not learn")
        return self.tower.trainable


def load_sides(
    image_encoder: str | None,
    text_encoder: str | None,
    config: TuningConfig,
    *,
    models_dir: Path | None,
    device: str,
) -> list[LoadedSide]:
    """The sides in the order image, text; equal specs share one network.

    An encoder without a network (``local:…``, ``onnx:…``) takes part with vectors that stay as they are. Raises
    UserError if there is no encoder, one does not take its items, or none can learn where blocks are asked for.
    """
    loaded: dict[str, Encoder] = {}
    sides = []
    for name, spec in (("image", image_encoder), ("text", text_encoder)):
        if spec is None:
            continue
        if spec not in loaded:
            loaded[spec] = load_encoder(spec, models_dir=models_dir, device=device)
        encoder = loaded[spec]
        if encoder.modality not in (name, "joint"):
            raise UserError(
                f"the {name} encoder {spec!r} takes {encoder.modality} items; give one for {name}s"
            )
        tower = None
        if isinstance(encoder, NetworkEncoder) and config.blocks_of(name):
            tower = encoder.image_tower if name == "image" else encoder.text_tower
        sides.append(LoadedSide(name, spec, encoder, tower if tower and tower.trainable else None))
    if not sides:
        raise UserError("there is neither a picture nor a text encoder; give at least one")
    asked = any(config.blocks_of(side.name) for side in sides)
    if asked and all(side.tower is None for side in sides):
        named = " and ".join(repr(side.spec) for side in sides)
        raise UserError(
            f"{named}: there is no network to fine-tune; give a spec st:, hf:, timm: or open_clip:, or n_blocks=0 to "
            "train the heads alone"
        )
    return sides


def build_side(
    loaded: LoadedSide,
    content: SideItems,
    config: TuningConfig,
    folder: Path,
    device: str,
    progress: Progress,
) -> tuple[Side, dict[int, str]]:
    """(the side with its tensors in ``folder``, number of each item that cannot be read -> why)."""
    name = loaded.name

    def report(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total)

    if loaded.tower is None:
        refused: dict[int, str] = {}
        vectors = loaded.encoder.encode(content.items, refused)
        padded = np.vstack([vectors, np.zeros((1, loaded.encoder.dim), np.float32)])
        return FixedSide(name, loaded.encoder.model_id, padded[content.rows], device), refused
    tower, model_id = loaded.tower, loaded.encoder.model_id
    if not len(content.items):
        raise UserError(
            f"no product has {'a picture' if name == 'image' else 'a text'}; leave that encoder out"
        )
    columns: Callable[[Numbers], slice] = _all_columns
    if name == "image":
        named = list(zip(content.digests, content.items, strict=True))
        tensors, refused = picture_tensors(folder, model_id, tower, named, report("preparing pictures"))
        rows = np.where(np.isin(content.rows, list(refused)), -1, content.rows)
        make_input = whole_input = _picture_input(tower, tensors, config)
    else:
        tokens = TokenTensors(folder, model_id, tower, content.items, report("tokenising texts"))
        refused, rows, columns = {}, content.rows, tokens.columns

        def make_input(chosen: Numbers, epoch: int | None) -> Any:
            return tokens.batch(chosen)

        def whole_input(chosen: Numbers, epoch: int | None) -> Any:
            return tokens.batch(chosen, slice(None))

    probe = np.arange(min(2, len(content.items)))
    blocks = learning_blocks(loaded.trainable, make_input(probe, None), config.blocks_of(name), name)
    hidden = None
    if config.cache_activations and not (name == "image" and config.augment):
        check_replay(loaded.trainable, blocks, whole_input(probe, None), len(probe))
        key = tensor_digest(name, model_id, blocks.names[0], *content.digests)
        hidden = mapped_rows(
            folder / f"activations-{key}.npy",
            len(content.items),
            _hidden_chunks(loaded.trainable, blocks, whole_input, len(content.items), config.batch_size),
            report(f"running the frozen {name} blocks"),
        )
    side = TowerSide(
        name,
        model_id,
        loaded.encoder.dim,
        loaded.trainable,
        blocks,
        rows,
        make_input,
        device,
        hidden,
        columns,
    )
    return side, refused


def _all_columns(chosen: Numbers) -> slice:
    return slice(None)


def learning_parameters(
    loaded: Sequence[LoadedSide], sides: Sequence[Side], config: TuningConfig
) -> tuple[list[Learning], list[Any]]:
    """(parameters of the towers that learn, peft's models that have to be merged in the end).

    They require gradients from here on. A network that both sides share has one set of names.
    """
    networks: dict[int, tuple[str, torch.nn.Module, dict[str, int], list[str]]] = {}
    for one, side in zip(loaded, sides, strict=True):
        if isinstance(side, TowerSide):
            key = id(one.network)
            name, network, depths, blocks = networks.get(key, (one.name, one.network, {}, []))
            shared = "joint" if key in networks else name
            merged = {**side.blocks.depths, **depths}
            networks[key] = (shared, network, merged, [*blocks, *side.blocks.names])
    learning: list[Learning] = []
    adapted = []
    for name, network, depths, blocks in networks.values():
        if config.adapter_rank:
            layers = target_layers(network, blocks, config.adapter_targets)
            adapted.append(
                add_adapters(
                    network, layers, rank=config.adapter_rank, alpha=config.adapter_alpha, seed=config.seed
                )
            )
        for parameter_name, parameter in network.named_parameters():
            is_adapter = ".lora_" in parameter_name
            learns = is_adapter if config.adapter_rank else parameter_name in depths
            parameter.requires_grad_(learns)
            if learns:
                depth = _adapter_depth(parameter_name, depths) if is_adapter else depths[parameter_name]
                learning.append(Learning(f"{name}/{parameter_name}", parameter, depth, is_adapter))
    return learning, adapted


def _adapter_depth(name: str, depths: dict[str, int]) -> int:
    """The depth of the layer that the adapter stands beside."""
    layer = name.partition(".lora_")[0]
    return next(depth for known, depth in depths.items() if known.startswith(f"{layer}."))


def _picture_input(
    tower: Tower, tensors: npt.NDArray[Any], config: TuningConfig
) -> Callable[[Numbers, int | None], Any]:
    pool = ThreadPoolExecutor(reader_count(), thread_name_prefix="augment-picture")

    def make(chosen: Numbers, epoch: int | None) -> Any:
        if epoch is None or not config.augment:
            return tower.prepare(list(tensors[chosen]))
        turned = pool.map(
            lambda row: augmented(tensors[row], seed=config.seed, epoch=epoch, item=int(row)), chosen
        )
        return tower.prepare(list(turned))

    return make


def _hidden_chunks(
    trainable: Trainable,
    blocks: LearningBlocks,
    make_input: Callable[[Numbers, int | None], Any],
    n_items: int,
    batch_size: int,
) -> Any:
    step = min(batch_size, CHUNK)
    for start in range(0, n_items, step):
        rows = np.arange(start, min(start + step, n_items))
        yield captured(trainable, blocks, make_input(rows, None), len(rows)).float().cpu().numpy()
