"""A JPEG whose few bytes paint its picture again and again is refused; what cameras and phones write is not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fashion_assets.media.decoding import decode_image
from fashion_assets.media.errors import MediaError
from fashion_assets.media.jpeg_scans import MAX_SCANS, has_too_many_scans

END = b"\xff\xd9"
#: A header as of one more scan; in a note or behind the end it is none.
LIKE_A_SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(written, "JPEG", **options)
    return written.getvalue()


def repeated(data: bytes, times: int) -> bytes:
    """``data`` with its last scan ``times`` more times."""
    last = data[data.rindex(b"\xff\xda") : -len(END)]
    return data[: -len(END)] + last * times + END


@pytest.mark.parametrize("max_side", [None, 32])
def test_a_picture_of_many_scans_is_refused(tmp_path: Path, max_side: int | None) -> None:
    """293 kB of 36 million pixels in 1,510 scans kept a core busy for a minute."""
    bomb = repeated(jpeg(progressive=True), MAX_SCANS)
    path = tmp_path / "a.jpg"
    path.write_bytes(bomb)
    for source in (path, bomb):
        with pytest.raises(MediaError, match=r"a\.jpg paints its picture in more than 100 scans"):
            decode_image(source, name="a.jpg", max_side=max_side)


def test_many_segments_hide_no_scans() -> None:
    data = jpeg(progressive=True)
    assert has_too_many_scans(data[:2] + b"\xff\xfe\x00\x02" * 10_000 + data[2:])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"restart_marker_blocks": 1},
        {"exif": b"Exif\0\0" + LIKE_A_SCAN * 200},
        {"icc_profile": LIKE_A_SCAN * 20_000},
    ],
)
def test_what_encoders_write_is_read(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(mode, **options)
    # A phone's film or second picture behind the end belongs to no scan of the first.
    assert not has_too_many_scans(data + LIKE_A_SCAN * 1000)
    assert decode_image(data, name="a.jpg").rgb.shape == (90, 120, 3)


def test_a_sequential_picture_ends_with_the_scan_that_holds_all() -> None:
    """libjpeg reads no further, so what follows costs nothing."""
    assert not has_too_many_scans(repeated(jpeg(), 1000))


@pytest.mark.parametrize(
    "data", [b"\xff\xd8", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xc2\x00", b"", b"\xff" * 99]
)
def test_cut_data_are_left_to_the_decoder(data: bytes) -> None:
    assert not has_too_many_scans(data)
