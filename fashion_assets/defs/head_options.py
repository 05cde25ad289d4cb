"""The options of product heads: what a call asks for, else what the settings say; for assets and commands alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fashion_assets.settings import Settings

if TYPE_CHECKING:
    from fashion_assets.products.heads import HeadConfig


def head_config(
    settings: Settings,
    *,
    kinds: Sequence[str] | None = None,
    embedding_transforms: Sequence[str] | None = None,
    n_trials: int | None = None,
    resampling: str | None = None,
    abstain_below: float | None = None,
    seed: int | None = None,
) -> HeadConfig:
    """``HeadConfig`` with these values, and those of ``settings`` where they are None or name nothing.

    Raises UserError for a kind, a transform or a way of resampling that there is not.
    """
    from fashion_assets.products.heads import HeadConfig

    chosen = tuple(kinds or names_in(settings.product_head_kinds))
    transforms = tuple(embedding_transforms or names_in(settings.product_embedding_transforms))
    return HeadConfig(
        kinds=chosen or HeadConfig.kinds,
        embedding_transforms=transforms or HeadConfig.embedding_transforms,
        n_trials=settings.product_trials if n_trials is None else n_trials,
        resampling=settings.product_resampling if resampling is None else resampling,
        abstain_below=settings.product_abstain_below if abstain_below is None else abstain_below,
        seed=settings.random_seed if seed is None else seed,
    )


def names_in(text: str) -> tuple[str, ...]:
    """The names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
