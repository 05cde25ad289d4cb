"""Which encoders a product model has, and where their files lie in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from fashion_assets.products.model_encoders import (
    EncoderEntry,
    copy_encoder,
    encoder_folders,
    encoder_places,
    with_colours,
)
from fashion_assets.settings import Settings


@pytest.mark.parametrize(
    ("named", "image", "expected"),
    [
        ("", "local:visual", ("local:visual",)),
        ("", "onnx:net.onnx", ("onnx:net.onnx", "local:visual")),
        ("onnx:a.onnx, timm:b,onnx:a.onnx", "onnx:net.onnx", ("onnx:a.onnx", "timm:b")),
    ],
)
def test_pictures_of_products_are_read_by_a_network_beside_the_colours(
    named: str, image: str, expected: tuple[str, ...]
) -> None:
    assert Settings(product_image_encoders=named, image_encoder=image).product_pictures == expected
    assert with_colours("a", "local:visual") == ("a", "local:visual")


def test_equal_encoders_share_a_place() -> None:
    assert encoder_places("words:w", ("onnx:a", "local:visual"), "words:w") == [
        ("text", "words:w", "text"),
        ("image", "onnx:a", "image0"),
        ("image", "local:visual", "image1"),
        ("words", "words:w", "text"),
    ]


def test_a_copy_lies_in_a_folder_of_its_content(tmp_path: Path) -> None:
    root, words = tmp_path / "model", tmp_path / "made.vec"
    words.write_text("1 1\na 1\n", "utf-8")
    first = copy_encoder(root, "text", f"words:{words}", None)
    assert first == copy_encoder(root, "text", "words:made.vec", tmp_path)
    words.write_text("1 1\na 2\n", "utf-8")
    second = copy_encoder(root, "text", f"words:{words}", None)
    assert first and second and first != second
    assert (root / first.removeprefix("words:")).read_text("utf-8") == "1 1\na 1\n"
    inside = copy_encoder(root, "words", f"words:{root / second.removeprefix('words:')}", None)
    assert inside == second and len(list((root / "encoders").iterdir())) == 2
    assert copy_encoder(root, "image0", "local:visual", None) is None
    assert copy_encoder(root, "image0", "hf:somebody/network", None) is None


def test_the_output_of_a_network_stays_named(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"weights")
    copied = copy_encoder(tmp_path / "model", "image0", f"onnx:{tmp_path / 'net.onnx'}#features", None)
    assert copied and copied.startswith("onnx:encoders/image0-") and copied.endswith("/net.onnx#features")
    entries = [
        EncoderEntry("image", copied, "net@1", True),
        EncoderEntry("text", "local:cbow:encoders/own_words/cbow.safetensors", "local:cbow@1", True),
        EncoderEntry("words", "words:/elsewhere/made.vec", "words:made@1", False),
    ]
    assert encoder_folders(entries) == {copied.split("/")[1], "own_words"}
