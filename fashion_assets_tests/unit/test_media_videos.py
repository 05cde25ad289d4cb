"""Videos: the frame that is seen at each quarter, upright, and every refusal with its sentence."""

from __future__ import annotations

import io
import os
import re
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fashion_assets.media.decoding import decode_image
from fashion_assets.media.errors import MediaError
from fashion_assets.media.videos import decode_video_frames
from fashion_assets_tests.unit.test_media_decoding import scene, write_video

av = pytest.importorskip("av", reason="PyAV is not installed; pip install av")


def encode(
    target: Any,
    pictures: list[npt.NDArray[np.uint8]],
    *,
    codec: str = "mpeg4",
    rate: int = 10,
    at: Callable[[int], int] = lambda i: i,
    **options: Any,
) -> None:
    """A video of the pictures, number i shown from tick ``at(i)`` of a ``rate``-th second on."""
    with av.open(target, "w", **options) as out:
        quick = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        stream = out.add_stream(codec, rate=rate, options=quick)
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        stream.gop_size = rate
        for i, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = at(i), Fraction(1, rate)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def grey(*levels: float) -> list[npt.NDArray[np.uint8]]:
    """One picture per level (0-1), with grain in its upper quarter so that the files are not tiny."""
    grain = np.random.default_rng(0).integers(0, 256, (24, 128, 3), dtype=np.uint8)
    pictures = [np.full((96, 128, 3), round(255 * level), dtype=np.uint8) for level in levels]
    for picture in pictures:
        picture[:24] = grain
    return pictures


def ramp(n: int) -> list[npt.NDArray[np.uint8]]:
    return grey(*(i / n for i in range(n)))


