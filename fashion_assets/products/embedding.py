"""Picture and text vectors of products, each content encoded once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.content import content_hashes
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.vectors import ProductVectors, join_vectors

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder

#: Product pictures are decoded to at most this long side; the encoders take 224 or less.
LONG_SIDE = 256


def embed_products(
    products: pd.DataFrame,
    folder: Path,
    *,
    text_encoder: Encoder,
    image_encoder: Encoder,
    cache: EmbeddingCache,
) -> tuple[ProductVectors, int, int]:
    """(vectors of ``products`` in order, newly encoded, reused); a product without picture or text has zeros
    there.

    ``folder`` holds the pictures that ``image_path`` names, loose or in a zip.
    """
    ids = products["id"].astype(str).tolist()
    texts = products["text"].fillna("").tolist()
    encoded_texts = cache.encode_missing(text_encoder, content_hashes(texts), texts)
    shown = np.flatnonzero(products["image_path"].notna().to_numpy())
    paths = products["image_path"].iloc[shown].tolist()
    hashes = content_hashes([f"product:{digest}" for digest in products["image_digest"].iloc[shown]])
    with open_product_images(folder) as images:

        def decode(indices: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
            return [_decode(images.read(paths[index])) for index in indices]

        encoded_images = cache.encode_missing(image_encoder, hashes, decode)
    pictures = np.zeros((len(ids), encoded_images.vectors.shape[1]), np.float32)
    pictures[shown] = encoded_images.vectors
    vectors = join_vectors(
        ids,
        pictures,
        encoded_texts.vectors,
        image_model_id=image_encoder.model_id,
        text_model_id=text_encoder.model_id,
    )
    return vectors, encoded_texts.new + encoded_images.new, encoded_texts.reused + encoded_images.reused


def _decode(content: bytes) -> npt.NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        picture.draft("RGB", (LONG_SIDE, LONG_SIDE))
        rgb = picture.convert("RGB")
        rgb.thumbnail((LONG_SIDE, LONG_SIDE))
        return np.asarray(rgb)
