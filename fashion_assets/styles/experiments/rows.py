"""Which posts a variant is judged on, and their vectors or texts: a bounded, month-stratified sample of the lake.

Belongs here: reading what a modality compares. Does not: encoding (the asset has the encoder), clustering.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.encoders.tables import require_one_model_over, vectors_of
from fashion_assets.storage.lake import Lake
from fashion_assets.styles.experiments.variants import Modality
from fashion_assets.styles.window import stratified_rows

NO_JOINT_SPACE = (
    "not possible here: text and picture encoder are different models, so there is no space for both; a model of both, "
    "such as a CLIP, as FASHION_TEXT_ENCODER and FASHION_IMAGE_ENCODER gives one"
)


@dataclass(frozen=True)
class SampledPosts:
    """`months` (n,) of the posts that were taken of the `n_posts` that have what the modality compares."""

    months: npt.NDArray[np.str_]
    n_posts: int


@dataclass(frozen=True)
class SampledVectors(SampledPosts):
    """`vectors` (n, d), parallel to `months`; `model_id` names what made them."""

    vectors: npt.NDArray[np.float32]
    model_id: str


@dataclass(frozen=True)
class SampledTexts(SampledPosts):
    """`texts` (n,), parallel to `months`."""

    texts: list[str]


def sample_texts(lake: Lake, modality: Modality, limit: int, seed: int) -> SampledTexts:
    """Cleaned texts ("text_content") or hashtags joined by spaces ("text_tags") of the posts that have any."""
    column = "text" if modality == "text_content" else "tags"
    stored = lake.months("cleaned_posts")
    written = {month: _written(_column(lake, month, column)) for month in stored}
    names = np.repeat(np.asarray(stored, dtype=np.str_), [len(rows) for rows in written.values()])
    chosen = stratified_rows(names, np.arange(len(names)), limit, seed)
    texts: list[str] = []
    start = 0
    for month, rows in written.items():
        own = rows[chosen[(chosen >= start) & (chosen < start + len(rows))] - start]
        start += len(rows)
        values = _column(lake, month, column).take(pa.array(own, pa.int64())).to_pylist() if len(own) else []
        texts += [value if isinstance(value, str) else " ".join(value) for value in values]
    return SampledTexts(names[chosen], len(names), texts)


def _column(lake: Lake, month: str, column: str) -> pa.ChunkedArray:
    return lake.read("cleaned_posts", month, columns=[column])[column]


def _written(column: pa.ChunkedArray) -> npt.NDArray[np.intp]:
    """The rows with a text, or a list, that is not empty; as Arrow, for a month may hold a million of them."""
    if pa.types.is_list(column.type):
        lengths = pc.list_value_length(column)
    else:
        lengths = pc.utf8_length(pc.utf8_trim_whitespace(column))
    return np.flatnonzero(pc.fill_null(lengths, 0).to_numpy() > 0)


def sample_vectors(lake: Lake, modality: Modality, limit: int, seed: int) -> SampledVectors | None:
    """Vectors of `multimodal_embeddings`: its block of pictures or of keywords, both, or `joint_vector`.

    "multimodal" and "joint" take posts that have both. None where no month has a `joint_vector`. A month's vectors are
    in memory at a time, beside the sample. Raises UserError if the months come from different encoders.
    """
    asset = "multimodal_embeddings"
    stored = lake.months(asset)
    if modality == "joint":
        stored = [month for month in stored if "joint_vector" in lake.schema(asset, month).names]
        if not stored:
            return None
    flags = {
        month: lake.read(asset, month, columns=["model_id", "has_text", "has_image"]) for month in stored
    }
    model_id = require_one_model_over(flags) or ""
    names = np.repeat(np.asarray(stored, dtype=np.str_), [table.num_rows for table in flags.values()])
    having = np.concatenate([np.zeros(0, bool), *(_having(table, modality) for table in flags.values())])
    chosen = stratified_rows(names, np.flatnonzero(having), limit, seed)
    parts, start = [], 0
    for month, table in flags.items():
        own = chosen[(chosen >= start) & (chosen < start + table.num_rows)] - start
        start += table.num_rows
        if len(own):
            parts.append(_vectors(lake, month, modality, own))
    vectors = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
    return SampledVectors(names[chosen], int(having.sum()), vectors, model_id)


def _having(table: pa.Table, modality: Modality) -> npt.NDArray[np.bool_]:
    text, image = (
        table[name].to_numpy(zero_copy_only=False).astype(bool) for name in ("has_text", "has_image")
    )
    return {"image": image, "text_keywords": text}.get(modality, text & image)


def _vectors(
    lake: Lake, month: str, modality: Modality, rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    column = "joint_vector" if modality == "joint" else "vector"
    table = lake.read("multimodal_embeddings", month, columns=[column])
    vectors = vectors_of(table.take(pa.array(rows)), column)
    if modality not in ("image", "text_keywords"):
        return vectors
    # The vector is [text | pictures]; the text table says where the first block ends.
    width = int(lake.schema("text_embeddings", month).field("vector").type.list_size)
    return unit_rows(vectors[:, width:] if modality == "image" else vectors[:, :width])
