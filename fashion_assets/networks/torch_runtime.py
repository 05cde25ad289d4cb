"""Device, precision and inference mode: the few lines that every PyTorch encoder needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

#: Items a batch if nobody says: on a CPU larger batches gain nothing and cost memory.
CPU_BATCH_SIZE = 32
#: The same on other accelerators, which do not say how much memory is free.
ACCELERATOR_BATCH_SIZE = 256
#: What one item takes at most while a large network works on it: BERT-large on 512 tokens in float32 holds attention
#: scores (16 x 512 x 512) and a feed-forward layer (512 x 4096), each before and after its non-linearity, and a few
#: hidden states: 32 + 16 + 8 MiB, rounded up. A 224-pixel picture in a ViT-B takes less.
ITEM_BYTES = 64 * 1024**2
#: Share of the free memory that a batch may take: the allocator's fragments and the batch prepared ahead need some.
FREE_SHARE = 0.5
#: Smallest and largest batch picked on a GPU; what does not fit is halved by ``batches``, beyond 1,024 none gains.
GPU_BATCH_SIZES = (8, 1024)


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
    """``batch_size``, or what the device has room for; ask when the network's weights are on it.

    On a CPU ``CPU_BATCH_SIZE``. On ``cuda`` the largest power of two, within ``GPU_BATCH_SIZES``, of which
    ``ITEM_BYTES`` an item fit into ``FREE_SHARE`` of the memory that is free now: 64 with 8 GiB free, 512 with 78.
    """
    if batch_size is not None:
        return batch_size
    if device == "cpu":
        return CPU_BATCH_SIZE
    if not device.startswith("cuda"):
        return ACCELERATOR_BATCH_SIZE
    n_fitting = int(_free_bytes(device) * FREE_SHARE) // ITEM_BYTES
    smallest, largest = GPU_BATCH_SIZES
    return min(largest, max(smallest, 1 << n_fitting.bit_length() >> 1))


def _free_bytes(device: str) -> int:
    """Bytes of the GPU that a tensor can get: free on the device, and kept by PyTorch without being in use."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def ready(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """The model in float32, evaluation mode, on the device, without gradients."""
    return model.float().eval().requires_grad_(False).to(device)


def on_device(batch: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The tensors of a tokenizer's or image processor's output, on the device."""
    return {name: value.to(device) for name, value in batch.items()}
