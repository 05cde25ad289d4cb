"""Vectors of products: named blocks side by side, and which models they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.schemas import product_embeddings_schema
from fashion_assets.storage.errors import UserError

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

#: What a product has vectors of, in the order in which they stand side by side.
BLOCKS = ("image", "text", "shop", "characteristics")


@dataclass(frozen=True)
class ProductVectors:
    """``matrix`` (n, d) float32 of ``ids`` (n,); ``blocks`` says which columns are the image, the text, …, ``parts``
    of a block from several encoders how wide the vectors of each are.

    A row of a block has length 1, or is zero where the product has none. Equal ``model_id`` promise that the
    same product has the same row.
    """

    ids: tuple[str, ...]
    matrix: Float32Array
    model_id: str
    blocks: dict[str, slice]
    parts: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def has(self, block: str) -> BoolArray:
        """(n,) True where the product has a vector in ``block``; all False for a block that is not there."""
        columns = self.blocks.get(block, slice(0, 0))
        return np.asarray(np.any(self.matrix[:, columns] != 0, axis=1), dtype=np.bool_)

    def block(self, block: str) -> Float32Array:
        """(n, width) columns of ``block``; width 0 for one that is not there."""
        return self.matrix[:, self.blocks.get(block, slice(0, 0))]

    def widths(self, block: str) -> tuple[int, ...]:
        """How many columns each encoder of ``block`` has, in order."""
        columns = self.blocks.get(block, slice(0, 0))
        return self.parts.get(block, (columns.stop - columns.start,))

    def rows(self, ids: Sequence[str]) -> Float32Array:
        """(len(ids), d) vectors in the order of ``ids``; products without a vector get zeros."""
        position = {name: index for index, name in enumerate(self.ids)}
        found = np.array([position.get(name, -1) for name in ids], dtype=np.int64)
        out = np.zeros((len(found), self.matrix.shape[1]), dtype=np.float32)
        out[found >= 0] = self.matrix[found[found >= 0]]
        return out

    def select(self, ids: Sequence[str]) -> ProductVectors:
        """The vectors of ``ids`` in that order; products without a vector get zeros."""
        return replace(self, ids=tuple(ids), matrix=self.rows(ids))

    def take(self, indices: npt.ArrayLike) -> ProductVectors:
        """The vectors at ``indices`` (or where a mask is True), in that order."""
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return replace(self, ids=tuple(self.ids[index] for index in chosen), matrix=self.matrix[chosen])

    def to_table(self) -> pa.Table:
        """``product_embeddings_schema(d, blocks)``: the blocks stand in the schema's metadata."""
        bounds = {
            name: [columns.start, *(columns.start + np.cumsum(self.widths(name))).tolist()]
            for name, columns in self.blocks.items()
        }
        schema = product_embeddings_schema(self.matrix.shape[1], bounds)
        flat = pa.array(np.ascontiguousarray(self.matrix, dtype=np.float32).reshape(-1))
        columns = [
            pa.array(self.ids, pa.string()),
            pa.array([self.model_id] * len(self.ids), pa.string()),
            *(pa.array(self.has(name)) for name in BLOCKS),
            pa.FixedSizeListArray.from_arrays(flat, self.matrix.shape[1]),
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    @classmethod
    def from_table(cls, table: pa.Table) -> ProductVectors:
        """The vectors that ``to_table`` wrote. Raises UserError for a table of several models or another kind."""
        models = table.column("model_id").unique().to_pylist()
        metadata = table.schema.metadata or {}
        if len(models) > 1 or b"blocks" not in metadata:
            raise UserError(
                f"the product vectors come from {len(models)} encoders ({', '.join(map(str, models[:3]))}) or "
                "from an earlier release; materialise product_embeddings anew, with one"
            )
        width = table.schema.field("vector").type.list_size
        column = table.column("vector").combine_chunks()
        chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        matrix = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        ids = tuple(table.column("item_id").to_pylist())
        bounds = json.loads(metadata[b"blocks"])
        blocks = {name: slice(found[0], found[-1]) for name, found in bounds.items()}
        parts = {name: tuple(np.diff(found).tolist()) for name, found in bounds.items() if len(found) > 2}
        return cls(ids, matrix, models[0] if models else "", blocks, parts)


def join_vectors(
    ids: Sequence[str],
    vectors: Mapping[str, npt.ArrayLike | None],
    *,
    model_ids: Mapping[str, str] | None = None,
    parts: Mapping[str, tuple[int, ...]] | None = None,
) -> ProductVectors:
    """The blocks of n products side by side, in the order of ``BLOCKS``; each row of a block has length 1, so
    that no block outweighs another.

    A block is (n, d) with zeros (or NaN) in the rows that have none; one that is None or missing is left out. ``parts``
    of a block from several encoders says how wide the vectors of each are. The joint model id names each block's:
    ``image=onnx:m@1|text=local:cbow@2``. Raises UserError for an unknown block, or one with another number of rows than
    ``ids``.
    """
    unknown = sorted({*vectors, *(model_ids or {})} - set(BLOCKS))
    if unknown:
        raise UserError(f"there is no block {unknown[0]!r} of product vectors; expected {', '.join(BLOCKS)}")
    matrices: list[Float32Array] = [np.zeros((len(ids), 0), np.float32)]
    blocks: dict[str, slice] = {}
    names: list[str] = []
    start = 0
    for name in BLOCKS:
        given = vectors.get(name)
        if given is None:
            continue
        rows = np.asarray(given, dtype=np.float32)
        if rows.ndim != 2 or len(rows) != len(ids):
            raise UserError(
                f"the {name} vectors have shape {rows.shape} for {len(ids)} products; expected one row each"
            )
        matrices.append(unit_rows(np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0.0)))
        blocks[name] = slice(start, start + rows.shape[1])
        start += rows.shape[1]
        names.append(f"{name}={(model_ids or {}).get(name, '')}")
    return ProductVectors(tuple(ids), np.hstack(matrices), "|".join(names), blocks, dict(parts or {}))
