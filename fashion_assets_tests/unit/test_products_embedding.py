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
            products, tmp_path / "shop", text_encoder=Lengths(), image_encoder=visual, cache=cache
        )

    first = embed()
    vectors = first.vectors
    assert vectors.has_image.tolist() == [True, True, True, False, False]
    assert vectors.has_text.tolist() == [True, True, False, True, True]
    assert (first.new, first.reused, first.unreadable) == (5 + 3, 0, 1)
    assert "product d goes without its picture more.zip/d.jpg: more.zip/d" in caplog.text
    alone = visual.encode([tmp_path / "shop/images/a.jpg"])[0]
    row = vectors.matrix[0, : vectors.image_width]
    np.testing.assert_allclose(row / np.linalg.norm(row), alone, atol=1e-6)
    decoded.clear()
    again = embed()
    assert (again.new, again.reused, decoded) == (0, 8, ["more.zip/d"])
    np.testing.assert_array_equal(again.vectors.matrix, vectors.matrix)
