"""Embedding tables in Arrow: built and read without a Python object per number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.encoders.schemas import MODEL_ID_KEY, embeddings_schema, vector_type
from fashion_assets.storage.errors import UserError


def vector_array(
    vectors: npt.NDArray[np.float32], absent: npt.NDArray[np.bool_] | None = None
) -> pa.FixedSizeListArray:
    """(n, d) float32 as a fixed-size list array over the same memory (if the rows are contiguous); rows that
    ``absent`` (n,) marks are null.
    """
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    mask = None if absent is None else pa.array(absent)
    return pa.FixedSizeListArray.from_arrays(flat, type=vector_type(int(vectors.shape[1])), mask=mask)


def embedding_table(
    item_ids: Sequence[str],
    post_ids: Sequence[str],
    month: str,
    hashes: Sequence[str],
    model_id: str,
    vectors: npt.NDArray[np.float32],
) -> pa.Table:
    """The table of ``embeddings_schema(d, model_id)`` with one row per item. UserError if lengths differ."""
    n_items = len(item_ids)
    if vectors.ndim != 2 or not n_items == len(post_ids) == len(hashes) == len(vectors):
        raise UserError(
            f"embeddings of {month}: {n_items} item ids, {len(post_ids)} post ids, "
            f"{len(hashes)} content hashes and vectors of shape {vectors.shape}; expected one of each per "
            "item"
        )
    return pa.table(
        [
            pa.array(item_ids, pa.string()),
            pa.array(post_ids, pa.string()),
            pa.repeat(pa.scalar(month, pa.string()), n_items),
            pa.array(hashes, pa.string()),
            pa.repeat(pa.scalar(model_id, pa.string()), n_items),
            vector_array(vectors),
        ],
        schema=embeddings_schema(int(vectors.shape[1]), model_id),
    )


def vectors_of(table: pa.Table, column: str = "vector") -> npt.NDArray[np.float32]:
    """(n, d) float32: a read-only view of the column's memory if it is one chunk, else a copy.

    Raises UserError if the column is missing, is no fixed-size list of float32, or holds nulls.
    """
    if column not in table.column_names:
        raise UserError(f"the table has no column {column!r}; it has {', '.join(table.column_names)}")
    chunked = table.column(column)
    kind = chunked.type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_float32(kind.value_type):
        raise UserError(
            f"column {column!r} is {kind}; expected a fixed-size list of float32 (one vector a row)"
        )
    if chunked.null_count:
        raise UserError(f"column {column!r} holds {chunked.null_count} nulls; expected a vector in every row")
    dim = int(kind.list_size)
    parts = [
        chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, dim)
        for chunk in chunked.chunks
        if len(chunk)
    ]
    if not parts:
        return np.zeros((0, dim), dtype=np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def model_ids_of(table: pa.Table) -> list[str]:
    """The different model ids of a table, sorted; of a table without rows the one that its schema names."""
    if len(table):
        return sorted(str(value) for value in pc.unique(table.column("model_id")).to_pylist())
    named = (table.schema.metadata or {}).get(MODEL_ID_KEY)
    return [named.decode("utf-8")] if named else []


def require_one_model(table: pa.Table) -> str | None:
    """The one model id of a table, None if it has no rows and names none. UserError naming the ids if
    mixed."""
    found = model_ids_of(table)
    if len(found) > 1:
        raise UserError(
            f"vectors of {len(found)} encoders are mixed ({', '.join(found)}) and cannot be compared; "
            "encode all months again with one encoder"
        )
    return found[0] if found else None


def require_one_model_over(tables: Mapping[str, pa.Table]) -> str | None:
    """The one model id of the tables of several months, None if none names one; the column ``model_id`` is enough.

    Raises UserError naming the ids and the months of each.
    """
    months_of: dict[str, list[str]] = {}
    for month, table in tables.items():
        for model_id in model_ids_of(table):
            months_of.setdefault(model_id, []).append(month)
    if len(months_of) > 1:
        found = "; ".join(f"{model_id} in {', '.join(months)}" for model_id, months in months_of.items())
        raise UserError(
            f"vectors of {len(months_of)} encoders are mixed ({found}) and cannot be compared; encode all months "
            'with one encoder: fashion-assets run --select "text_embeddings+,image_embeddings+" --force'
        )
    return next(iter(months_of), None)
