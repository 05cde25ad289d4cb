"""Decoding: every kind that crawls hold, upright and small, and every refusal with its sentence."""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashion_assets.media.decoding import decode_cut_out, decode_image
from fashion_assets.media.errors import MediaError
from fashion_assets.media.kinds import KINDS, SUFFIXES, detect_kind, is_video_name
from fashion_assets.storage.errors import UserError


def scene(width: int = 120, height: int = 90) -> Image.Image:
    """A smooth picture whose four corners differ."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * x / width, 255 * y / height, 60 + 0 * x], axis=2)
    return Image.fromarray(rgb.astype(np.uint8), "RGB")


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("jpg", "JPEG"),
        ("png", "PNG"),
        ("webp", "WEBP"),
        ("gif", "GIF"),
        ("bmp", "BMP"),
        ("tiff", "TIFF"),
        ("avif", "AVIF"),
    ],
)
def test_every_kind_is_read(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"a.{suffix}"
    scene().save(path, kind)
    image = decode_image(path)
    assert image.rgb.shape == (90, 120, 3)
    assert image.rgb.dtype == np.uint8
    assert (image.width, image.height) == (120, 90)
    assert image.rgb.flags.writeable
    assert np.abs(image.rgb.astype(int) - np.asarray(scene()).astype(int)).mean() < 6


def test_no_suffix_and_upper_case_are_read(tmp_path: Path) -> None:
    for name in ("picture", "picture.JPG", "picture.jpg!webp"):
        scene().save(tmp_path / name, "JPEG")
        assert decode_image(tmp_path / name).width == 120


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("max_side", [None, 40])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, max_side: int | None) -> None:
    upright = scene()
    undo = {
        2: [0],
        3: [3],
        4: [1],
        5: [5],
        6: [2],
        7: [6],
        8: [4],
    }  # the transpose that EXIF's turn takes back
    stored = upright
    for method in undo.get(orientation, []):
        stored = stored.transpose(Image.Transpose(method))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    stored.save(path, quality=95, exif=exif)
    image = decode_image(path, max_side=max_side)
    assert (image.width, image.height) == (120, 90)
    height, width = image.rgb.shape[:2]
    assert (width, height) == ((120, 90) if max_side is None else (40, 30))
    expected = np.asarray(upright.resize((width, height)))
    assert np.abs(image.rgb.astype(int) - expected.astype(int)).mean() < 6


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp"):
        options = {"lossless": True} if name.endswith("webp") else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert decode_image(tmp_path / name).rgb[10, 10].tolist() == [255, 0, 0]


def test_transparency_is_laid_on_white_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    picture = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    picture.paste((200, 10, 10, 255), (0, 0, 5, 10))
    picture.save(path)
    assert decode_image(path).rgb[0, 9].tolist() == [255, 255, 255]
    assert decode_cut_out(path)[0].tolist() == [[200, 10, 10, 255]] * 5 + [[0, 0, 0, 0]] * 5
    Image.new("RGB", (4, 4)).save(tmp_path / "whole.png")
    assert decode_cut_out(tmp_path / "whole.png").shape == (4, 4, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.full((8, 8), 32896, dtype=np.uint16))
    else:
        picture = scene(8, 8).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(path)
    image = decode_image(path)
    assert image.rgb.shape == (8, 8, 3)
    if mode == "I;16":
        assert np.all(image.rgb == 128)


def test_a_small_decode_looks_like_a_large_one(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    scene(1080, 1440).save(path, quality=90)
    small = decode_image(path, max_side=224)
    assert (small.width, small.height) == (1080, 1440)
    assert small.rgb.shape == (224, 168, 3)
    full = Image.fromarray(decode_image(path).rgb).resize((168, 224), Image.Resampling.LANCZOS)
    assert np.abs(small.rgb.astype(int) - np.asarray(full).astype(int)).mean() < 2


def saved_large(path: Path, mode: str = "RGB", **options: Any) -> Image.Image:
    """A picture of 1080 x 1440 as a JPEG file, which libjpeg can decode at reduced scale."""
    picture = scene(1080, 1440).convert(mode)
    picture.save(path, quality=90, **options)
    return picture


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("max_side", [224, 512])
def test_every_jpeg_is_the_same_at_reduced_scale(
    tmp_path: Path, mode: str, progressive: bool, max_side: int
) -> None:
    path = tmp_path / "large.jpg"
    expected = saved_large(path, mode, progressive=progressive).convert("RGB")
    small = decode_image(path, max_side=max_side)
    assert (small.width, small.height) == (1080, 1440)
    assert small.rgb.shape == (max_side, max_side * 3 // 4, 3)
    full = np.asarray(expected.resize((max_side * 3 // 4, max_side), Image.Resampling.BOX))
    assert np.abs(small.rgb.astype(int) - full.astype(int)).mean() < 2
    assert np.array_equal(decode_cut_out(path, max_side=max_side), small.rgb)


def test_reduced_scale_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    stored = saved_large(path, exif=exif)
    small = decode_image(path, max_side=256)
    assert (small.width, small.height) == (1440, 1080)
    expected = np.asarray(stored.transpose(Image.Transpose.ROTATE_270).resize((256, 192)))
    assert np.abs(small.rgb.astype(int) - expected.astype(int)).mean() < 2


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_jpeg_is_refused_at_reduced_scale(tmp_path: Path, progressive: bool) -> None:
    path = tmp_path / "cut.jpg"
    saved_large(path, progressive=progressive)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="truncated"):
        decode_image(path, max_side=256)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 300), st.sampled_from(["JPEG", "PNG"]))
def test_the_long_side_is_what_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, max_side: int, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any_size"
    Image.new("RGB", (width, height), (200, 30, 90)).save(path, kind)
    rgb = decode_image(path, max_side=max_side).rgb
    assert max(rgb.shape[:2]) == min(max_side, max(width, height))
    assert min(rgb.shape[:2]) == pytest.approx(
        min(width, height) * min(1, max_side / max(width, height)), abs=1
    )
    assert np.abs(rgb.astype(int) - (200, 30, 90)).max() < 6


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_shrunk_cut_outs_keep_their_colour_at_the_edge(tmp_path: Path, mode: str) -> None:
    cut_out = Image.new("RGBA", (900, 1200), (0, 255, 0, 0))
    cut_out.paste((200, 10, 10, 255), (301, 203, 700, 901))
    path = tmp_path / "cut.png"
    cut_out.convert(mode).save(path)
    small = decode_cut_out(path, max_side=256)
    assert small.shape == (256, 192, 4)
    seen = small[small[:, :, 3] > 30]
    assert np.abs(seen[:, :3].astype(int) - (200, 10, 10)).max() < 12
    on_white = decode_image(path, max_side=256).rgb
    assert on_white[0, 0].tolist() == [255, 255, 255]
    assert (on_white[:, :, 1].astype(int) - on_white[:, :, 0]).max() <= 1


def test_a_small_picture_is_never_enlarged(tmp_path: Path) -> None:
    scene(30, 20).save(tmp_path / "small.png")
    assert decode_image(tmp_path / "small.png", max_side=224).rgb.shape == (20, 30, 3)


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(MediaError) as raised:
        decode_image(path, **options)
    assert isinstance(raised.value, UserError)
    assert path.name in str(raised.value)
    return str(raised.value)


def test_missing_empty_and_what_is_no_file(tmp_path: Path) -> None:
    assert "is not there" in refusal(tmp_path / "gone.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(tmp_path / "empty.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert "expected a file" in refusal(tmp_path / "folder.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for a writer for ever
    assert "expected a file" in refusal(tmp_path / "pipe.jpg")
    assert "cannot be opened" in refusal(tmp_path / f"{'a' * 300}.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("max_side", [None, 32])
def test_truncated(tmp_path: Path, kind: str, share: float, max_side: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, kind)
    path = tmp_path / f"cut.{'jpg' if kind == 'JPEG' else kind.lower()}"
    path.write_bytes(data.getvalue()[: int(share * len(data.getvalue()))])
    with pytest.raises(MediaError, match=r"truncated|cannot be read"):
        decode_image(path, max_side=max_side)


def test_bytes_are_read_and_refused_like_the_file_that_held_them(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    picture.paste((200, 10, 10, 255), (0, 0, 150, 300))
    path = tmp_path / "cut.png"
    picture.save(path)
    data = path.read_bytes()
    for side in (None, 100):
        from_file = decode_cut_out(path, max_side=side)
        assert np.array_equal(decode_cut_out(data, name="cut.png", max_side=side), from_file)
        assert np.array_equal(decode_image(data, max_side=side).rgb, decode_image(path, max_side=side).rgb)
    cases = [
        (b"", "empty"),
        (data[:200], "cut|truncated"),
        (b"<html>", "HTML"),
        (png_header(9_000, 9_000), "bomb"),
    ]
    for raw, sentence in cases:
        path.write_bytes(raw)
        assert re.search(sentence, refusal(path))
        with pytest.raises(MediaError) as raised:
            decode_cut_out(raw, name="cut.png")
        assert str(raised.value) == refusal(path)
    with pytest.raises(MediaError, match=r"named like a JPEG file .* PNG"):
        decode_cut_out(data, name="shop/1.jpg")
    with pytest.raises(MediaError, match="the picture is empty"):
        decode_image(b"")


def test_many_frames_cost_what_the_first_costs(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), i % 256, dtype=np.uint8)) for i in range(600)]
    for suffix, kind in (("gif", "GIF"), ("webp", "WEBP"), ("tiff", "TIFF"), ("png", "PNG")):
        path = tmp_path / f"many.{suffix}"
        frames[7].save(path, kind, save_all=True, append_images=frames[8:])
        with Image.open(path) as opened:
            assert getattr(opened, "n_frames", 1) > 100
        # The limit is on one frame: the number of frames adds nothing to it.
        image = decode_image(path, max_pixels=64)
        assert (image.width, image.height) == (8, 8)
        assert abs(int(image.rgb[4, 4, 0]) - 7) <= 3


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_a_chunk_that_unpacks_to_much_is_refused(tmp_path: Path, kind: bytes) -> None:
    whole = io.BytesIO()
    scene().save(whole, "PNG")
    data = kind + b"x\0\0" + zlib.compress(b"\0" * 20_000_000, 9)
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    raw = whole.getvalue()
    (tmp_path / "bomb.png").write_bytes(raw[:33] + chunk + raw[33:])
    assert "too large" in refusal(tmp_path / "bomb.png")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged tags and goes on
@pytest.mark.parametrize(
    "options",
    [
        {"icc_profile": b"rubbish" * 100},
        {"exif": b"Exif\0\0MM\0*" + b"\xff" * 40},
        {"exif": b"Exif\0\0rubbish"},
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0"},  # turn 99
    ],
)
def test_damaged_notes_beside_the_pixels_do_no_harm(tmp_path: Path, options: dict[str, bytes]) -> None:
    path = tmp_path / "noted.jpg"
    scene().save(path, quality=95, **options)
    image = decode_image(path)
    assert (image.width, image.height) == (120, 90)
    assert np.abs(image.rgb.astype(int) - np.asarray(scene()).astype(int)).mean() < 3


def test_the_first_picture_of_a_phone_s_file_of_several(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (120, 90))])
    image = decode_image(tmp_path / "a.jpg")
    assert np.abs(image.rgb.astype(int) - np.asarray(scene()).astype(int)).mean() < 6


@pytest.mark.parametrize(("value", "grey"), [(np.nan, 0), (np.inf, 0), (-5.0, 0), (1.0, 255)])
def test_deep_greys_that_are_no_numbers(tmp_path: Path, value: float, grey: int) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((6, 6), value, dtype=np.float32)).save(path)
    assert np.all(decode_image(path).rgb == grey)


def heic_bytes(picture: Image.Image, **options: Any) -> bytes:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed; pip install pillow-heif")
    heif.register_heif_opener()
    data = io.BytesIO()
    picture.save(data, "HEIF", quality=90, **options)
    return data.getvalue()


@pytest.mark.parametrize(("mode", "kind"), [("I;16", np.uint16), ("I", np.int32), ("F", np.float32)])
def test_deep_greys_of_many_rows_share_one_range(tmp_path: Path, mode: str, kind: Any) -> None:
    """They are spread some rows at a time, which must not show: the brightest row may be the last."""
    values = np.linspace(0, 40_000, 700).repeat(3).reshape(700, 3).astype(kind)
    path = tmp_path / "deep.tiff"
    Image.fromarray(values).save(path)
    top = 65535.0 if mode == "I;16" else 40_000.0
    expected = np.clip(values.astype(np.float64) * (255.0 / top), 0, 255).astype(np.uint8)
    assert (decode_image(path).rgb == expected[..., None]).all()


def test_heic(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    data = heic_bytes(scene(512, 384))
    path.write_bytes(data)
    image = decode_image(path, max_side=128)
    assert (image.width, image.height) == (512, 384)
    assert image.rgb.shape == (96, 128, 3)
    expected = np.asarray(scene(512, 384).resize((128, 96)))
    assert np.abs(image.rgb.astype(int) - expected.astype(int)).mean() < 4
    assert "bomb" in refusal(path, max_pixels=1000)
    for share in (0.2, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        assert "HEIC" in refusal(path)
    (tmp_path / "phone.jpg").write_bytes(data)
    assert "holds the bytes of a HEIC file" in refusal(tmp_path / "phone.jpg")


def test_a_turned_heic_is_upright_as_the_library_gives_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.heic"
    path.write_bytes(heic_bytes(scene(), exif=exif))
    image = decode_image(path)
    with Image.open(path) as opened:  # the turn is in the pixels already, and must not be made twice
        assert (image.width, image.height) == opened.size
        assert np.array_equal(image.rgb, np.asarray(opened.convert("RGB")))


def test_without_the_library_a_heic_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert 'pip install "fashion-assets[heic]"' in refusal(path)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    for size in ((8_000, 8_000), (60_000, 60_000)):  # above our limit, and above Pillow's own
        path.write_bytes(png_header(*size))
        assert "decompression bomb" in refusal(path)
    path.write_bytes(png_header(200, 200))
    assert "at most" in refusal(path, max_pixels=10_000)


def test_wrong_type_behind_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    scene().save(path, "PNG")
    assert "named like a JPEG file but holds the bytes of a PNG file" in refusal(path)
    path.write_bytes(b"\n<!DOCTYPE html><html><body>403</body></html>")
    assert "HTML" in refusal(path)
    path.write_bytes("请登录后查看".encode() * 20)
    assert "text" in refusal(path)
    path.write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 64)
    assert "MP4" in refusal(path)
    path.write_bytes(bytes(range(200, 256)))
    assert "no known kind" in refusal(path)


def test_not_a_picture_without_a_telling_suffix(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("hello")
    assert "not a picture" in refusal(tmp_path / "notes")
    (tmp_path / "noise").write_bytes(bytes(range(200, 256)))
    assert "of no known kind" in refusal(tmp_path / "noise")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_have_a_kind_or_none(header: bytes) -> None:
    assert detect_kind(header) in {*KINDS, None}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged tags, and goes on or raises
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]), st.data())
def test_damaged_bytes_are_decoded_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    whole = io.BytesIO()
    scene(24, 18).save(whole, kind)
    raw = bytearray(whole.getvalue())
    for _ in range(data.draw(st.integers(1, 12))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        assert decode_image(path, max_pixels=1_000_000).rgb.ndim == 3
    except MediaError as fault:
        assert "damaged" in str(fault)


def test_suffixes_name_known_kinds() -> None:
    assert {kind for kinds in SUFFIXES.values() for kind in kinds} <= set(KINDS)
    assert is_video_name("a.MP4")
    assert not is_video_name("a.jpg")
    assert not is_video_name("noname")


def write_video(path: Path, seconds: int = 4, fps: int = 10) -> None:
    """A clip whose frames grow brighter from black to white."""
    av = pytest.importorskip("av", reason="PyAV is not installed; pip install av")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(seconds * fps):
            pixels = np.full((48, 64, 3), round(255 * i / (seconds * fps)), dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
