"""The two sides of a product in training: a tower that learns, or fixed vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.towers import Trainable
from fashion_assets.products.tuning.activations import replayed
from fashion_assets.products.tuning.blocks import LearningBlocks

if TYPE_CHECKING:
    import torch

Numbers = npt.NDArray[np.int64]
#: (rows of the side's tensors, epoch or None while judging) -> what ``Trainable.rows`` takes.
MakeInput = Callable[[Numbers, int | None], Any]


class Side(Protocol):
    """One block of the vectors that the heads read; ``has`` (n,) says which products have it."""

    name: str
    width: int
    model_id: str
    has: npt.NDArray[np.bool_]

    def prepare(self, items: Numbers, epoch: int | None) -> Any:
        """What ``rows`` needs for the products ``items``, made on the host, on any thread."""
        ...

    def rows(self, prepared: Any) -> torch.Tensor:
        """(m, width) float32 rows of length 1, zeros where a product has none."""
        ...


@dataclass
class FixedSide:
    """Vectors (n, width) that do not change: an encoder without a network to train, or one that is left alone."""

    name: str
    model_id: str
    vectors: npt.NDArray[np.float32]
    device: str
    width: int = field(init=False)
    has: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.width = self.vectors.shape[1]
        self.has = np.asarray(np.any(self.vectors != 0, axis=1))

    def prepare(self, items: Numbers, epoch: int | None) -> npt.NDArray[np.float32]:
        return self.vectors[items]

    def rows(self, prepared: Any) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(prepared)).to(self.device)


@dataclass
class TowerSide:
    """A tower whose last blocks learn.

    ``tensor_rows`` (n,): which row of the tensors is a product's, -1 for none (equal pictures share one).
    ``hidden``: (rows, …) hidden states at the first learning block, or None to run the whole tower.
    """

    name: str
    model_id: str
    width: int
    trainable: Trainable
    blocks: LearningBlocks
    tensor_rows: Numbers
    make_input: MakeInput
    device: str
    hidden: npt.NDArray[np.float32] | None = None
    #: Columns of the hidden states that the batch of those rows keeps (padding of texts).
    hidden_columns: Callable[[Numbers], slice] = lambda rows: slice(None)
    has: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.has = self.tensor_rows >= 0

    def prepare(self, items: Numbers, epoch: int | None) -> Any:
        import torch

        rows = self.tensor_rows[items]
        present = np.flatnonzero(rows >= 0)
        chosen = rows[present]
        if not len(chosen):
            return len(items), present, None, None
        hidden = None
        if self.hidden is not None:
            kept = self.hidden[chosen][:, self.hidden_columns(chosen)]
            hidden = torch.from_numpy(np.ascontiguousarray(kept))
        return len(items), present, self.make_input(chosen, epoch), hidden

    def rows(self, prepared: Any) -> torch.Tensor:
        import torch

        n_items, present, batch, hidden = prepared
        if batch is None:
            return torch.zeros(n_items, self.width, device=self.device)
        if hidden is None:
            raw = self.trainable.rows(batch)
        else:
            with replayed(self.blocks, hidden.to(self.device)):
                raw = self.trainable.rows(batch)
        unit = torch.nn.functional.normalize(raw.float(), dim=1)
        if len(present) == n_items:
            return unit
        out = torch.zeros(n_items, self.width, device=unit.device)
        return out.index_copy(0, torch.from_numpy(present).to(unit.device), unit)
