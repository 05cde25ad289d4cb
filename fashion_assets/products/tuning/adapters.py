"""LoRA adapters (Hu et al. 2021) by peft: small matrices beside the linear layers of the learning blocks."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch


def target_layers(network: torch.nn.Module, blocks: Sequence[str], ends: Sequence[str] = ()) -> list[str]:
    """Names of the linear layers in the blocks of those names, or of those that end in one of ``ends``.

    The output projection inside ``torch.nn.MultiheadAttention`` (open_clip) is none of them: PyTorch takes its
    weights without calling it, so an adapter there would do nothing. Raises UserError if nothing is left.
    """
    import torch

    modules = dict(network.named_modules())
    linear = [
        name
        for name, module in modules.items()
        if isinstance(module, torch.nn.Linear)
        and any(name.startswith(f"{block}.") for block in blocks)
        and not isinstance(modules[name.rpartition(".")[0]], torch.nn.MultiheadAttention)
    ]
    found = [name for name in linear if not ends or name.endswith(tuple(ends))]
    if not found:
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise UserError(
            f"no linear layer of {blocks[0]} to {blocks[-1]} "
            + (f"ends in {' or '.join(ends)}; they end in {', '.join(known)}" if ends and known else "exists")
            + "; name others in adapter_targets, or set adapter_rank to 0 to let the blocks themselves learn"
        )
    return found


def add_adapters(
    network: torch.nn.Module, layers: Sequence[str], *, rank: int, alpha: float, seed: int
) -> Any:
    """The network's ``peft.LoraModel``: adapters stand in ``network`` itself, at zero effect, all else is frozen.

    Raises UserError if peft is not installed.
    """
    import torch

    if importlib.util.find_spec("peft") is None:
        raise UserError(
            "adapters need peft, which is not installed; pip install peft, or set adapter_rank to 0 to let the "
            "blocks themselves learn"
        )
    from peft import LoraConfig, LoraModel

    pattern = "|".join(re.escape(name) for name in layers)
    settings = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, bias="none", target_modules=pattern)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LoraModel(network, settings, "default")


def merge_adapters(adapted: Any) -> None:
    """Put what the adapters learned into the layers' own weights and take the adapters off, in place."""
    adapted.merge_and_unload(safe_merge=True)
