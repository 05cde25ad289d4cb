"""From one or two towers to an Encoder: items are checked and told apart, empty texts become zero rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.batches import BatchRunner
from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.pictures import picture_on_white
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.rows import checked_vectors, unit_rows
from fashion_assets.storage.errors import UserError

#: Threads that read and decode pictures; Pillow and libjpeg release the interpreter lock while they work.
DECODE_THREADS = 4


@dataclass(frozen=True)
class Tower:
    """One way through a network: ``prepare`` makes a batch of model input ahead of time, ``forward`` runs
    it."""

    prepare: Callable[[list[Any]], Any]
    forward: Callable[[Any], npt.NDArray[np.float32]]


class NetworkEncoder:
    """An Encoder around a text tower, an image tower, or both of one space."""

    def __init__(
        self,
        model_id: str,
        dim: int,
        *,
        text: Tower | None = None,
        image: Tower | None = None,
        batch_size: int,
    ) -> None:
        self.model_id = model_id
        self.dim = dim
        self.modality: Modality = "joint" if text and image else "text" if text else "image"
        self._text = self._runner(text, batch_size)
        self._image = self._runner(image, batch_size)

    def _runner(self, tower: Tower | None, batch_size: int) -> BatchRunner | None:
        if tower is None:
            return None
        return BatchRunner(
            tower.prepare, tower.forward, batch_size=batch_size, dim=self.dim, name=self.model_id
        )

    def encode(self, items: Iterable[Any]) -> Vectors:
        """(n, d) float32 unit rows in the order of ``items``; all-zero rows for empty texts.

        Raises UserError for an item of the wrong kind or a picture that cannot be read.
        """
        items = item_list(items, self.model_id)
        texts = [index for index, item in enumerate(items) if isinstance(item, str)]
        pictures = [index for index, item in enumerate(items) if isinstance(item, Path | np.ndarray)]
        self._check_kinds(items, texts, pictures)
        out = np.zeros((len(items), self.dim), dtype=np.float32)
        filled = [index for index in texts if items[index].strip()]
        for runner, indices in ((self._text, filled), (self._image, pictures)):
            if runner is not None and indices:
                chosen = [items[index] for index in indices]
                lengths = [len(item) for item in chosen] if runner is self._text else None
                raw = runner.run(chosen, lengths)
                names = [f"number {index}" for index in indices]
                out[indices] = unit_rows(checked_vectors(raw, len(indices), self.dim, self.model_id, names))
        return out

    def _check_kinds(self, items: Sequence[Any], texts: list[int], pictures: list[int]) -> None:
        allowed = (len(texts) if self._text else 0) + (len(pictures) if self._image else 0)
        if allowed == len(items):
            return
        fine = set(texts if self._text else []) | set(pictures if self._image else [])
        wrong = next(index for index in range(len(items)) if index not in fine)
        expected = {
            "text": "str",
            "image": "Path, Pillow image or uint8 array (wrap file names in Path)",
            "joint": "str, Path, Pillow image or uint8 array",
        }[self.modality]
        raise UserError(
            f"{self.model_id} takes {self.modality} items: number {wrong} is a "
            f"{type(items[wrong]).__name__}, expected {expected}"
        )


def read_pictures(pool: ThreadPoolExecutor, items: list[Any], transform: Callable[[Any], Any]) -> list[Any]:
    """``transform(RGB array)`` of every item, decoded side by side, in order."""
    return list(pool.map(lambda item: transform(picture_on_white(item)), items))


def decode_pool() -> ThreadPoolExecutor:
    """The threads that one encoder decodes with."""
    return ThreadPoolExecutor(max_workers=DECODE_THREADS, thread_name_prefix="decode-picture")
