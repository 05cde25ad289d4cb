"""The product tables: one schema each. Label columns vary with the data, so the schemas that hold them are
functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

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
        ("image_path", pa.string()),  # relative to the product folder or zip; null without a usable picture
        ("image_digest", pa.string()),  # sha256 hex of the picture file
        ("image_width", pa.int64()),  # pixels of the upright picture
        ("image_height", pa.int64()),
        ("image_hash", pa.string()),  # perceptual hash, 16 hex digits (media.hashing)
        ("image_thumbprint", pa.string()),  # 12 x 12 colours and edges, base64 (media.hashing)
        ("note", pa.string()),  # what the card lacks, in a sentence; null if it has text and a picture
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

PRODUCT_SPLIT = pa.schema(
    [
        ("id", pa.string()),
        ("family", pa.int64()),  # near-identical names or pictures; whole in one split
        ("split", pa.string()),  # "train" | "validation" | "test"
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

PROJECTED_PRODUCTS = pa.schema(
    [
        ("id", pa.string()),
        ("target_category", pa.string()),  # null for a product with neither picture nor text
        ("divergence", pa.float64()),  # Kullback-Leibler of the product from the category, nats
        ("runner_up", pa.string()),
        ("margin", pa.float64()),  # the runner-up's divergence less the winner's
        ("explanation", pa.string()),  # the labels whose terms of the margin are largest
        ("inputs", pa.string()),  # "image+text" | "image" | "text" | "none"
    ]
)

ATTRIBUTE_FIGURES = pa.schema(
    [
        ("attribute", pa.string()),
        ("split", pa.string()),  # "families": unseen families; "rows": the flattering random split
        ("kind", pa.string()),  # the kind of head that was chosen
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("n_classes", pa.int64()),
        ("n_frequent", pa.int64()),
        *(
            (f"{figure}{end}", pa.float64())
            for figure in ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1")
            for end in ("", "_low", "_high")
        ),
        ("note", pa.string()),  # why nothing was learned, or what to know
    ]
)


PRODUCT_EVALUATION = pa.schema(
    [
        ("attribute", pa.string()),  # "(all)": all at once, accuracy is the share with all of them right
        ("n_test", pa.int64()),
        ("n_classes", pa.int64()),
        ("n_frequent", pa.int64()),
        *(
            (f"{figure}{end}", pa.float64())
            for figure in ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1")
            for end in ("", "_low", "_high")
        ),
        ("answered", pa.float64()),  # share of the products that the head did not abstain on
        ("accuracy_answered", pa.float64()),
        ("calibration_error", pa.float64()),  # expected calibration error of the confidences
    ]
)


def products_schema(label_columns: Iterable[str]) -> pa.Schema:
    """``PRODUCTS`` followed by one nullable string column per label; names carry the ``label_`` prefix."""
    return pa.schema([*PRODUCTS, *((name, pa.string()) for name in label_columns)])


def product_embeddings_schema(dimension: int, blocks: Mapping[str, Sequence[int]]) -> pa.Schema:
    """The table of product vectors of ``dimension`` numbers. ``blocks`` (name -> first column of each of its encoders,
    then the first column after it) stand as JSON in the schema's metadata, key "blocks"; a row of a block has length 1
    or is zero.
    """
    return pa.schema(
        [
            ("item_id", pa.string()),
            ("model_id", pa.string()),
            ("has_image", pa.bool_()),
            ("has_text", pa.bool_()),
            ("has_shop", pa.bool_()),
            ("has_characteristics", pa.bool_()),
            ("vector", pa.list_(pa.float32(), dimension)),
        ],
        metadata={"blocks": json.dumps({name: list(span) for name, span in blocks.items()})},
    )
