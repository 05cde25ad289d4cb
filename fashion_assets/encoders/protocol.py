"""What every encoder offers, whatever library does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.places import Place

Modality = Literal["text", "image", "joint"]
Vectors = npt.NDArray[np.float32]
#: Items parallel to their content hashes, or a function that fetches those of the given indices.
Items = Sequence[Any] | Callable[[list[int]], Sequence[Any]]


@runtime_checkable
class Encoder(Protocol):
    """Turns items into unit vectors.

    ``model_id`` is the spec with its revision (``st:name@1a2b3c…``): equal ids promise equal vectors.
    ``dim`` is d. ``modality`` says which items are taken: ``text`` takes ``str``; ``image`` takes RGB or
    RGBA uint8 arrays (h, w, 3|4), Pillow images, ``Path`` (or one in a bucket) or ``PackedPicture``;
    ``joint`` takes both, in one
    space. In RGBA pictures alpha is the garment region. A ``str`` is always a text, never a path.
    An encoder that has files decoded at another long side than ``pictures.DECODE_SIDE`` says so as ``decode_side``.
    """

    model_id: str
    modality: Modality
    dim: int

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 rows of length 1 in the order of ``items`` (any iterable but a table or a single
        item); all-zero rows for empty texts.

        A picture that cannot be read raises MediaError; with ``refused`` given it is noted there instead, by
        its number in ``items`` with the reason, and has a row of zeros. A text is never refused.
        """
        ...


@runtime_checkable
class ShardingEncoder(Encoder, Protocol):
    """An encoder that puts its vectors into the cache by itself, because it works in other processes."""

    def encode_shards(
        self, root: Place, shard_rows: int, hashes: Sequence[str], items: Items
    ) -> dict[str, str]:
        """Content hash -> reason of the pictures that cannot be read; the vectors of all others are in the cache.

        ``hashes`` are different from each other and none has a vector yet; ``root`` and ``shard_rows`` are those
        of the ``EmbeddingCache``, whose ``store`` writes a shard.
        """
        ...
