"""Device, precision, batch size: how PyTorch networks run on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16", "float16"]

#: What stands behind a model id whose vectors were computed in that precision.
_SUFFIXES: Final = {"float32": "", "bfloat16": "+bf16", "float16": "+fp16"}
#: Kinds of devices on which fewer bits are faster; elsewhere everything is computed in float32.
_SHORT_PRECISION_DEVICES: Final = ("cuda",)

#: Items a batch if nobody says: on a CPU larger batches gain nothing and cost memory.
CPU_BATCH_SIZE = 32
#: The same on other accelerators, which do not say how much memory is free.
ACCELERATOR_BATCH_SIZE = 256
#: What one item takes at most while a large network works on it: BERT-large on 512 tokens in float32 holds attention
#: scores (16 x 512 x 512) and a feed-forward layer (512 x 4096), each before and after its non-linearity, and a few
#: hidden states: 32 + 16 + 8 MiB, rounded up. A 224-pixel picture in a ViT-B takes less.
ITEM_BYTES = 64 * 1024**2
#: Share of the free memory that a batch may take: the allocator's fragments and the batches prepared ahead need some.
FREE_SHARE = 0.5
#: Smallest and largest batch picked on a GPU; what does not fit is halved by ``batches``, beyond 1,024 none gains.
GPU_BATCH_SIZES = (8, 1024)


@dataclass(frozen=True)
class TorchRuntime:
    """A device that is there, and the precision that it computes in; made by ``pick_runtime``.

    ``compile``: networks go through ``torch_compile.compiled``. ``asked_batch_size``: items a batch, None to
    let the device decide.
    """

    device: str
    precision: Precision
    compile: bool
    asked_batch_size: int | None

    @property
    def dtype(self) -> torch.dtype:
        """The PyTorch type of weights and activations."""
        import torch

        dtype: torch.dtype = getattr(torch, self.precision)
        return dtype

    def model_id(self, name: str) -> str:
        """``name``, marked where vectors differ from those of float32: ``name+bf16``, ``name+fp16``."""
        return name + _SUFFIXES[self.precision]

    def batch_size(self) -> int:
        """Items a batch; ask when the network's weights are on the device."""
        return pick_batch_size(self.asked_batch_size, self.device, self.precision)


def pick_runtime(
    device: str | None = None,
    batch_size: int | None = None,
    precision: str = "float32",
    compile: bool = False,
) -> TorchRuntime:
    """How networks run on ``device`` (None: the best there is); ``precision`` counts on a GPU only.

    Raises UserError for a device that is not there and a precision that does not exist.
    """
    asked = check_precision(precision)
    chosen = pick_device(device)
    gains = chosen.partition(":")[0] in _SHORT_PRECISION_DEVICES
    return TorchRuntime(chosen, asked if gains else "float32", compile, batch_size)


def check_precision(precision: str) -> Precision:
    """``precision`` if there is such a one; UserError otherwise."""
    for known in get_args(Precision):
        if precision == known:
            return cast(Precision, known)
    raise UserError(f"there is no precision {precision!r}; expected one of {', '.join(get_args(Precision))}")


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


def pick_batch_size(batch_size: int | None, device: str, precision: str = "float32") -> int:
    """``batch_size``, or what the device has room for; ask when the network's weights are on it.

    On a CPU ``CPU_BATCH_SIZE``. On ``cuda`` the largest power of two, within ``GPU_BATCH_SIZES``, of which
    ``ITEM_BYTES`` an item (half as many in 16 bits) fit into ``FREE_SHARE`` of the memory that is free now: in
    float32 64 with 8 GiB free, 512 with 78.
    """
    if batch_size is not None:
        return batch_size
    if device == "cpu":
        return CPU_BATCH_SIZE
    if not device.startswith("cuda"):
        return ACCELERATOR_BATCH_SIZE
    item_bytes = ITEM_BYTES if precision == "float32" else ITEM_BYTES // 2
    n_fitting = int(_free_bytes(device) * FREE_SHARE) // item_bytes
    smallest, largest = GPU_BATCH_SIZES
    return min(largest, max(smallest, 1 << n_fitting.bit_length() >> 1))


def _free_bytes(device: str) -> int:
    """Bytes of the GPU that a tensor can get: free on the device, and kept by PyTorch without being in use."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def ready(model: torch.nn.Module, device: str, dtype: torch.dtype | None = None) -> torch.nn.Module:
    """The model in evaluation mode, without gradients, on the device, weights as ``dtype`` (None: float32).

    Weights are cast instead of computing under autocast: that halves their memory, casts nothing in every pass, and
    is how the networks that are published in 16 bits are meant to run.
    """
    import torch

    return model.eval().requires_grad_(False).to(device, dtype or torch.float32)
