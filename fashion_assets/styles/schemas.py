"""The tables of the styles group, one pyarrow schema each, and frames that fit them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa

#: One row per post of the month. A post without any usable vector has style_id -1 and nulls behind it.
STYLE_CLUSTERS: Final = pa.schema(
    [
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("style_id", pa.int32(), nullable=False),
        pa.field("distance", pa.float32()),  # cosine distance to the own centroid, 0-2
        pa.field("runner_up", pa.int32()),  # style of the second nearest centroid; null with one style
        pa.field("runner_up_distance", pa.float32()),
        pa.field("margin", pa.float32()),  # runner_up_distance - distance, never negative
        pa.field("modality", pa.string()),  # multimodal | text | image: which centroids it was compared with
        pa.field("model_month", pa.string(), nullable=False),
    ]
)

#: One row per style with at least one post in the month.
STYLE_PROFILES: Final = pa.schema(
    [
        pa.field("month", pa.string(), nullable=False),
        pa.field("style_id", pa.int32(), nullable=False),
        pa.field("name", pa.string(), nullable=False),  # unique within the month
        pa.field("n_posts", pa.int32(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),  # of the month's posts that have a style
        pa.field("share_low", pa.float64(), nullable=False),  # Wilson, 95 %
        pa.field("share_high", pa.float64(), nullable=False),
        pa.field("likes_median", pa.float64()),  # null if no post of the style has a known count
        pa.field("collects_median", pa.float64()),
        # Means of the known counts, each cut at the 95 % point of the month's posts.
        pa.field("engagement_likes", pa.float64()),
        pa.field("engagement_collects", pa.float64()),
        pa.field("keywords", pa.list_(pa.string()), nullable=False),  # most characteristic first
        pa.field(
            "representative_posts", pa.list_(pa.string()), nullable=False
        ),  # the most central first, then those that differ
        pa.field("representative_images", pa.list_(pa.string()), nullable=False),  # image_id, at most 10
    ]
)

#: One row per k that was scanned.
SILHOUETTE_CURVE: Final = pa.schema(
    [
        pa.field("k", pa.int64(), nullable=False),
        pa.field("micro", pa.float64(), nullable=False),
        pa.field("macro", pa.float64(), nullable=False),
        pa.field("inertia", pa.float64(), nullable=False),
        pa.field("largest_share", pa.float64(), nullable=False),
    ]
)

_PANDAS_TYPES: Final[dict[pa.DataType, str]] = {
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.string(): "object",
}


def frame_of(columns: Mapping[str, Any], schema: pa.Schema) -> pd.DataFrame:
    """A data frame with exactly the schema's columns, in its order; nullable whole numbers become "Int32"."""
    series = {}
    for field in schema:
        kind = _PANDAS_TYPES.get(field.type, "object")
        if field.nullable and pa.types.is_int32(field.type):
            kind = "Int32"
        series[field.name] = pd.Series(columns[field.name], dtype=kind)
    return pd.DataFrame(series)
