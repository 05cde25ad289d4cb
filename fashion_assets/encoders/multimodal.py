"""One vector per post from its text and its pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.rows import has_direction, unit_rows
from fashion_assets.encoders.schemas import multimodal_schema
from fashion_assets.encoders.tables import require_one_model, vector_array, vectors_of
from fashion_assets.storage.errors import UserError

#: Stands for a modality whose encoder is not known because there was no table at all.
_NO_MODEL = "none"


def combine(
    text: pa.Table | None,
    images: pa.Table | None,
    post_ids: Sequence[str],
    month: str,
    *,
    text_weight: float = 1.0,
    image_weight: float = 1.0,
    text_dim: int | None = None,
    image_dim: int | None = None,
    text_model_id: str | None = None,
    image_model_id: str | None = None,
) -> pa.Table:
    """``multimodal_embeddings`` of ``post_ids`` in their order: unit rows ``[w_t * text | w_i * images]``.

    ``text`` and ``images`` are embedding tables; a post's picture part is the unit mean over its pictures.
    What a post lacks (no row, or a zero vector such as that of an empty text) is a block of zeros and False
    in ``has_text`` / ``has_image``; a post with neither is a zero row. A table that is None needs its
    dimension given (``text_dim``, ``image_dim``), so that all months have one width; an empty table tells
    its own. Likewise ``text_model_id`` and ``image_model_id`` name the encoder where no row does, so that all
    months have one model id.

    Where one model made both tables, texts and pictures lie in one space, and there is a column ``joint_vector``: the
    unit mean of the post's unit text and picture vectors that are there, unweighted, null without either.

    Raises UserError for mixed models, repeated post ids, a negative weight, or an unknown dimension.
    """
    if text_weight < 0 or image_weight < 0 or text_weight + image_weight <= 0:
        raise UserError(
            f"weights of text and pictures are {text_weight} and {image_weight}; expected none negative "
            "and one positive"
        )
    if len(set(post_ids)) != len(post_ids):
        raise UserError(f"the post ids of {month} are not unique; expected one row per post")
    rows_of = {post_id: row for row, post_id in enumerate(post_ids)}
    text_rows, text_model = _mean_rows(text, rows_of, text_dim, "text", month, text_model_id)
    image_rows, image_model = _mean_rows(images, rows_of, image_dim, "image", month, image_model_id)
    model_id = f"{text_weight:g}*{text_model}|{image_weight:g}*{image_model}"
    n_posts, text_columns = len(post_ids), text_rows.shape[1]
    vectors = np.empty((n_posts, text_columns + image_rows.shape[1]), dtype=np.float32)
    np.multiply(text_rows, np.float32(text_weight), out=vectors[:, :text_columns])
    np.multiply(image_rows, np.float32(image_weight), out=vectors[:, text_columns:])
    unit_rows(vectors, out=vectors)
    columns = [
        pa.array(list(post_ids), pa.string()),
        pa.repeat(pa.scalar(month, pa.string()), n_posts),
        pa.repeat(pa.scalar(model_id, pa.string()), n_posts),
        pa.array(has_direction(text_rows)),
        pa.array(has_direction(image_rows)),
        vector_array(vectors),
    ]
    joint_dim = None
    if text_model == image_model != _NO_MODEL:
        means = unit_rows(text_rows + image_rows)
        columns.append(vector_array(means, ~has_direction(means)))
        joint_dim = int(means.shape[1])
    return pa.table(columns, schema=multimodal_schema(int(vectors.shape[1]), model_id, joint_dim))


def _mean_rows(
    table: pa.Table | None,
    rows_of: dict[str, int],
    dim: int | None,
    modality: str,
    month: str,
    model_id: str | None,
) -> tuple[npt.NDArray[np.float32], str]:
    """Unit mean of each post's vectors (n_posts, d), zeros where it has none; and the model id."""
    if table is None:
        if dim is None:
            raise UserError(
                f"{month} has no {modality} embeddings; give {modality}_dim, "
                "the width of that encoder's vectors"
            )
        return np.zeros((len(rows_of), dim), dtype=np.float32), model_id or _NO_MODEL
    found = require_one_model(table) or model_id or _NO_MODEL
    vectors = vectors_of(table)
    if dim is not None and dim != vectors.shape[1]:
        raise UserError(
            f"{modality} embeddings of {month} have {vectors.shape[1]} dimensions; expected {dim}"
        )
    targets = np.asarray(
        [rows_of.get(post_id, -1) for post_id in table.column("post_id").to_pylist()], dtype=np.int64
    )
    known = np.flatnonzero(targets >= 0)
    # Few posts have pictures: sums in double precision are held of those that have.
    having, places = np.unique(targets[known], return_inverse=True)
    means = np.zeros((len(rows_of), vectors.shape[1]), dtype=np.float32)
    if len(having) == len(known):  # a vector each
        means[targets[known]] = unit_rows(vectors[known])
        return means, found
    sums = np.zeros((len(having), vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, places, vectors[known])
    means[having] = unit_rows(sums)
    return means, found
