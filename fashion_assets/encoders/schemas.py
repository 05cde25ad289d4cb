"""The schemas of the embedding tables and of the cache's shards."""

from __future__ import annotations

import pyarrow as pa

#: Key of the schema's metadata that names the model also when a month has no rows.
MODEL_ID_KEY = b"model_id"


def vector_type(dim: int) -> pa.DataType:
    """Fixed-size list of ``dim`` float32: one flat buffer in memory and in Parquet."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), dim)


def embeddings_schema(dim: int, model_id: str | None = None) -> pa.Schema:
    """``text_embeddings`` and ``image_embeddings``: one row per post or picture."""
    return _with_model(
        pa.schema(
            [
                pa.field("item_id", pa.string(), nullable=False),
                pa.field("post_id", pa.string(), nullable=False),
                pa.field("month", pa.string(), nullable=False),
                pa.field("content_hash", pa.string(), nullable=False),
                pa.field("model_id", pa.string(), nullable=False),
                pa.field("vector", vector_type(dim), nullable=False),
            ]
        ),
        model_id,
    )


def multimodal_schema(dim: int, model_id: str | None = None, joint_dim: int | None = None) -> pa.Schema:
    """``multimodal_embeddings``: one row per post, with masks for what it has.

    With ``joint_dim`` there is a column ``joint_vector``, null for a post with neither text nor picture: only
    encoders with one space for both have it, and a column of nulls would say nothing.
    """
    fields = [
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("model_id", pa.string(), nullable=False),
        pa.field("has_text", pa.bool_(), nullable=False),
        pa.field("has_image", pa.bool_(), nullable=False),
        pa.field("vector", vector_type(dim), nullable=False),
    ]
    if joint_dim is not None:
        fields.append(pa.field("joint_vector", vector_type(joint_dim)))
    return _with_model(pa.schema(fields), model_id)


def shard_schema(dim: int, model_id: str) -> pa.Schema:
    """One file of the embedding cache."""
    return _with_model(
        pa.schema(
            [
                pa.field("content_hash", pa.string(), nullable=False),
                pa.field("vector", vector_type(dim), nullable=False),
            ]
        ),
        model_id,
    )


def _with_model(schema: pa.Schema, model_id: str | None) -> pa.Schema:
    return schema if model_id is None else schema.with_metadata({MODEL_ID_KEY: model_id.encode("utf-8")})
