"""The tables of the media group, one pyarrow schema each."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

#: One row per picture or video frame of a post; ``status`` is ``ok`` or ``refused`` (then ``reason`` is a
#: sentence).
POST_IMAGES: Final = pa.schema(
    [
        pa.field(
            "image_id", pa.string(), nullable=False
        ),  # <post_id>/<file name>, for frames #<fraction> behind it
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # relative to the media root
        pa.field("digest", pa.string()),  # SHA-256 of the file's bytes, 64 hex digits
        pa.field("frame", pa.float64()),  # fraction of a video's duration; null for pictures
        pa.field("width", pa.int32()),  # of the upright file, pixels
        pa.field("height", pa.int32()),
        pa.field("n_bytes", pa.int64()),
        pa.field("phash", pa.string()),  # 16 hex digits
        pa.field("thumbprint", pa.string()),  # base64: confirms near-duplicates without decoding again
        pa.field("decoding", pa.int32()),  # media.decoding.DECODING that hash and thumbprint were made with
        pa.field("duplicate_group", pa.string()),  # image_id of the group's representative
        pa.field("is_representative", pa.bool_(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ]
)

#: One row per usable picture: where its garment is and how much of the picture it covers.
GARMENT_IMAGES: Final = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("segmenter", pa.string(), nullable=False),
        pa.field("crop", pa.string(), nullable=False),  # what crop_path shows: garment, or person
        pa.field("decoding", pa.int32()),  # media.decoding.DECODING that share, box and crop were made with
        pa.field("garment_share", pa.float32()),  # 0-1; null if the file could not be read again
        pa.field("kept", pa.bool_(), nullable=False),  # garment_share >= the smallest share
        pa.field("crop_path", pa.string()),  # relative to the crops root; null if not kept
        pa.field("garment_path", pa.string()),  # the crop without the person, the one that may be published
        pa.field("box_left", pa.int32()),  # of the crop, pixels of the upright file
        pa.field("box_top", pa.int32()),
        pa.field("box_width", pa.int32()),
        pa.field("box_height", pa.int32()),
    ]
)

_PANDAS_TYPES: Final[dict[pa.DataType, str]] = {
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.bool_(): "bool",
    pa.string(): "object",
}


def as_table(rows: list[dict[str, object]], schema: pa.Schema) -> pd.DataFrame:
    """A data frame with exactly the schema's columns; whole numbers are nullable (``Int32``, ``Int64``)."""
    columns = {}
    for field in schema:
        values = [row.get(field.name) for row in rows]
        columns[field.name] = pd.Series(values, dtype=_PANDAS_TYPES[field.type])
    return pd.DataFrame(columns)
