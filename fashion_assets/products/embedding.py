"""Picture and text vectors of products, each content encoded once."""

from __future__ import annotations

import logging
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.content import content_hashes
from fashion_assets.encoders.pictures import PackedPicture
from fashion_assets.media.decoding import DECODING
from fashion_assets.media.errors import MediaError
from fashion_assets.products.pictures import ProductImages, nameless, open_product_images
from fashion_assets.products.vectors import ProductVectors, join_vectors

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddedProducts:
    """``vectors`` and how they came: texts and pictures ``new``, ``reused``, and pictures ``unreadable``."""

    vectors: ProductVectors
    new: int
    reused: int
    unreadable: int


def embed_products(
    products: pd.DataFrame,
    folder: Path,
    *,
    text_encoder: Encoder,
    image_encoder: Encoder,
    cache: EmbeddingCache,
) -> EmbeddedProducts:
    """The vectors of ``products`` in order; a product without picture or text has zeros there, and so has one whose
    picture cannot be read, with a warning that says why.

    ``folder`` holds the pictures that ``image_path`` names, loose or in a zip.
    """
    ids = products["id"].astype(str).tolist()
    texts = products["text"].fillna("").tolist()
    encoded_texts = cache.encode_missing(text_encoder, content_hashes(texts), texts)
    shown = np.flatnonzero(products["image_path"].notna().to_numpy())
    paths = products["image_path"].iloc[shown].tolist()
    # The decoding counts as well as the file: other pixels are another picture to an encoder.
    digests = products["image_digest"].iloc[shown]
    hashes = content_hashes([f"product:{digest}:decoding {DECODING}" for digest in digests])
    with open_product_images(folder) as images:
        packed = [_packed(images, path) for path in paths]
        encoded_images = cache.encode_missing(image_encoder, hashes, packed)
    for index, reason in encoded_images.refused.items():
        logger.warning("product %s goes without its picture %s: %s", ids[shown[index]], paths[index], reason)
    pictures = np.zeros((len(ids), encoded_images.vectors.shape[1]), np.float32)
    pictures[shown] = encoded_images.vectors
    vectors = join_vectors(
        ids,
        pictures,
        encoded_texts.vectors,
        image_model_id=image_encoder.model_id,
        text_model_id=text_encoder.model_id,
    )
    return EmbeddedProducts(
        vectors,
        encoded_texts.new + encoded_images.new,
        encoded_texts.reused + encoded_images.reused,
        len(encoded_images.refused),
    )


def _packed(images: ProductImages, path: str) -> PackedPicture:
    def read() -> bytes:
        try:
            return images.read(path)
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
            # RuntimeError: the entry is encrypted; NotImplementedError: a compression zipfile does not know.
            raise MediaError(f"the picture {path} cannot be read ({error}); put a good copy there") from error

    return PackedPicture(nameless(path), read)
