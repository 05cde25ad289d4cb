"""Group ``embeddings``: one vector per text and per garment, and both together per post.

Belongs here: the three assets. Every vector is computed once per content and model; the metadata says how many
were new.
"""

from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset
from fashion_assets.defs.io_managers import columns
from fashion_assets.defs.metadata import preview
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import Encoders
from fashion_assets.encoders.schemas import MODEL_ID_KEY
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key

if TYPE_CHECKING:
    from fashion_assets.encoders.cache import EncodeResult


@asset(
    partitions_def=MONTHS,
    group_name="embeddings",
    kinds={"parquet"},
    deps=["word_vectors"],
    ins={"fashion_keywords": columns("post_id", "keywords")},
    **compute(Settings(), "text_encoder"),
)
def text_embeddings(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    fashion_keywords: pd.DataFrame,
) -> dg.MaterializeResult:
    """One vector per post from its fashion keywords, as the reference project embeds them."""
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.encoders.content import content_hashes
    from fashion_assets.encoders.tables import embedding_table

    texts = fashion_keywords["keywords"].map(" ".join).tolist()
    hashes = content_hashes(texts)
    encoded = EmbeddingCache(settings.embedding_cache).encode_missing(encoders.text, hashes, texts)
    ids = fashion_keywords["post_id"].tolist()
    month = month_of_key(context.partition_key)
    table = embedding_table(ids, ids, month, hashes, encoders.text.model_id, encoded.vectors)
    return dg.MaterializeResult(value=table, metadata=_counts(table, encoded))


@asset(
    partitions_def=MONTHS, group_name="embeddings", kinds={"parquet"}, **compute(Settings(), "image_encoder")
)
def image_embeddings(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    garment_images: pd.DataFrame,
) -> dg.MaterializeResult:
    """One vector per picture that shows enough garment, taken from the crop without background.

    A crop that cannot be read leaves this table, not the month: crops = rows + unreadable.
    """
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.encoders.content import content_hashes
    from fashion_assets.encoders.tables import embedding_table

    kept = garment_images[garment_images["kept"].astype(bool)]
    # A crop's path is its content's identity: segmenter, kind of crop, digest of the file, and the frame of a video.
    hashes = content_hashes(kept["crop_path"])
    crops = [settings.crops / path for path in kept["crop_path"]]
    encoded = EmbeddingCache(settings.embedding_cache).encode_missing(encoders.image, hashes, crops)
    rows = [row for row in range(len(kept)) if row not in encoded.refused]
    seen = kept.iloc[rows]
    table = embedding_table(
        seen["image_id"].tolist(),
        seen["post_id"].tolist(),
        month_of_key(context.partition_key),
        [hashes[row] for row in rows],
        encoders.image.model_id,
        encoded.vectors[rows],
    )
    unreadable = pd.DataFrame(
        {"crop_path": kept["crop_path"].iloc[list(encoded.refused)], "reason": encoded.refused.values()}
    )
    return dg.MaterializeResult(
        value=table,
        metadata={
            **_counts(table, encoded),
            "crops": len(kept),
            "unreadable": len(unreadable),
            "reasons": preview(unreadable, rows=10),
        },
    )


@asset(
    partitions_def=MONTHS,
    group_name="embeddings",
    kinds={"parquet"},
    ins={"cleaned_posts": columns("post_id")},
)
def multimodal_embeddings(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    cleaned_posts: pd.DataFrame,
    text_embeddings: pa.Table,
    image_embeddings: pa.Table,
) -> dg.MaterializeResult:
    """Text and mean picture vector of each post side by side, L2-normalised; ``has_*`` say what was there.

    Where one model encodes both in one space, ``joint_vector`` is their unit mean beside it.
    """
    from fashion_assets.encoders.multimodal import combine

    table = combine(
        text_embeddings,
        image_embeddings,
        cleaned_posts["post_id"].tolist(),
        month_of_key(context.partition_key),
        text_weight=settings.text_weight,
        image_weight=settings.image_weight,
    )
    both = np.logical_and(table["has_text"].to_numpy(), table["has_image"].to_numpy())
    return dg.MaterializeResult(
        value=table,
        metadata={
            "posts": table.num_rows,
            "with_text": int(table["has_text"].to_numpy().sum()),
            "with_picture": int(table["has_image"].to_numpy().sum()),
            "with_both": int(both.sum()),
            "joint": "yes" if "joint_vector" in table.column_names else "no",
            "weights": f"text {settings.text_weight:g}, picture {settings.image_weight:g}",
        },
    )


def _counts(table: pa.Table, encoded: "EncodeResult") -> dict[str, str | int]:
    return {
        "model_id": table.schema.metadata[MODEL_ID_KEY].decode(),
        "dimension": table.schema.field("vector").type.list_size,
        "new": encoded.new,
        "reused": encoded.reused,
    }
