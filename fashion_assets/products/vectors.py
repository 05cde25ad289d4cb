"""Vectors of products: an image block and a text block side by side, and what is known about where they came
from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.products.schemas import product_embeddings_schema
from fashion_assets.storage.errors import UserError

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ProductVectors:
    """``matrix`` (n, d_image + d_text) float32 of ``ids`` (n,); each block has length 1, or is zero where it
    is missing.
    """

    ids: tuple[str, ...]
    matrix: Float32Array
    model_id: str
    image_width: int

    @property
    def has_image(self) -> BoolArray:
        """(n,) True where the product has a picture vector."""
        return np.asarray(np.any(self.matrix[:, : self.image_width] != 0, axis=1), dtype=np.bool_)

    @property
    def has_text(self) -> BoolArray:
        """(n,) True where the product has a text vector."""
        return np.asarray(np.any(self.matrix[:, self.image_width :] != 0, axis=1), dtype=np.bool_)

    def rows(self, ids: Sequence[str]) -> Float32Array:
        """(len(ids), d) vectors in the order of ``ids``; products without a vector get zeros."""
        position = {name: index for index, name in enumerate(self.ids)}
        found = np.array([position.get(name, -1) for name in ids], dtype=np.int64)
        out = np.zeros((len(found), self.matrix.shape[1]), dtype=np.float32)
        out[found >= 0] = self.matrix[found[found >= 0]]
        return out

    def to_table(self) -> pa.Table:
        """``product_embeddings_schema(d)`` with the image width in the schema's metadata."""
        schema = product_embeddings_schema(self.matrix.shape[1])
        flat = pa.array(np.ascontiguousarray(self.matrix, dtype=np.float32).reshape(-1))
        columns = [
            pa.array(self.ids, pa.string()),
            pa.array([self.model_id] * len(self.ids), pa.string()),
            pa.array(self.has_image),
            pa.array(self.has_text),
            pa.FixedSizeListArray.from_arrays(flat, self.matrix.shape[1]),
        ]
        return pa.Table.from_arrays(
            columns, schema=schema.with_metadata({"image_width": str(self.image_width)})
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> ProductVectors:
        """The vectors that ``to_table`` wrote. Raises UserError for a table of several encoders or of another
        kind.
        """
        models = table.column("model_id").unique().to_pylist()
        metadata = table.schema.metadata or {}
        if len(models) > 1 or b"image_width" not in metadata:
            raise UserError(
                f"the product vectors come from {len(models)} encoders ({', '.join(map(str, models[:3]))}); "
                "materialise product_embeddings anew, with one"
            )
        width = table.schema.field("vector").type.list_size
        column = table.column("vector").combine_chunks()
        chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        matrix = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        ids = tuple(table.column("item_id").to_pylist())
        return cls(ids, matrix, models[0] if models else "", int(metadata[b"image_width"]))


def join_vectors(
    ids: Sequence[str],
    image_vectors: npt.ArrayLike | None,
    text_vectors: npt.ArrayLike | None,
    *,
    image_model_id: str = "",
    text_model_id: str = "",
) -> ProductVectors:
    """``[image | text]`` of n products, each block normalised on its own so that neither outweighs the other.

    A block is (n, d) with zeros (or NaN) in the rows that have none, or None if there are no such vectors at
    all. The joint model id is "image model|text model". Raises UserError if a block has another number of
    rows than ``ids``.
    """
    blocks = []
    for name, block in (("image", image_vectors), ("text", text_vectors)):
        rows = np.zeros((len(ids), 0), np.float32) if block is None else np.asarray(block, dtype=np.float32)
        if rows.ndim != 2 or len(rows) != len(ids):
            raise UserError(
                f"the {name} vectors have shape {rows.shape} for {len(ids)} products; expected one row each"
            )
        rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0.0) if rows.size else rows
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        blocks.append((rows / np.where(length > 0, length, 1.0)).astype(np.float32))
    matrix = np.hstack(blocks)
    return ProductVectors(tuple(ids), matrix, f"{image_model_id}|{text_model_id}", blocks[0].shape[1])
