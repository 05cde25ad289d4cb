"""Network inputs on disk, made once and memory-mapped: pictures as a tower's preprocessing leaves them, token ids,
hidden states.

A file is named after the digest of what it holds (preprocessing and content of every item) and appears whole or not
at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.batches import reader_count
from fashion_assets.encoders.towers import Tower
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.files import open_temporary, remove_leftovers, write_text_atomic

#: Items that are read, tokenised or run through a network at a time while tensors are made.
CHUNK = 256
#: Called with (items done, of how many).
OnRows = Callable[[int, int], None]


def tensor_digest(*parts: str) -> str:
    """16 hex digits for what makes a tensor file: the same parts, the same file."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()[:16]


def mapped_rows(
    path: Path, n_items: int, chunks: Iterator[npt.NDArray[Any]], on_rows: OnRows
) -> npt.NDArray[Any]:
    """(n_items, …) read-only memory map of ``path``; if it is not there, written from ``chunks`` of rows first."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        descriptor, beside = open_temporary(path)
        try:
            _write_rows(beside, n_items, chunks, on_rows)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
            os.close(descriptor)
    return np.load(path, mmap_mode="r")


def _write_rows(path: Path, n_items: int, chunks: Iterator[npt.NDArray[Any]], on_rows: OnRows) -> None:
    written: Any = None
    at = 0
    for chunk in chunks:
        if written is None:
            written = np.lib.format.open_memmap(
                path, mode="w+", dtype=chunk.dtype, shape=(n_items, *chunk.shape[1:])
            )
        written[at : at + len(chunk)] = chunk
        at += len(chunk)
        on_rows(at, n_items)
    if written is None:
        with path.open("wb") as handle:
            np.save(handle, np.zeros((0, 1), np.float32))
    else:
        written.flush()


def picture_tensors(
    folder: Path, preprocessing: str, tower: Tower, items: Sequence[tuple[str, Any]], on_rows: OnRows
) -> tuple[npt.NDArray[Any], dict[int, str]]:
    """((n, 3, H, W) memory map, number -> reason of the pictures that cannot be read, whose rows are zeros).

    ``items``: content digest and picture item of each. ``preprocessing`` names the tower's way from pixels to input.
    """
    digest = tensor_digest("pictures", preprocessing, *(content for content, _ in items))
    path, refused_path = folder / f"pictures-{digest}.npy", folder / f"pictures-{digest}.refused.json"
    refused: dict[int, str] = {}

    def chunks() -> Iterator[npt.NDArray[Any]]:
        blank = tower.transform(np.full((8, 8, 3), 255, np.uint8))
        with ThreadPoolExecutor(reader_count(), thread_name_prefix="read-picture") as pool:
            for start in range(0, len(items), CHUNK):
                numbers = range(start, min(start + CHUNK, len(items)))
                rows = np.zeros((len(numbers), *blank.shape), blank.dtype)
                for row, read in enumerate([pool.submit(tower.read, items[number][1]) for number in numbers]):
                    try:
                        rows[row] = read.result()
                    except MediaError as error:
                        refused[start + row] = str(error)
                yield rows
        write_text_atomic(refused_path, json.dumps(refused, ensure_ascii=False))

    rows = mapped_rows(path, len(items), chunks(), on_rows)
    told = json.loads(refused_path.read_text("utf-8")) if refused_path.is_file() else {}
    return rows, {int(number): reason for number, reason in told.items()}


class TokenTensors:
    """Texts as a text tower's tokenizer makes them, all padded to the longest, memory-mapped.

    ``batch`` cuts off the columns that are padding in every row, as the tokenizer would have for that batch alone.
    """

    def __init__(
        self, folder: Path, preprocessing: str, tower: Tower, texts: Sequence[str], on_rows: OnRows
    ) -> None:
        self._tower = tower
        longest = self._longest(texts)
        shape_giver = tower.prepare([longest])
        self._constants = {name: one for name, one in shape_giver.items() if not _is_rows(one)}
        keys = [name for name in shape_giver if name not in self._constants]
        digest = tensor_digest("tokens", preprocessing, *texts)
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        for key in keys:
            path = folder / f"tokens-{digest}-{key}.npy"
            self.arrays[key] = mapped_rows(path, len(texts), self._chunks(key, texts, longest), on_rows)
        # Networks that want every text at full length (CLIP, SigLIP) get it.
        short = tower.prepare(["a"])
        self._cut = "attention_mask" in self.arrays and short[keys[0]].shape[1] != self.length(keys[0])

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def length(self, key: str) -> int:
        return int(self.arrays[key].shape[1])

    def columns(self, rows: npt.NDArray[np.int64]) -> slice:
        """The columns that hold a token in one of ``rows``."""
        if not self._cut:
            return slice(None)
        used = np.flatnonzero(self.arrays["attention_mask"][rows].any(axis=0))
        return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)

    def batch(self, rows: npt.NDArray[np.int64], columns: slice | None = None) -> dict[str, Any]:
        """What ``Tower.prepare`` makes of the texts at ``rows``, or those ``columns`` of it."""
        import torch

        columns = self.columns(rows) if columns is None else columns
        tensors = {
            key: torch.from_numpy(np.ascontiguousarray(array[rows][:, columns]))
            for key, array in self.arrays.items()
        }
        return {**tensors, **self._constants}

    def _longest(self, texts: Sequence[str]) -> str:
        """A text that gives as many tokens as any: the chunk that is padded furthest is halved down to it."""
        chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)] or [["a"]]
        widths = [_width(self._tower.prepare(list(chunk))) for chunk in chunks]
        chunk = list(chunks[int(np.argmax(widths))])
        while len(chunk) > 1:
            half, rest = chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]
            chunk = half if _width(self._tower.prepare(half)) == max(widths) else rest
        return chunk[0]

    def _chunks(self, key: str, texts: Sequence[str], longest: str) -> Iterator[npt.NDArray[Any]]:
        for start in range(0, len(texts), CHUNK):
            prepared = self._tower.prepare([*texts[start : start + CHUNK], longest])
            yield prepared[key].numpy()[:-1]


def _is_rows(value: Any) -> bool:
    return hasattr(value, "shape") and len(value.shape) == 2


def _width(prepared: Any) -> int:
    """Tokens a text, padding included."""
    return max(int(one.shape[1]) for one in prepared.values() if _is_rows(one))
