"""Everything that steers a fine-tuning, with bounds and reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class TuningConfig:
    """Settings of ``finetune_products``; raises UserError for a value out of bounds."""

    #: Last blocks of every tower that learn, with all that lies behind them; 0: the heads learn alone.
    n_blocks: int = 2
    #: The same for one tower, where they differ.
    image_blocks: int | None = None
    text_blocks: int | None = None
    #: Rank of LoRA adapters in the linear layers of those blocks (Hu et al. 2021); 0: the blocks themselves learn.
    adapter_rank: int = 0
    #: LoRA's scale is alpha / rank; twice the rank is the usual choice.
    adapter_alpha: float = 16.0
    #: Ends of the names of the linear layers that get an adapter (``("qkv", "proj")``); none: all in those blocks.
    adapter_targets: tuple[str, ...] = ()
    epochs: int = 5
    #: First epochs in which the heads learn alone: random heads would pull good features apart (Kumar et al. 2022).
    head_epochs: int = 1
    batch_size: int = 32
    #: Batches whose gradients are averaged before a step.
    accumulate: int = 1
    #: Peak learning rates; adapters start at zero and stand ten times a block's rate.
    tower_rate: float = 5e-5
    adapter_rate: float = 5e-4
    head_rate: float = 1e-3
    #: Each block's rate is that of the block behind it times this (1: all alike).
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    #: Share of all steps in which the rate rises from 0; then it falls as a cosine.
    warmup_share: float = 0.1
    #: Longest gradient (L2 over all parameters) that is taken as it is.
    clip_norm: float = 1.0
    #: Epochs without a better mean macro-F1 on the validation part, then it ends.
    patience: int = 3
    #: Widths of the hidden layers of each head.
    hidden: tuple[int, ...] = (256,)
    dropout: float = 0.1
    #: Weight of a class is (n / (k n_class)) ** power; 0: all alike.
    class_weight_power: float = 0.5
    #: How often a training product shows its picture alone or its text alone, so that heads can do with one.
    side_dropout: float = 0.1
    #: Flips and small rotations of training pictures.
    augment: bool = True
    #: Keep on disk what enters the first learning block. Pictures only where they are not augmented.
    cache_activations: bool = False
    #: Delete the cached tensors at the end.
    delete_tensors: bool = False
    #: bfloat16 arithmetic on GPUs that have it; CPUs always compute in float32.
    mixed_precision: bool = True
    seed: int = 7

    def __post_init__(self) -> None:
        bounds: dict[str, tuple[float, float]] = {
            "n_blocks": (0, 1000),
            "adapter_rank": (0, 1024),
            "epochs": (1, 10_000),
            "head_epochs": (0, 10_000),
            "batch_size": (1, 100_000),
            "accumulate": (1, 10_000),
            "layer_decay": (0.01, 1),
            "warmup_share": (0, 0.9),
            "patience": (1, 10_000),
            "dropout": (0, 0.95),
            "class_weight_power": (0, 1),
            "side_dropout": (0, 0.9),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UserError(f"{name} is {value}; it must lie between {low} and {high}")
        for name in ("adapter_alpha", "tower_rate", "adapter_rate", "head_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} is {getattr(self, name)}; it must be above 0")

    def blocks_of(self, side: str) -> int:
        """How many last blocks learn of the ``image`` or ``text`` tower."""
        own = self.image_blocks if side == "image" else self.text_blocks
        return self.n_blocks if own is None else own

    def as_json(self) -> dict[str, Any]:
        """The fields that steer what is learned, tuples as lists, as a JSON file gives them back."""
        fields = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        del fields["delete_tensors"]
        return fields
