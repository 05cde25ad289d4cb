"""Heads: one classifier per attribute of a product, from vectors and words to a label, or an abstention.

Belongs here: the space in which products are compared, the kernel machine, the composition of space, classifier,
calibration and threshold, and its files. Does not: classifiers over plain rows (``products.classifiers``), which
products are learnt from (``products.splits``), the choice between kinds (``products.training``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashion_assets.products.heads.config import HEAD_KINDS as HEAD_KINDS
    from fashion_assets.products.heads.config import HEADS_VERSION as HEADS_VERSION
    from fashion_assets.products.heads.config import HeadConfig as HeadConfig
    from fashion_assets.products.heads.head import AttributeHead as AttributeHead
    from fashion_assets.products.heads.joint import JointDecoder as JointDecoder

_HOMES = {
    "AttributeHead": "head",
    "HeadConfig": "config",
    "HEAD_KINDS": "config",
    "HEADS_VERSION": "config",
    "JointDecoder": "joint",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name when it is first asked for, so that importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
