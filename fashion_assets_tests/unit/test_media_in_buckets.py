"""Pictures, videos and crops in a bucket: the rows and bytes that the same files give on a disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.encoders import load_encoder
from fashion_assets.media import decoding
from fashion_assets.media.garments import garment_images
from fashion_assets.media.pictures import describe_pictures
from fashion_assets.reports.pictures import load_thumbnail
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.places import Place, files_below
from fashion_assets_tests.unit.test_media_decoding import write_video
from fashion_assets_tests.unit.test_media_garments import MONTH, MiddleSegmenter

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a copy of it, a video, a cut picture and a text that is named like one."""
    folder = tmp_path_factory.mktemp("media")
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((90, 120)).save(folder / "a.jpg")
    (folder / "copy.jpg").write_bytes((folder / "a.jpg").read_bytes())
    write_video(folder / "clip.mp4")
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:900])
    (folder / "text.jpg").write_text("no picture")
    return folder


def manifest(folder: Path, *more: str) -> pd.DataFrame:
    rows = [
        {
            "post_id": "p1",
            "name": path.name,
            "path": path.name,
            "digest": None,
            "n_bytes": path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
    ]
    rows += [{"post_id": "p1", "name": name, "path": name, "digest": "0" * 64, "n_bytes": 1} for name in more]
    return pd.DataFrame(rows).assign(reason=None)


def uploaded(folder: Path, root: Place) -> Place:
    for path in folder.iterdir():
        write_bytes_atomic(root / "media" / path.name, path.read_bytes())
    return root / "media"


def test_a_month_of_media_gives_the_same_rows_and_crops(media: Path, s3_root: Place, tmp_path: Path) -> None:
    far_media, far_crops = uploaded(media, s3_root), s3_root / "crops"
    books = manifest(media, "gone.jpg", "../out.jpg")
    near = describe_pictures(books, media, MONTH)
    far = describe_pictures(books, far_media, MONTH)
    columns = [name for name in near.columns if name != "reason"]
    pd.testing.assert_frame_equal(far[columns], near[columns])
    assert far["reason"].isna().tolist() == near["reason"].isna().tolist()
    reasons = dict(zip(far["image_id"], far["reason"], strict=True))
    assert "truncated" in reasons["p1/cut.jpg"] and "is not there" in reasons["p1/gone.jpg"]
    assert "leaves the media folder" in reasons["p1/../out.jpg"]
    assert far.attrs == near.attrs and far.attrs["decoded"] == 2
    assert describe_pictures(books, far_media, MONTH, known=far).attrs["decoded"] == 0

    usable, segmenter = near[near["status"] == "ok"], MiddleSegmenter()
    here = garment_images(usable, media, tmp_path / "crops", MiddleSegmenter(), MONTH, crop="person")
    there = garment_images(usable, far_media, far_crops, segmenter, MONTH, crop="person")
    pd.testing.assert_frame_equal(there, here)
    for path in files_below(tmp_path / "crops"):
        far_path = far_crops / path.relative_to(tmp_path / "crops").as_posix()
        assert far_path.read_bytes() == path.read_bytes()
    again = garment_images(usable, far_media, far_crops, segmenter, MONTH, known=there, crop="person")
    assert again.attrs["segmented"] == 0 and segmenter.calls == 4
    (far_crops / str(there["crop_path"][0])).unlink()
    again = garment_images(usable, far_media, far_crops, segmenter, MONTH, known=there, crop="person")
    assert again.attrs["segmented"] == 1


def test_encoders_and_reports_read_crops_where_they_lie(media: Path, s3_root: Place) -> None:
    far_media, encoder = uploaded(media, s3_root), load_encoder("local:visual")
    refused: dict[int, str] = {}
    vectors = encoder.encode([far_media / "a.jpg", far_media / "cut.jpg", far_media / "gone.jpg"], refused)
    np.testing.assert_array_equal(vectors[0], encoder.encode([media / "a.jpg"])[0])
    assert sorted(refused) == [1, 2]
    thumb = load_thumbnail(far_media / "a.jpg")
    assert not thumb.missing and thumb.jpeg == load_thumbnail(media / "a.jpg").jpeg
    assert load_thumbnail(far_media / "gone.jpg").missing


def test_a_picture_that_is_too_large_is_not_held(
    media: Path, s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_media = uploaded(media, s3_root)
    monkeypatch.setattr(decoding, "MAX_FETCHED", 100)
    with pytest.raises(decoding.MediaError, match="more than the 100 bytes"):
        decoding.decode_image(far_media / "a.jpg")
