"""What every encoder offers, whatever library does the work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Modality = Literal["text", "image", "joint"]
Vectors = npt.NDArray[np.float32]


@runtime_checkable
class Encoder(Protocol):
    """Turns items into unit vectors.

    ``model_id`` is the spec with its revision (``st:name@1a2b3c…``): equal ids promise equal vectors.
    ``dim`` is d. ``modality`` says which items are taken: ``text`` takes ``str``; ``image`` takes RGB or
    RGBA uint8 arrays (h, w, 3|4), Pillow images or ``Path``; ``joint`` takes both, in one space. In RGBA
    pictures alpha is the garment region. A ``str`` is always a text, never a path.
    """

    model_id: str
    modality: Modality
    dim: int

    def encode(self, items: Iterable[Any]) -> Vectors:
        """(n, d) float32 rows of length 1 in the order of ``items`` (any iterable but a table or a single
        item); all-zero rows for empty texts."""
        ...
