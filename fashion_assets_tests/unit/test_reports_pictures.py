"""Tiles and montage: exact size, nothing above a garment, a neutral tile for a failure, no empty boxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_assets.reports.fonts import LabelFont, find_han_font, readable_label
from fashion_assets.reports.montage import GAP, LABEL_HEIGHT, MARGIN, MontageRow, montage_png
from fashion_assets.reports.pictures import GROUND, Thumb, load_thumbnail, placeholder, shrink
from fashion_assets_tests.unit.test_reports_demo import draw_crop

RED, BLUE = (220, 30, 30), (30, 30, 220)


def pixels(thumb: Thumb) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(thumb.jpeg)).convert("RGB")).astype(int)


def test_crop_lies_on_plain_ground_at_the_exact_size(tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    draw_crop(path, 1)
    thumb = load_thumbnail(path)
    assert (thumb.width, thumb.height, thumb.missing, thumb.image_id) == (96, 128, False, "crop.png")
    assert pixels(thumb).shape == (128, 96, 3)
    assert np.abs(pixels(thumb)[2, 2] - GROUND).max() <= 4
    assert thumb.data_uri.startswith("data:image/jpeg;base64,")


def test_hidden_colours_of_a_transparent_picture_do_not_show(tmp_path: Path) -> None:
    rgba = np.zeros((60, 60, 4), np.uint8)
    rgba[..., :3] = RED
    rgba[20:40, 20:40] = (*BLUE, 255)
    Image.fromarray(rgba).save(tmp_path / "crop.webp", lossless=True, exact=True)
    tile = pixels(load_thumbnail(tmp_path / "crop.webp"))
    assert not ((tile[..., 0] > 200) & (tile[..., 1] < 120)).any()
    assert ((tile[..., 2] > 180) & (tile[..., 0] < 90)).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3)])
def test_odd_shapes_fit(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGBA", size, (*RED, 255)).save(tmp_path / "odd.png")
    assert pixels(load_thumbnail(tmp_path / "odd.png", (40, 50))).shape == (50, 40, 3)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, None])
def test_missing_and_broken_files_give_the_neutral_tile(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    thumb = load_thumbnail(path, image_id="p/x.png")
    assert thumb == placeholder("p/x.png")
    assert thumb.missing


def test_cut_off_picture_and_folder_give_the_neutral_tile(tmp_path: Path) -> None:
    draw_crop(tmp_path / "whole.png", 2)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    assert load_thumbnail(tmp_path / "cut.png").missing
    assert load_thumbnail(tmp_path).missing


def test_too_large_picture_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashion_assets.reports.pictures.MAX_PIXELS", 99)
    Image.new("RGB", (10, 10)).save(tmp_path / "big.png")
    assert load_thumbnail(tmp_path / "big.png").missing


def test_shrink_keeps_small_pictures_and_bounds_large_ones() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (500, 400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95)
    heavy = Thumb(buffer.getvalue(), "a", 400, 500)
    assert len(shrink(heavy, 60_000).jpeg) <= 60_000
    assert shrink(placeholder("a"), 60_000) == placeholder("a")


def test_montage_has_rows_of_ten_and_fills_gaps() -> None:
    tile = Image.new("RGB", (96, 128), BLUE)
    buffer = io.BytesIO()
    tile.save(buffer, "JPEG")
    blue = Thumb(buffer.getvalue(), "b")
    broken = Thumb(b"", "broken")
    rows = [MontageRow(f"风格 {i}", [blue] * n, f"Style {i}") for i, n in enumerate((10, 3, 0, 25))]
    png = montage_png([*rows, MontageRow("x", [broken])])
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    assert picture.width == 2 * MARGIN + 10 * 96 + 9 * GAP
    array = np.asarray(picture).astype(int)

    def is_blue(row: int, column: int) -> bool:
        y = MARGIN + row * (LABEL_HEIGHT + 128 + 2 * GAP) + LABEL_HEIGHT + 20
        red, _, blue_ = array[y, MARGIN + column * (96 + GAP) + 20]
        return bool(blue_ > 180 and red < 90)

    assert [sum(is_blue(row, column) for column in range(10)) for row in range(5)] == [10, 3, 0, 10, 0]
    assert Image.open(io.BytesIO(montage_png([]))).format == "PNG"


def test_other_tile_shapes_are_not_stretched() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (50, 50), RED).save(buffer, "JPEG")
    png = montage_png([MontageRow("wide", [Thumb(buffer.getvalue(), "w", 50, 50)])], columns=1)
    assert Image.open(io.BytesIO(png)).size == (2 * MARGIN + 96, 2 * MARGIN + LABEL_HEIGHT + 128)


def test_labels_without_a_han_font_fall_back_to_ascii() -> None:
    assert readable_label("新中式 12.3%", "Style 4, 12.3%", None) == "Style 4, 12.3%"
    assert readable_label("clean fit", "Style 4", None) == "clean fit"
    assert readable_label("新中式", "风格", None) == "unnamed"
    assert readable_label("", "Style 9", None) == "Style 9"


def test_labels_drop_what_the_font_cannot_draw() -> None:
    font = LabelFont(Path("made-up.ttf"), 0, frozenset(map(ord, "新中式 0123456789%.")))
    assert readable_label("新中式🍂 12.3%", "Style 4", font) == "新中式 12.3%"
    assert readable_label("芭蕾风 🍂🍂", "Style 4", font) == "Style 4"


def test_found_font_really_draws_han() -> None:
    font = find_han_font()
    if font is None:
        pytest.skip("no font with Han glyphs is installed here")
    from PIL import ImageFont

    face = ImageFont.truetype(str(font.path), 20, index=font.face)
    assert bytes(face.getmask("穿")) != bytes(face.getmask("搭"))
    assert readable_label("美拉德 穿搭", "Style 1", font) == "美拉德 穿搭"
