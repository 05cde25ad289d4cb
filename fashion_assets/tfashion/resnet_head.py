"""The reference's head: two linear layers, a 1x1 convolution, a 7x7 picture, ResNet18 with two outputs.

Source: reference/tfashion.md, "Model Definition" and "Training and Validation". Belongs here: that network and
how it is trained. Not here: anything that the reference does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fashion_assets.networks.torch_runtime import pick_device, ready
from fashion_assets.tfashion.epochs import EpochFigures, log_loss, validated_epoch
from fashion_assets.tfashion.heads import (
    Array,
    Float32Array,
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

#: Width of both linear layers, and side of the picture that the adaptive pooling makes (reference).
WIDTH = 512
SIDE = 7

#: Rows run at a time, always just as many: in another shape a matrix product adds in another order, and a word's
#: decision would move with the words beside it (by 1e-5 of some 8).
INFERENCE_ROWS = 256

LAYOUTS = ("channels", "row")


@dataclass(kw_only=True)
class ResnetHead:
    """The reference's classifier; the decision is the fashion logit minus the other.

    ``layout`` says how the 512 numbers become a picture: "channels" makes them 512 channels of one pixel, after
    a second ReLU; "row" is what the published notebook (tfashion5.ipynb) does: one channel of 1 x 512 pixels,
    no second ReLU, and parameter names that its saved weights fit.

    ``device`` "auto" takes CUDA where there is one; ``bf16`` computes in bfloat16 there, and says nothing on a
    CPU.
    """

    name: ClassVar[str] = "resnet"

    dim: int
    seed: int
    layout: str = "channels"
    learning_rate: float = 1e-4
    epochs: int = 5
    # The published notebook has 32; an optimiser's step moves 12 million numbers, so larger batches train faster.
    batch_size: int = 256
    device: str = "auto"
    bf16: bool = False

    def __post_init__(self) -> None:
        require_options(
            self.name,
            dim=(self.dim, self.dim >= 1, "1 or more"),
            layout=(self.layout, self.layout in LAYOUTS, f"one of {', '.join(LAYOUTS)}"),
            learning_rate=(self.learning_rate, 0 < self.learning_rate < np.inf, "a number above 0"),
            epochs=(self.epochs, self.epochs >= 1, "1 or more"),
            batch_size=(self.batch_size, self.batch_size >= 2, "2 or more, for batch normalisation"),
        )
        self._device = pick_device(self.device)
        self._network: torch.nn.Module | None = None

    def fit(
        self,
        features: Array,
        labels: Array,
        weights: Array | None = None,
        validation: Validation | None = None,
    ) -> list[EpochFigures]:
        """See ``Head.fit``: cross entropy, Adam."""
        import torch

        rows = training_rows(self, features, labels, weights)
        held_out = validation_rows(self, validation)
        figures: list[EpochFigures] = []
        with seeded_torch(self.seed):
            network = build_network(self.dim, self.layout).to(self._device)
            optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
            for epoch in range(1, self.epochs + 1):
                train_loss = self._one_epoch(rows, network.train(), optimiser)
                self._network = network.eval()
                if held_out is None:
                    figures.append(EpochFigures(epoch, train_loss))
                    continue
                decision = self.decision(held_out[0])
                figures.append(
                    validated_epoch(epoch, train_loss, log_loss(decision, held_out[1]), decision, held_out[1])
                )
        self._network = ready(network, self._device)
        return figures

    def _one_epoch(
        self, rows: TrainingRows, network: torch.nn.Module, optimiser: torch.optim.Optimizer
    ) -> float:
        import torch
        from torch.nn import functional

        features, weights = torch.from_numpy(rows.features), torch.from_numpy(rows.weights)
        targets = torch.from_numpy(rows.labels.astype(np.int64))
        total = torch.zeros((), device=self._device)
        for batch in _batches(torch.randperm(len(targets)), self.batch_size):
            with self._precision():
                logits = network(features[batch].to(self._device))
            losses = functional.cross_entropy(
                logits.float(), targets[batch].to(self._device), reduction="none"
            ) * weights[batch].to(self._device)
            optimiser.zero_grad()
            losses.mean().backward()
            optimiser.step()
            total += losses.detach().sum()
        return float(total) / len(targets)

    def decision(self, features: Array) -> Float32Array:
        """See ``Head.decision``."""
        import torch

        network = self._network
        if network is None:
            raise not_trained(self)

        def difference(rows: Float32Array) -> Array:
            full = np.zeros((INFERENCE_ROWS, self.dim), dtype=np.float32)
            full[: len(rows)] = rows
            with torch.inference_mode(), self._precision():
                logits = network(torch.from_numpy(full).to(self._device)).float()
                return np.asarray((logits[:, 1] - logits[:, 0]).cpu().numpy())[: len(rows)]

        return by_chunks(difference, feature_rows(self, features), INFERENCE_ROWS)

    def _precision(self) -> torch.autocast:
        import torch

        kind = torch.device(self._device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.bf16 and kind == "cuda")

    def tensors(self) -> dict[str, Array]:
        """The network's state under the reference's names, float32."""
        if self._network is None:
            raise not_trained(self)
        return {name: value.cpu().numpy().copy() for name, value in _learnt(self._network).items()}

    def config(self) -> dict[str, Any]:
        """The options but for the device, which belongs to a machine and not to a model."""
        return {option: value for option, value in asdict(self).items() if option != "device"}

    @classmethod
    def from_tensors(cls, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> ResnetHead:
        """See ``Head.from_tensors``."""
        import torch

        head = cls(**config)
        # The start that PyTorch draws is thrown away; it should not move the caller's random numbers.
        with seeded_torch(head.seed):
            network = build_network(head.dim, head.layout)
        state = _learnt(network)
        arrays = require_tensors(head, tensors, {name: tuple(value.shape) for name, value in state.items()})
        for name, value in state.items():
            value.copy_(torch.tensor(arrays[name]))
        head._network = ready(network, head._device)
        return head


def _learnt(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The network's own tensors by name, without the counts of batches: at a fixed momentum nothing reads them."""
    state: dict[str, torch.Tensor] = network.state_dict()
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """``order`` in pieces of ``size``; a single row left over joins the piece before, since batch normalisation
    cannot learn from one.
    """
    import torch

    pieces = list(order.split(size))
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [torch.cat(pieces[-2:])]
    return pieces


