"""Encoders: texts and pictures in, unit float32 vectors out, by one string per encoder (``load_encoder``).

Belongs here: the encoder registry, each kind of network and the two embedded ones (``local:cbow``,
``local:visual``), the exactly-once embedding cache, the embedding tables and their combination. Does not
belong here: decoding rules for crawled media (``media``), clustering of vectors (``styles``), Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder as Encoder
    from fashion_assets.encoders.registry import encoder_specs as encoder_specs
    from fashion_assets.encoders.registry import load_encoder as load_encoder

_HOMES = {"load_encoder": "registry", "encoder_specs": "registry", "Encoder": "protocol"}


def __getattr__(name: str) -> Any:
    """Fetch a public name when it is first asked for, so that importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
