"""Vectors of products from the registry's encoders, each content encoded once."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache, EncodeResult
from fashion_assets.encoders.content import content_hashes
from fashion_assets.encoders.pictures import PackedPicture
from fashion_assets.encoders.rows import unit_rows
from fashion_assets.media.decoding import DECODING
from fashion_assets.media.errors import MediaError
from fashion_assets.products.picture_facts import Progress
from fashion_assets.products.pictures import ProductImages, nameless, open_product_images
from fashion_assets.products.text import characteristic_keys
from fashion_assets.products.vectors import ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder

logger = logging.getLogger(__name__)

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EmbeddedProducts:
    """``vectors`` and how they came: contents encoded ``new`` and ``reused``; ``unreadable`` are the ids of products
    whose picture could not be read, with the reason.
    """

    vectors: ProductVectors
    new: int
    reused: int
    unreadable: dict[str, str]


def embed_products(
    products: pd.DataFrame,
    source: Path,
    *,
    text_encoder: Encoder | None = None,
    image_encoders: Sequence[Encoder] = (),
    word_encoder: Encoder | None = None,
    cache: EmbeddingCache,
    progress: Progress | None = None,
) -> EmbeddedProducts:
    """The vectors of ``products`` in order, in blocks: ``image``; ``text`` (title, description and characteristics
    together, cleaned, as one text); with a ``word_encoder`` also ``shop`` (its name) and ``characteristics`` (their
    keys alone), for which averaged word vectors are meant (``local:cbow``, ``words:<file>``).

    A block is as wide as its encoders' vectors, whatever the products have; of several image encoders each has the
    same weight. A product has zeros for what it lacks, and for a picture that cannot be read, with a warning that
    says why. ``source`` is the folder or zip with the pictures that ``image_path`` names.
    """
    ids = products["id"].astype(str).tolist()
    blocks: dict[str, Float32Array] = {}
    models: dict[str, str] = {}
    parts: dict[str, tuple[int, ...]] = {}
    results: list[EncodeResult] = []
    unreadable: dict[str, str] = {}
    if image_encoders:
        rows = np.flatnonzero(products["image_path"].notna().to_numpy())
        results += _encode_pictures(products.iloc[rows], source, image_encoders, cache, progress)
        widths = tuple(encoder.dim for encoder in image_encoders)
        parts = {"image": widths} if len(widths) > 1 else {}
        blocks["image"] = np.zeros((len(ids), sum(widths)), np.float32)
        blocks["image"][rows] = np.hstack([unit_rows(one.vectors) for one in results])
        models["image"] = "+".join(encoder.model_id for encoder in image_encoders)
        unreadable = {ids[rows[row]]: reason for row, reason in results[0].refused.items()}
        for name, reason in unreadable.items():
            logger.warning("product %s goes without its picture: %s", name, reason)
    for block, encoder, contents in (
        ("text", text_encoder, _column(products, "text")),
        ("shop", word_encoder, _column(products, "shop")),
        ("characteristics", word_encoder, [_keys(one) for one in _column(products, "characteristics")]),
    ):
        if encoder is not None:
            found = cache.encode_missing(encoder, content_hashes(contents), contents)
            results.append(found)
            blocks[block], models[block] = found.vectors, encoder.model_id
            if progress is not None:
                progress(f"{block} vectors", len(ids), len(ids))
    return EmbeddedProducts(
        join_vectors(ids, blocks, model_ids=models, parts=parts),
        sum(one.new for one in results),
        sum(one.reused for one in results),
        unreadable,
    )


def _column(products: pd.DataFrame, name: str) -> list[str]:
    return products[name].fillna("").tolist() if name in products else [""] * len(products)


def _keys(characteristics: str) -> str:
    return characteristic_keys(json.loads(characteristics)) if characteristics else ""


def _encode_pictures(
    shown: pd.DataFrame,
    source: Path,
    encoders: Sequence[Encoder],
    cache: EmbeddingCache,
    progress: Progress | None,
) -> list[EncodeResult]:
    """What each encoder made of the products, all of which have a picture."""
    # The decoding counts as well as the file: other pixels are another picture to an encoder.
    hashes = content_hashes([f"product:{digest}:decoding {DECODING}" for digest in shown["image_digest"]])
    results: list[EncodeResult] = []
    with open_product_images(source) as images:
        for encoder in encoders:
            words, read = f"image vectors by {encoder.model_id.partition('@')[0]}", itertools.count(1)

            def tell(words: str = words, read: Iterator[int] = read) -> None:
                if progress is not None:
                    progress(words, next(read), len(shown))

            packed = [packed_picture(images, path, tell) for path in shown["image_path"]]
            results.append(cache.encode_missing(encoder, hashes, packed))
            if progress is not None:
                progress(words, len(shown), len(shown))
    return results


def packed_picture(
    images: ProductImages, relative: str, when_read: Callable[[], None] | None = None
) -> PackedPicture:
    """The picture at ``relative``, read only when an encoder asks; one that cannot be read raises MediaError then."""

    def read() -> bytes:
        if when_read is not None:
            when_read()
        try:
            return images.read(relative)
        except UserError as error:
            raise MediaError(str(error)) from error

    return PackedPicture(nameless(relative), read)
