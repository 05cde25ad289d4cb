"""Picture items as pixels: files, files in archives, arrays; what lies behind transparency; refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.pictures import (
    DECODE_SIDE,
    PackedPicture,
    is_picture,
    picture_on_white,
    picture_pixels,
)
from fashion_assets.media.decoding import decode_cut_out
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def test_every_shade_and_alpha_is_blended_onto_white_to_the_nearest_value() -> None:
    shade, alpha = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.stack([shade, shade, shade, alpha], axis=2).astype(np.uint8)
    exact = (shade * alpha + 255.0 * (255 - alpha)) / 255
    np.testing.assert_array_equal(picture_on_white(rgba), np.stack([np.rint(exact)] * 3, axis=2))


def test_a_file_an_archive_and_an_array_give_the_same_pixels(tmp_path: Path) -> None:
    pixels = noise((20, 30, 4))
    path = tmp_path / "cut.png"
    Image.fromarray(pixels).save(path)
    packed = PackedPicture("zip/cut.png", path.read_bytes)
    for item in (path, packed, pixels):
        assert is_picture(item)
        np.testing.assert_array_equal(picture_pixels(item), pixels)
    assert item_list([packed], "x") == [packed]
    with pytest.raises(UserError, match="put a single item into a list"):
        item_list(packed, "x")


def test_large_files_come_as_media_decodes_them_and_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise((600, 900, 3))).save(tmp_path / "phone.jpg", exif=exif)
    pixels = picture_pixels(tmp_path / "phone.jpg")
    assert pixels.shape == (DECODE_SIDE, 341, 3)
    np.testing.assert_array_equal(pixels, decode_cut_out(tmp_path / "phone.jpg", max_side=DECODE_SIDE))
    assert picture_pixels(tmp_path / "phone.jpg", max_side=90).shape == (90, 60, 3)
    Image.fromarray(noise((3, 5))).save(tmp_path / "grey.png")
    assert picture_on_white(tmp_path / "grey.png").shape == (3, 5, 3)


def test_unreadable_files_are_refused_and_other_things_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "page.jpg").write_bytes(b"<html>404")
    Image.fromarray(noise((4, 6, 3))).save(tmp_path / "named.jpg", "PNG")
    for name, message in (
        ("broken.jpg", "broken.jpg is a JPEG file"),
        ("page.jpg", "page.jpg is named like a JPEG"),
        ("named.jpg", "holds the bytes of a PNG"),
        ("none.jpg", "none.jpg is not there"),
    ):
        with pytest.raises(MediaError, match=message):
            picture_on_white(tmp_path / name)
    for wrong in ("a.jpg", np.zeros((2, 2)), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)):
        with pytest.raises(UserError, match="picture") as error:
            picture_on_white(wrong)
        assert not isinstance(error.value, MediaError)
