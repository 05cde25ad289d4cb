"""Which blocks a tower has, and which parameters lie in the last of them or behind, whatever library made it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fashion_assets.encoders.towers import Trainable
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LearningBlocks:
    """The last blocks of a tower, which learn: their modules, and the network's parameters by name that count as
    theirs, with the depth of each (0 behind the last block, 1 in it, 2 in the one before …).
    """

    blocks: list[torch.nn.Module]
    #: Name of each block in the network.
    names: list[str]
    #: All blocks before ``blocks``, in order.
    before: list[torch.nn.Module]
    depths: dict[str, int]


def learning_blocks(trainable: Trainable, batch: Any, n_blocks: int, tower: str) -> LearningBlocks:
    """The last ``n_blocks`` blocks that ``trainable.rows(batch)`` goes through. ``tower`` names it in sentences.

    Parameters behind the blocks (final norm, projection) belong to them: those that the rows depend on when
    everything that enters the first learning block is held fixed. Raises UserError if there are fewer blocks.
    """
    import torch

    found = tower_blocks(trainable, batch)
    if not 1 <= n_blocks <= len(found):
        raise UserError(
            f"the {tower} tower has {len(found)} blocks, so its last {n_blocks} cannot be fine-tuned; give 1 to "
            f"{len(found)}, or 0 to leave it as it is"
        )
    names, modules = zip(*found, strict=True)
    first = len(found) - n_blocks
    parameters = dict(trainable.network.named_parameters())
    asked = {name: parameter.requires_grad for name, parameter in parameters.items()}
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(parameter.is_floating_point())
        with torch.enable_grad(), _inputs_held(modules[first]):
            rows = trainable.rows(batch)
            learning = [(name, one) for name, one in parameters.items() if one.requires_grad]
            slopes = torch.autograd.grad(rows.sum(), [one for _, one in learning], allow_unused=True)
    finally:
        for name, parameter in parameters.items():
            parameter.requires_grad_(asked[name])
    depths = {}
    for (name, _), slope in zip(learning, slopes, strict=True):
        if slope is not None:
            inside = next((at for at, block in enumerate(names) if name.startswith(f"{block}.")), None)
            depths[name] = 0 if inside is None else len(names) - inside
    return LearningBlocks(list(modules[first:]), list(names[first:]), list(modules[:first]), depths)


def tower_blocks(trainable: Trainable, batch: Any) -> list[tuple[str, torch.nn.Module]]:
    """(name, module) of the blocks that a batch goes through, in order.

    Of all lists of modules in the network, the one with the most parameters: the layers of a transformer, the blocks
    of an EfficientNet, the bottlenecks of a ResNet (whose lists stand side by side).
    """
    import torch

    ranks = _execution_ranks(trainable, batch)
    groups: dict[str, list[tuple[str, torch.nn.Module]]] = {}
    for name, module in trainable.network.named_modules():
        if name and isinstance(module, torch.nn.ModuleList | torch.nn.Sequential):
            children = _executed(name, module, ranks)
            if children and all(isinstance(child, torch.nn.Sequential) for _, child in children):
                children = [one for inner, child in children for one in _executed(inner, child, ranks)]
            if children and all(any(child.children()) for _, child in children):
                groups.setdefault(name.rpartition(".")[0], []).extend(children)
    if not groups:
        return []
    largest = max(groups.values(), key=lambda blocks: sum(_n_parameters(block) for _, block in blocks))
    return sorted(largest, key=lambda block: ranks[id(block[1])])


def set_learning_mode(blocks: LearningBlocks, learning: bool) -> None:
    """Dropout in the learning blocks on or off. Batch normalisation keeps the statistics that it came with: a
    small batch's own would be noise.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    for block in blocks.blocks:
        block.train(learning)
        for module in block.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def _execution_ranks(trainable: Trainable, batch: Any) -> dict[int, int]:
    """Identity of each module that the batch goes through -> its place in the order."""
    import torch

    ranks: dict[int, int] = {}

    def note(module: torch.nn.Module, _: Any) -> None:
        ranks.setdefault(id(module), len(ranks))

    hooks = [module.register_forward_pre_hook(note) for module in trainable.network.modules()]
    try:
        with torch.no_grad():
            trainable.rows(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return ranks


def _executed(name: str, module: Any, ranks: dict[int, int]) -> list[tuple[str, torch.nn.Module]]:
    """The children of a list that ran and have parameters."""
    return [
        (f"{name}.{child_name}", child)
        for child_name, child in module.named_children()
        if id(child) in ranks and _n_parameters(child)
    ]


def _n_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def _inputs_held(block: torch.nn.Module) -> Iterator[None]:
    """No gradient goes through what enters ``block``."""
    hook = block.register_forward_pre_hook(
        lambda _, args, kwargs: (_detached(args), _detached(kwargs)), with_kwargs=True
    )
    try:
        yield
    finally:
        hook.remove()


def _detached(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {name: _detached(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_detached(one) for one in value)
    return value