def build_network(dim: int, layout: str = "channels") -> torch.nn.Module:
    """The reference's network for features (n, dim): (n, 2) logits, not fashion first.

    Its parameters and its function are torchvision's ResNet18 behind the projection. Only the arithmetic is
    shorter: a 7x7 picture is down to 2x2 pixels at the second stage and to 1x1 after, where a 3x3 kernel meets
    nothing but padding beside its middle; those zeros are not multiplied (4 times faster training on a CPU).
    """
    from torch import nn
    from torch.nn import functional
    from torchvision.models import resnet18

    class SmallPictureConvolution(nn.Conv2d):
        """The same convolution, as a matrix product where the result is one pixel."""

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            side, stride, kernel = pixels.shape[-1], self.stride[0], self.kernel_size[0]
            if (side - 1) // stride > 0:
                return super().forward(pixels)
            # The kernel's middle lies on the first pixel; what lies left of and above it is padding.
            reach = min(side, kernel // 2 + 1)
            taps = slice(kernel // 2, kernel // 2 + reach)
            met = pixels[:, :, :reach, :reach].flatten(1)
            return functional.linear(met, self.weight[:, :, taps, taps].flatten(1))[:, :, None, None]

    def shorten(module: nn.Module) -> None:
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                shorter = SmallPictureConvolution(
                    child.in_channels,
                    child.out_channels,
                    child.kernel_size,
                    stride=child.stride,
                    padding=child.padding,
                    bias=False,
                    device="meta",
                )
                shorter.weight = child.weight
                setattr(module, name, shorter)
            else:
                shorten(child)

    class WordNetwork(nn.Module):
        """Features (n, dim) -> logits (n, 2)."""

        def __init__(self) -> None:
            super().__init__()
            second = [nn.ReLU()] if layout == "channels" else []
            self.embedding_to_resnet = nn.Sequential(
                nn.Linear(dim, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), *second
            )
            self.embedding_conv = nn.Conv2d(WIDTH if layout == "channels" else 1, 3, kernel_size=1)
            self.adaptive_pool = nn.AdaptiveAvgPool2d(SIDE)
            self.resnet = resnet18(weights=None)
            self.resnet.fc = nn.Linear(self.resnet.fc.in_features, 2)
            for stage in (self.resnet.layer2, self.resnet.layer3, self.resnet.layer4):
                shorten(stage)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            wide = self.embedding_to_resnet(features)
            shape = (-1, WIDTH, 1, 1) if layout == "channels" else (-1, 1, 1, WIDTH)
            logits: torch.Tensor = self.resnet(self.adaptive_pool(self.embedding_conv(wide.reshape(shape))))
            return logits

    return WordNetwork()
