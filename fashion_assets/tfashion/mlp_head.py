"""A small head: a few multilayer perceptrons on standardised features whose decisions are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fashion_assets.tfashion.epochs import EpochFigures, validated_epoch
from fashion_assets.tfashion.heads import (
    CHUNK_ROWS,
    Array,
    Float32Array,
    Float64Array,
    Standardisation,
    TrainingRows,
    Validation,
    by_chunks,
    feature_rows,
    not_trained,
    require_options,
    require_tensors,
    seeded_torch,
    training_rows,
    validation_rows,
)

if TYPE_CHECKING:
    import torch

#: Width of the two hidden layers.
HIDDEN = (128, 64)


@dataclass(kw_only=True)
class MlpHead:
    """``members`` networks dim -> 128 -> 64 -> 1 (ReLU, dropout) that differ in their start, their order of rows
    and their dropout; PyTorch trains them side by side, numpy runs them.

    Loss: binary cross entropy with row weights, or with ``gamma`` > 0 the focal loss (Lin et al. 2017, "Focal
    Loss for Dense Object Detection", eq. 4), which lets words that are settled count less.
    """

    name: ClassVar[str] = "mlp"

    dim: int
    seed: int
    members: int = 5
    gamma: float = 0.0
    dropout: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    epochs: int = 8
    batch_size: int = 256

    def __post_init__(self) -> None:
        require_options(
            self.name,
            dim=(self.dim, self.dim >= 1, "1 or more"),
            members=(self.members, self.members >= 1, "1 or more"),
            gamma=(self.gamma, 0 <= self.gamma < np.inf, "0 (cross entropy) or more"),
            dropout=(self.dropout, 0 <= self.dropout < 1, "a share from 0 to below 1"),
            learning_rate=(self.learning_rate, 0 < self.learning_rate < np.inf, "a number above 0"),
            weight_decay=(self.weight_decay, 0 <= self.weight_decay < np.inf, "0 or more"),
            epochs=(self.epochs, self.epochs >= 1, "1 or more"),
            batch_size=(self.batch_size, self.batch_size >= 1, "1 or more"),
        )
        self._scaler: Standardisation | None = None
        self._layers: dict[str, Float32Array] = {}

    def fit(
        self,
        features: Array,
        labels: Array,
        weights: Array | None = None,
        validation: Validation | None = None,
    ) -> list[EpochFigures]:
        """See ``Head.fit``. The training loss is the mean over members, with dropout at work; validation
        figures are those of the averaged decision.
        """
        import torch

        rows = training_rows(self, features, labels, weights)
        held_out = validation_rows(self, validation)
        self._scaler = Standardisation.of(rows.features)
        figures: list[EpochFigures] = []
        with seeded_torch(self.seed):
            layers = self._fresh_layers()
            optimiser = torch.optim.Adam(
                layers.values(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
            )
            data = _TorchRows.of(rows, self._scaler)
            for epoch in range(1, self.epochs + 1):
                train_loss = self._one_epoch(data, layers, optimiser)
                self._layers = {name: layer.detach().numpy().copy() for name, layer in layers.items()}
                if held_out is None:
                    figures.append(EpochFigures(epoch, train_loss))
                    continue
                decision = self.decision(held_out[0])
                val_loss = focal_loss(
                    torch.from_numpy(decision), torch.from_numpy(held_out[1].astype(np.float32)), self.gamma
                )
                figures.append(
                    validated_epoch(epoch, train_loss, float(val_loss.mean()), decision, held_out[1])
                )
        return figures

    def _fresh_layers(self) -> dict[str, torch.Tensor]:
        """Weights (members, in, out) and biases (members, 1, out), begun as ``nn.Linear`` begins."""
        import torch

        layers: dict[str, torch.Tensor] = {}
        for name, (width_in, width_out) in self._widths().items():
            begun = [torch.nn.Linear(width_in, width_out) for _ in range(self.members)]
            layers[f"{name}.weight"] = torch.stack([layer.weight.detach().T for layer in begun])
            layers[f"{name}.bias"] = torch.stack([layer.bias.detach()[None] for layer in begun])
        return {name: layer.contiguous().requires_grad_() for name, layer in layers.items()}

    def _one_epoch(
        self, data: _TorchRows, layers: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer
    ) -> float:
        import torch
        from torch.nn import functional

        n = len(data.targets)
        order = torch.stack([torch.randperm(n) for _ in range(self.members)])
        total = 0.0
        for batch in order.split(self.batch_size, dim=1):
            hidden = data.features[batch]
            for name in ("hidden1", "hidden2"):
                hidden = torch.baddbmm(layers[f"{name}.bias"], hidden, layers[f"{name}.weight"])
                hidden = functional.dropout(functional.relu(hidden), self.dropout)
            decision = torch.baddbmm(layers["output.bias"], hidden, layers["output.weight"])[..., 0]
            losses = data.weights[batch] * focal_loss(decision, data.targets[batch], self.gamma)
            optimiser.zero_grad()
            # A sum over members of means over rows: no member's gradient sees another member.
            losses.mean(dim=1).sum().backward()
            optimiser.step()
            total += float(losses.detach().sum())
        return total / (n * self.members)

    def decision(self, features: Array) -> Float32Array:
        """See ``Head.decision``: the mean over members."""
        scaler = self._scaler
        if scaler is None:
            raise not_trained(self)
        # In float64, so that no row depends on how the matrix product is cut into blocks.
        layers = {name: layer.astype(np.float64) for name, layer in self._layers.items()}

        def mean_decision(rows: Float32Array) -> Float64Array:
            standard = scaler(rows)
            total = np.zeros(len(rows))
            for member in range(self.members):
                hidden = standard
                for name in ("hidden1", "hidden2"):
                    hidden = hidden @ layers[f"{name}.weight"][member] + layers[f"{name}.bias"][member]
                    np.maximum(hidden, 0.0, out=hidden)
                total += (hidden @ layers["output.weight"][member] + layers["output.bias"][member])[:, 0]
            return total / self.members

        return by_chunks(mean_decision, feature_rows(self, features), CHUNK_ROWS)

    def tensors(self) -> dict[str, Array]:
        """``mean``, ``scale`` float64 (dim,); of each layer ``weight`` float32 (members, in, out) and ``bias``
        float32 (members, 1, out).
        """
        if self._scaler is None:
            raise not_trained(self)
        return {"mean": self._scaler.mean, "scale": self._scaler.scale, **self._layers}

    def config(self) -> dict[str, Any]:
        """The options."""
        return asdict(self)

    @classmethod
    def from_tensors(cls, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> MlpHead:
        """See ``Head.from_tensors``."""
        head = cls(**config)
        shapes: dict[str, tuple[int, ...]] = {"mean": (head.dim,), "scale": (head.dim,)}
        for name, (width_in, width_out) in head._widths().items():
            shapes[f"{name}.weight"] = (head.members, width_in, width_out)
            shapes[f"{name}.bias"] = (head.members, 1, width_out)
        arrays = require_tensors(head, tensors, shapes)
        head._scaler = Standardisation(arrays.pop("mean"), arrays.pop("scale"))
        head._layers = arrays
        return head

    def _widths(self) -> dict[str, tuple[int, int]]:
        return {"hidden1": (self.dim, HIDDEN[0]), "hidden2": HIDDEN, "output": (HIDDEN[1], 1)}


@dataclass(frozen=True)
class _TorchRows:
    """Training rows as tensors: standardised features (n, d), targets 0 or 1 (n,), weights (n,)."""

    features: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, rows: TrainingRows, scaler: Standardisation) -> _TorchRows:
        import torch

        return cls(
            torch.from_numpy(scaler.as_float32(rows.features)),
            torch.from_numpy(rows.labels.astype(np.float32)),
            torch.from_numpy(rows.weights),
        )


def focal_loss(decision: torch.Tensor, targets: torch.Tensor, gamma: float) -> torch.Tensor:
    """Focal loss -(1 - p)^gamma ln p of each decision (log-odds) against its target (0 or 1), in nats, of their
    common shape; p is the probability given to the truth. ``gamma`` 0 is the binary cross entropy
    (Lin et al. 2017, eq. 4).
    """
    from torch.nn import functional

    signed = decision * (2 * targets - 1)
    # (1 - p)^gamma by way of its logarithm: a power of a probability that rounds to 0 has no gradient.
    return -functional.logsigmoid(signed) * (gamma * functional.logsigmoid(-signed)).exp()
