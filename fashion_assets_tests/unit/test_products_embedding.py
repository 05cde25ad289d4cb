"""Vectors of products: pictures loose and in a zip, one that cannot be read, and nothing done twice."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.encoders import pictures as picture_items
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.local_visual import LocalVisualEncoder
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.embedding import embed_products


class Lengths:
    """A text encoder of two dimensions."""

    model_id, dim = "lengths@1", 2
    modality: Modality = "text"

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        rows = np.asarray([[len(item), bool(item)] for item in items], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9).astype(np.float32)


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def shop(folder: Path) -> pd.DataFrame:
    """Five products: loose, in a zip, a WebP named .jpg, one that was cut off, one without a picture."""
    contents = {
        "images/a.jpg": picture(1),
        "more.zip/b.jpg": picture(2, size=(700, 900)),
        "more.zip/c.jpg": picture(3, "WEBP"),
        "more.zip/d.jpg": picture(4)[:300],
        None: b"",
    }
    (folder / "images").mkdir(parents=True)
    (folder / "images/a.jpg").write_bytes(contents["images/a.jpg"])
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for name in "bcd":
            archive.writestr(f"{name}.jpg", contents[f"more.zip/{name}.jpg"])
    return pd.DataFrame(
        {
            "id": list("abcde"),
            "text": ["red dress", "coat", "", "skirt", "hat"],
            "image_path": list(contents),
            "image_digest": [hashlib.sha256(content).hexdigest() for content in contents.values()],
        }
    )


def test_one_bad_picture_costs_its_own_vector_and_nothing_is_decoded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    products = shop(tmp_path / "shop")
    visual = LocalVisualEncoder(workers=2)
    decoded: list[Any] = []

    def counting(source: Any, **options: Any) -> Any:
        decoded.append(options.get("name"))
        return decode(source, **options)

    decode = picture_items.decode_cut_out
    monkeypatch.setattr(picture_items, "decode_cut_out", counting)

    def embed() -> Any:
        cache = EmbeddingCache(tmp_path / "cache")
        return embed_products(
            products, tmp_path / "shop", text_encoder=Lengths(), image_encoders=[visual], cache=cache
        )

    first = embed()
    vectors = first.vectors
    assert vectors.has("image").tolist() == [True, True, True, False, False]
    assert vectors.has("text").tolist() == [True, True, False, True, True]
    assert (first.new, first.reused, list(first.unreadable)) == (5 + 3, 0, ["d"])
    assert "product d goes without its picture: more.zip/d" in caplog.text
    alone = visual.encode([tmp_path / "shop/images/a.jpg"])[0]
    row = vectors.block("image")[0]
    np.testing.assert_allclose(row / np.linalg.norm(row), alone, atol=1e-6)
    decoded.clear()
    again = embed()
    assert (again.new, again.reused, decoded) == (0, 8, ["more.zip/d"])
    np.testing.assert_array_equal(again.vectors.matrix, vectors.matrix)


def test_shop_and_keys_are_blocks_of_averaged_words_and_nothing_is_encoded_twice(tmp_path: Path) -> None:
    products = pd.DataFrame(
        {
            "id": list("abc"),
            "text": ["red dress", "coat", "hat"],
            "shop": ["Mode", None, "Mode"],
            "characteristics": ['{"material": "silk", "fit": {"waist": 1}}', None, None],
            "image_path": [None] * 3,
            "image_digest": [None] * 3,
        }
    )
    cache = EmbeddingCache(tmp_path / "cache")
    found = embed_products(products, tmp_path, text_encoder=Lengths(), word_encoder=Lengths(), cache=cache)
    vectors = found.vectors
    assert vectors.blocks == {"text": slice(0, 2), "shop": slice(2, 4), "characteristics": slice(4, 6)}
    assert vectors.has("shop").tolist() == [True, False, True]
    assert vectors.has("characteristics").tolist() == [True, False, False]
    keys = len("material fit waist")
    np.testing.assert_allclose(
        vectors.block("characteristics")[0, 0] / vectors.block("characteristics")[0, 1], keys
    )
    # Three texts, one shop (and its absence, which is the empty text), one set of keys.
    assert (found.new, found.reused) == (3 + 2 + 1, 9 - 6)
    assert vectors.model_id == "text=lengths@1|shop=lengths@1|characteristics=lengths@1"


def test_several_encoders_share_the_image_block_in_equal_parts(tmp_path: Path) -> None:
    class Means:
        """Red, green and blue of a picture."""

        modality: Modality = "image"
        dim = 3

        def __init__(self, name: str) -> None:
            self.model_id = name

        def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
            rows = np.zeros((0, 3), np.float32)
            for number, item in enumerate(items):
                try:
                    pixels = np.asarray(Image.open(io.BytesIO(item.read())).convert("RGB"))
                except OSError as error:
                    assert refused is not None
                    refused[number] = str(error)
                    pixels = np.zeros((1, 1, 3), np.uint8)
                rows = np.vstack([rows, pixels.mean(axis=(0, 1)).astype(np.float32)[None]])
            return unit_rows(rows)

    products = shop(tmp_path / "shop")
    told: list[tuple[str, int, int]] = []
    found = embed_products(
        products,
        tmp_path / "shop",
        image_encoders=[Means("one@1"), Means("two@1")],
        cache=EmbeddingCache(tmp_path / "cache"),
        progress=lambda *step: told.append(step),
    )
    vectors = found.vectors
    assert vectors.model_id == "image=one@1+two@1" and vectors.matrix.shape == (5, 6)
    np.testing.assert_allclose(np.linalg.norm(vectors.matrix[0, :3]), np.sqrt(0.5), atol=1e-6)
    np.testing.assert_array_equal(vectors.matrix[:, :3], vectors.matrix[:, 3:])
    assert list(found.unreadable) == ["d"]
    assert told[-1] == ("image vectors by two", 4, 4) and ("image vectors by one", 2, 4) in told
