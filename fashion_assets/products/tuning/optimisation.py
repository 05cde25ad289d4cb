"""Parameter groups with layer-wise rates, the schedule, and the optimiser's state as tensors with names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fashion_assets.products.tuning.config import TuningConfig

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Learning:
    """A parameter that learns: its name in checkpoints, and its depth (None: a head's)."""

    name: str
    parameter: torch.nn.Parameter
    depth: int | None
    adapter: bool = False


def build_optimizer(learning: list[Learning], config: TuningConfig) -> torch.optim.Optimizer:
    """AdamW, a group per rate and decay; a group keeps its peak rate as ``peak``.

    Biases, norms and other vectors are not decayed.
    """
    import torch

    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for one in learning:
        decay = config.weight_decay if one.parameter.ndim > 1 else 0.0
        groups.setdefault((_peak_rate(one, config), decay), []).append(one.parameter)
    return torch.optim.AdamW(
        [
            {"params": group, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), group in groups.items()
        ]
    )


def _peak_rate(one: Learning, config: TuningConfig) -> float:
    if one.depth is None:
        return config.head_rate
    top = config.adapter_rate if one.adapter else config.tower_rate
    return top * config.layer_decay**one.depth


def rate_factor(step: int, n_steps: int, warmup_share: float) -> float:
    """Share of the peak rate at ``step`` of ``n_steps``: up in a line, then down a half cosine to 0."""
    warmup = math.ceil(warmup_share * n_steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Every group at ``factor`` of its peak rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def optimizer_tensors(optimizer: torch.optim.Optimizer, learning: list[Learning]) -> dict[str, Any]:
    """``<parameter name>/<key>`` -> tensor of everything that the optimiser keeps."""
    import torch

    found = {}
    for one in learning:
        for key, value in optimizer.state.get(one.parameter, {}).items():
            found[f"{one.name}/{key}"] = torch.as_tensor(value)
    return found


def restore_optimizer(
    optimizer: torch.optim.Optimizer, learning: list[Learning], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put what ``optimizer_tensors`` gave back."""
    for one in learning:
        prefix = f"{one.name}/"
        state = {
            name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
        }
        if state:
            # Steps are counted on the host, moments lie with their parameter.
            optimizer.state[one.parameter] = {
                key: value if key == "step" else value.to(one.parameter.device)
                for key, value in state.items()
            }
