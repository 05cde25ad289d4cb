"""The space in which products are compared: scaled vectors and n-grams, fitted on training products only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.ngrams import Analyzer, NGrams
from fashion_assets.products.vectors import BLOCKS

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

#: Principal axes kept of each block, shared evenly among its encoders, so that memory and time do not grow with their
#: number.
MAX_AXES = 384
ANALYZERS: tuple[Analyzer, ...] = ("words", "letters")


@dataclass(frozen=True)
class Signals:
    """n products in a space: ``dense`` block -> (n, r) rows of length 1, ``ngrams`` -> (n, v) CSR rows of length 1.

    Rows of zeros stand for what a product has not.
    """

    dense: dict[str, Float32Array]
    ngrams: dict[str, Any]

    def __len__(self) -> int:
        return int(self.ngrams["words"].shape[0])

    @property
    def has_image(self) -> BoolArray:
        """(n,) True where there is a picture vector."""
        rows = self.dense.get("image")
        return np.zeros(len(self), bool) if rows is None else np.asarray(rows.any(axis=1))

    @property
    def has_text(self) -> BoolArray:
        """(n,) True where there is a word, or a vector of anything but the picture."""
        found = np.zeros(len(self), bool)
        for matrix in self.ngrams.values():
            found |= np.diff(matrix.indptr) > 0
        for name, rows in self.dense.items():
            if name != "image":
                found |= rows.any(axis=1)
        return found

    def take(self, rows: npt.ArrayLike) -> Signals:
        """The products at ``rows``."""
        at = np.asarray(rows)
        return Signals(
            {name: block[at] for name, block in self.dense.items()},
            {name: matrix[at] for name, matrix in self.ngrams.items()},
        )

    def only(self, side: str) -> Signals:
        """The same products with nothing but their ``side``, "image" or "text"."""
        blank = {name: matrix * np.float32(0.0) for name, matrix in self.ngrams.items()}
        for matrix in blank.values():
            matrix.eliminate_zeros()
        keep_image = side == "image"
        dense = {
            name: block if (name == "image") == keep_image else np.zeros_like(block)
            for name, block in self.dense.items()
        }
        return Signals(dense, blank if keep_image else self.ngrams)


class FeatureSpace:
    """Scaling of each block (mean and spread by column, rows to length 1, principal axes) and two kinds of n-grams.

    Of several encoders in a block each is scaled by itself and weighs the same, however wide it is: the Gaussian of the
    block is the product of theirs. Fitted attributes: ``blocks_`` name -> mean, scale (d,), centre (d,), axes (r, d),
    widths (p, 2), columns and axes of each of its p encoders; ``ngrams_``. A block that no training product has is left
    out.
    """

    def fit(self, features: ProductFeatures) -> FeatureSpace:
        """Learn from training products; labels play no part."""
        self.blocks_: dict[str, dict[str, npt.NDArray[Any]]] = {}
        vectors = features.vectors
        for name, columns in vectors.blocks.items():
            rows = vectors.matrix[vectors.has(name), columns]
            if len(rows):
                self.blocks_[name] = _fit_block(rows, vectors.widths(name))
        texts = spoken_texts(features)
        self.ngrams_ = {name: NGrams(name).fit(texts) for name in ANALYZERS}
        return self

    def transform(self, features: ProductFeatures) -> Signals:
        """The products of ``features`` in this space."""
        dense = {}
        for name, block in self.blocks_.items():
            rows = features.vectors.block(name)
            there = features.vectors.has(name)
            dense[name] = np.zeros((len(features), len(block["axes"])), np.float32)
            if there.any():
                dense[name][there] = _project(rows[there], block)
        texts = spoken_texts(features)
        return Signals(dense, {name: model.transform(texts) for name, model in self.ngrams_.items()})

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name, for a safetensors file."""
        arrays = {
            f"block.{name}.{part}": values
            for name, block in self.blocks_.items()
            for part, values in block.items()
        }
        for name, model in self.ngrams_.items():
            arrays |= {f"ngrams.{name}.{part}": values for part, values in model.state().items()}
        return arrays

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> FeatureSpace:
        """What ``state`` described."""
        made = cls()
        found: dict[str, dict[str, npt.NDArray[Any]]] = {}
        for key, values in arrays.items():
            if key.startswith("block."):
                _, name, part = key.split(".")
                found.setdefault(name, {})[part] = values
        # A safetensors file has no order of its own, but the columns of the classifier have.
        made.blocks_ = {name: found[name] for name in BLOCKS if name in found}
        made.ngrams_ = {
            name: NGrams.from_state(
                name, {part: arrays[f"ngrams.{name}.{part}"] for part in ("terms", "idf")}
            )
            for name in ANALYZERS
        }
        return made


def spoken_texts(features: ProductFeatures) -> list[str]:
    """The title as it stands, then the words of the cleaned text that it lacks (description, cut Chinese words)."""
    return [_spoken(title, text) for title, text in zip(features.titles, features.texts, strict=True)]


def _spoken(title: str, text: str) -> str:
    said = set(title.casefold().split())
    return " ".join([title, *(word for word in text.split() if word.casefold() not in said)])


def _fit_block(rows: Float32Array, columns: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    spread = rows.std(axis=0, dtype=np.float64)
    block: dict[str, npt.NDArray[Any]] = {
        "mean": rows.mean(axis=0, dtype=np.float64).astype(np.float32),
        # A number that never varies says nothing; dividing by 1 leaves it at zero.
        "scale": np.where(spread > 1e-8, spread, 1.0).astype(np.float32),
    }
    scaled = unit_parts((rows - block["mean"]) / block["scale"], columns)
    block["centre"] = scaled.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred, start, found = scaled - block["centre"], 0, []
    for width in columns:
        own = centred[:, start : start + width]
        _, axes = np.linalg.eigh((own.T @ own).astype(np.float64))
        kept = max(1, min(MAX_AXES // len(columns), len(rows) - 1, width))
        found.append(np.zeros((kept, rows.shape[1]), np.float32))
        found[-1][:, start : start + width] = axes[:, ::-1][:, :kept].T
        start += width
    block["axes"] = np.vstack(found)
    block["widths"] = np.array([columns, [len(axes) for axes in found]], np.int64).T
    return block


def _project(rows: Float32Array, block: Mapping[str, npt.NDArray[Any]]) -> Float32Array:
    columns, axes = block["widths"].T.tolist()
    scaled = unit_parts((rows - block["mean"]) / block["scale"], columns)
    turned = np.asarray((scaled - block["centre"]) @ block["axes"].T, dtype=np.float32)
    return unit_rows(unit_parts(turned, axes))


def unit_parts(rows: Float32Array, widths: Sequence[int]) -> Float32Array:
    """``rows`` (n, d) with the numbers of each of the ``widths`` brought to length 1."""
    return np.hstack([unit_rows(part) for part in np.split(rows, np.cumsum(widths)[:-1], axis=1)])


def sides(signals: Signals) -> Sequence[str]:
    """Which of "image" and "text" any product has."""
    there = {"image": signals.has_image.any(), "text": signals.has_text.any()}
    return [name for name, any_ in there.items() if any_]
