"""Device, precision and inference mode: the few lines that every PyTorch encoder needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

#: Items a batch if nobody says: on CPU larger batches gain nothing and cost memory, on a GPU they fill it.
CPU_BATCH_SIZE = 32
GPU_BATCH_SIZE = 256


def pick_device(device: str | None) -> str:
    """``device`` if it is there, or the best one of this machine (cuda, then cpu). UserError if it is not
    there."""
    import torch

    if device is None or device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"the device {device!r} cannot be used here ({str(error).splitlines()[0]}); "
            "leave it out or set 'cpu'"
        ) from error
    return device


def pick_batch_size(batch_size: int | None, device: str) -> int:
    """``batch_size``, or the default of the device."""
    if batch_size is not None:
        return batch_size
    return CPU_BATCH_SIZE if device == "cpu" else GPU_BATCH_SIZE


def ready(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """The model in float32, evaluation mode, on the device, without gradients."""
    return model.float().eval().requires_grad_(False).to(device)


def on_device(batch: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The tensors of a tokenizer's or image processor's output, on the device."""
    return {name: value.to(device) for name, value in batch.items()}
