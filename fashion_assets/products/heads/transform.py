"""Vectors mapped before a classifier sees them, so that products of one class lie together: metric learning in a head.

Belongs here: fitting one of ``config.EMBEDDING_TRANSFORMS`` to the rows of a head, and its arrays. Does not: how the
maps are learnt (``products.lfda``, ``products.metric_losses``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: Numbers that rows are mapped to, as in ``benchmarks/product_metric_learning.py``.
COMPONENTS = 64
#: Rows shorter than this have no direction.
SHORTEST = 1e-30


@dataclass(frozen=True)
class EmbeddingTransform:
    """Rows x (n, d) become ``scale`` (x ``components``' + ``bias``), brought to length 1 before the scale if ``unit``.

    ``components`` (c, d), ``bias`` (c,). Training rows come out with a mean square of 1 per number, which is what the
    classifiers' defaults are made for. A product that has nothing, a row of zeros, stays a row of zeros.
    """

    name: str
    components: Float32Array
    bias: Float32Array
    unit: bool
    scale: float

    @classmethod
    def fit(cls, name: str, rows: Float32Array, codes: IntArray, *, seed: int) -> EmbeddingTransform:
        """The transform ``name`` learnt from ``rows`` (n, d) of classes ``codes`` (n,), at least two of them.

        Raises UserError where the losses of pytorch-metric-learning are wanted and it is missing.
        """
        width = min(COMPONENTS, rows.shape[1])
        if name == "lfda":
            from fashion_assets.products.lfda import LocalFisherDiscriminant

            found = LocalFisherDiscriminant(width).fit(rows, codes)
            made = cls(name, found.components_.astype(np.float32), np.zeros(width, np.float32), False, 1.0)
        else:
            from fashion_assets.products.metric_losses import MetricProjection

            loss = cast(Literal["supcon", "triplet", "proxy-anchor", "arcface"], name)
            learnt = MetricProjection(loss, n_components=width, random_state=seed).fit(rows, codes)
            made = cls(name, learnt.components_, learnt.bias_, True, 1.0)
        spread = float(np.sqrt(np.square(made.apply(rows), dtype=np.float64).mean()))
        return cls(name, made.components, made.bias, made.unit, 1 / spread if spread else 1.0)

    def apply(self, rows: Float32Array) -> Float32Array:
        """(n, c) float32 mapped ``rows`` (n, d)."""
        out = rows @ self.components.T + self.bias
        if self.unit:
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), SHORTEST)
        out[~rows.any(axis=1)] = 0
        return np.asarray(out * np.float32(self.scale), dtype=np.float32)

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """(arrays, card)."""
        card = {"name": self.name, "unit": self.unit, "scale": self.scale}
        return {"components": self.components, "bias": self.bias}, card

    @classmethod
    def from_state(
        cls, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]
    ) -> EmbeddingTransform:
        """What ``state`` described."""
        return cls(card["name"], arrays["components"], arrays["bias"], card["unit"], card["scale"])
