"""The product tables: one schema each. Label columns vary with the data, so the schemas that hold them are
functions.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

LABEL_PREFIX = "label_"

# One row per card as it came; every value is text, null where the file has nothing.
RAW_PRODUCTS = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("characteristics", pa.string()),  # JSON object: source column -> its text as it came
        ("shop", pa.string()),
        ("extra", pa.string()),  # JSON object of the columns that are neither a field nor a label
        ("source_file", pa.string()),
        ("source_row", pa.int64()),  # line where the record starts (CSV, header = 1) or row number (Parquet)
        ("fault_column", pa.string()),
        ("fault", pa.string()),
    ]
)

PRODUCTS = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("characteristics", pa.string()),  # JSON object, null if the card has none
        ("shop", pa.string()),
        ("text", pa.string()),  # title, description and characteristics, cleaned; "" if nothing is left
        (
            "image_path",
            pa.string(),
        ),  # relative to the product folder; null if no picture has the product's id
        ("image_digest", pa.string()),  # sha256 hex of the picture file
        ("extra", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
    ]
)

QUARANTINED_PRODUCTS = pa.schema(
    [
        ("id", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),  # JSON of the card as it came
    ]
)

PRODUCT_PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("attribute", pa.string()),
        ("label", pa.string()),  # the likeliest label, given also where the head abstained
        ("confidence", pa.float64()),
        ("abstained", pa.bool_()),
        ("inputs", pa.string()),  # "image+text" | "image" | "text" | "none": what the prediction rests on
    ]
)

CATEGORY_PROJECTION = pa.schema(
    [
        ("target_category", pa.string()),
        ("best_match", pa.string()),
        ("divergence", pa.float64()),  # Kullback-Leibler, nats
        ("runner_up", pa.string()),
        ("runner_up_divergence", pa.float64()),
        ("margin", pa.float64()),
        ("n_items", pa.int64()),
        ("evidence", pa.string()),
    ]
)


def products_schema(label_columns: Iterable[str]) -> pa.Schema:
    """``PRODUCTS`` followed by one nullable string column per label; names carry the ``label_`` prefix."""
    return pa.schema([*PRODUCTS, *((name, pa.string()) for name in label_columns)])


def product_embeddings_schema(dimension: int) -> pa.Schema:
    """The table of product vectors: ``[image | text]``, each block of length 1, or zeros if missing."""
    return pa.schema(
        [
            ("item_id", pa.string()),
            ("model_id", pa.string()),
            ("has_image", pa.bool_()),
            ("has_text", pa.bool_()),
            ("vector", pa.list_(pa.float32(), dimension)),
        ]
    )