def levels(path: Path, **options: Any) -> list[float]:
    return [
        float(frame.rgb[len(frame.rgb) // 2 :].mean()) / 255 for frame in decode_video_frames(path, **options)
    ]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(MediaError) as raised:
        decode_video_frames(path, **options)
    assert path.name in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
def test_frames_at_the_quarters(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    write_video(path)
    frames = decode_video_frames(path, max_side=32)
    assert [frame.rgb.shape for frame in frames] == [(24, 32, 3)] * 3
    assert (frames[0].width, frames[0].height) == (64, 48)
    seen = [float(frame.rgb.mean()) / 255 for frame in frames]
    np.testing.assert_allclose(seen, [0.25, 0.5, 0.75], atol=0.06)


def test_webm(tmp_path: Path) -> None:
    encode(str(tmp_path / "clip.webm"), ramp(40), codec="libvpx")
    np.testing.assert_allclose(levels(tmp_path / "clip.webm"), [0.25, 0.5, 0.75], atol=0.04)


def test_of_a_slide_show_what_is_on_the_screen_is_taken(tmp_path: Path) -> None:
    # Three stills of five seconds: at 3.75, 7.5 and 11.25 s each of them is seen once.
    for name, codec in (("slides.mp4", "mpeg4"), ("slides.webm", "libvpx")):
        stills = grey(0.2, 0.5, 0.8)
        encode(
            str(tmp_path / name),
            [*stills, stills[2]],
            codec=codec,
            rate=10,
            at=lambda i: (0, 50, 100, 149)[i],
        )
        np.testing.assert_allclose(levels(tmp_path / name), [0.2, 0.5, 0.8], atol=0.05)


def test_without_a_length_in_the_header_it_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "recorded.webm"
    encode(str(path), ramp(40), codec="libvpx", options={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None and container.streams.video[0].duration is None
    np.testing.assert_allclose(levels(path), [0.25, 0.5, 0.75], atol=0.04)
    assert "minutes long" in refusal(path, max_seconds=2)


def test_a_phone_s_turn_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    pixels = np.asarray(scene(64, 48))
    encode(str(path), [pixels] * 8)
    raw = bytearray(path.read_bytes())
    matrix = raw.index(b"tkhd") + 4 + 40  # version, times, id, duration, reserved, layer, group, volume
    clockwise = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    assert struct.unpack(">9i", raw[matrix : matrix + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    raw[matrix : matrix + 36] = clockwise
    path.write_bytes(raw)
    frame = decode_video_frames(path)[0]
    assert (frame.width, frame.height) == (48, 64)
    expected = np.rot90(pixels, -1)
    assert np.abs(frame.rgb.astype(int) - expected.astype(int)).mean() < 6


@pytest.mark.parametrize("name", ["cut.mp4", "cut.webm"])
@pytest.mark.parametrize("share", [0.4, 0.6])
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    options = (
        {"codec": "mpeg4", "options": {"movflags": "faststart"}} if name == "cut.mp4" else {"codec": "libvpx"}
    )
    encode(str(path), ramp(120), **options)
    levels(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    assert "fetch it again" in refusal(path)


def test_cut_before_its_header_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path)
    path.write_bytes(path.read_bytes()[:300])
    assert "cannot be read" in refusal(path)


def test_one_bad_moment_refuses_the_video(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    encode(str(path), ramp(120))
    raw = bytearray(path.read_bytes())
    start, end = raw.index(b"mdat") + 4, raw.index(b"moov")
    middle = (start + end) // 2
    raw[middle - 2000 : middle + 2000] = (
        np.random.default_rng(1).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    )
    path.write_bytes(raw)
    assert "fetch it again" in refusal(path)
    assert len(decode_video_frames(path, fractions=(0.1,))) == 1


def test_too_long_too_large_and_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path)
    assert "minutes long" in refusal(path, max_seconds=1)
    assert "decompression bomb" in refusal(path, max_pixels=100)
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            out.mux(packet)
    assert "only sound" in refusal(sound)


@pytest.mark.parametrize("first", [(64, 48), (640, 480)])
def test_a_frame_larger_than_its_header_says_is_not_decoded(tmp_path: Path, first: tuple[int, int]) -> None:
    path = tmp_path / "bomb.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i, size in enumerate([first] * 2 + [(640, 480)] * 6):
            jpeg = io.BytesIO()
            scene(*size).save(jpeg, "JPEG")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, Fraction(1, 10)
            packet.is_keyframe = True
            out.mux(packet)
    assert decode_video_frames(path)[2].width == 640
    assert re.search("cannot be read|decompression bomb", refusal(path, max_pixels=100_000))


def test_what_is_no_video(tmp_path: Path) -> None:
    scene().save(tmp_path / "picture", "PNG")
    assert "not a video" in refusal(tmp_path / "picture")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    assert "holds the bytes of a text file" in refusal(tmp_path / "list.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert "0 bytes" in refusal(tmp_path / "empty.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "expected a file" in refusal(tmp_path / "pipe.mp4")
    data = io.BytesIO()
    encode(data, ramp(8), format="mp4")
    (tmp_path / "clip.jpg").write_bytes(data.getvalue())
    with pytest.raises(MediaError, match="holds the bytes of a MP4"):
        decode_image(tmp_path / "clip.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "still.mp4", "PNG")
    assert "holds the bytes of a PNG" in refusal(tmp_path / "still.mp4")


def test_without_pyav_the_refusal_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 64)
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install av" in refusal(path)


@pytest.mark.parametrize(("limit", "most"), [("_MAX_STEPS", 1), ("_MAX_STEP_PIXELS", 96 * 128)])
def test_a_video_without_key_frames_near_the_wanted_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """Also by pixels: frames in which nothing changes are some bytes, and as large as frames may be."""
    write = tmp_path / "long.mp4"
    encode(write, grey(*np.linspace(0, 1, 45)), rate=10)
    assert len(decode_video_frames(write)) == 3
    monkeypatch.setattr(f"fashion_assets.media.videos.{limit}", most)
    with pytest.raises(MediaError, match="has no key frame among the 1 frames before"):
        decode_video_frames(write)
