"""Tensors on their way to a GPU and rows on their way back, without the device waiting for the host.

Belongs here: pinned memory and copies that run beside the work. Does not: what is in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def stacked(arrays: Sequence[npt.NDArray[Any]], device: str) -> torch.Tensor:
    """(n, …) tensor of ``arrays`` of one shape, on the host; for a GPU in pinned memory, filled in one copy."""
    import torch

    if not device.startswith("cuda"):
        return torch.from_numpy(np.stack(arrays))
    shape = (len(arrays), *arrays[0].shape)
    batch = torch.empty(shape, dtype=torch.from_numpy(arrays[0]).dtype, pin_memory=True)
    np.stack(arrays, out=batch.numpy())
    return batch


def pinned(batch: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The batch with its tensors in pinned memory if ``device`` is a GPU; all else as it is."""
    if not device.startswith("cuda"):
        return dict(batch)
    return {name: value.pin_memory() if _is_tensor(value) else value for name, value in batch.items()}


def on_device(batch: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The batch with its tensors on the device; from pinned memory the copy runs beside the caller's work."""
    return {
        name: value.to(device, non_blocking=True) if _is_tensor(value) else value
        for name, value in batch.items()
    }


def fetched(rows: torch.Tensor) -> Any:
    """(n, d) float32 rows on the host: an array, or from a GPU ``RowsOnTheWay``."""
    rows = rows.float()
    return RowsOnTheWay(rows) if rows.is_cuda else rows.cpu().numpy()


class RowsOnTheWay:
    """(n, d) float32 rows that a GPU is still working on; ``np.asarray`` waits for them.

    The host can queue the next batch meanwhile.
    """

    def __init__(self, rows: torch.Tensor) -> None:
        import torch

        self.shape = tuple(rows.shape)
        self._rows = torch.empty(self.shape, dtype=torch.float32, pin_memory=True)
        self._rows.copy_(rows, non_blocking=True)
        self._arrived = torch.cuda.Event()
        self._arrived.record(torch.cuda.current_stream(rows.device))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        self._arrived.synchronize()
        return np.array(self._rows.numpy(), dtype=dtype, copy=copy)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
