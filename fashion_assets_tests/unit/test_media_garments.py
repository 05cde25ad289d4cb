"""Crops: cut once, without background or without the person, stored by content; the smallest share kept to."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from fashion_assets.media.decoding import DECODING
from fashion_assets.media.garments import CROP_SIDE, crop_name, garment_images
from fashion_assets.media.pictures import describe_pictures
from fashion_assets.media.schemas import GARMENT_IMAGES
from fashion_assets.media.segmentation import GARMENT, PERSON, SegmentResult
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place
from fashion_assets_tests.unit.test_media_decoding import write_video

MONTH = "2024-03"


class MiddleSegmenter:
    """Takes the middle ``share`` of the rows as garment, an eighth above it as person, and counts its calls."""

    def __init__(self, share: float = 0.5, name: str = "middle", finds_person: bool = True) -> None:
        self.name = name
        self.share = share
        self.finds_person = finds_person
        self.calls = 0

    def segment(self, rgb: Any) -> SegmentResult:
        self.calls += 1
        mask = np.zeros(rgb.shape[:2], dtype=np.uint8)
        rows = round(self.share * len(mask))
        top = (len(mask) - rows) // 2
        mask[top - len(mask) // 8 : top] = PERSON
        mask[top : top + rows] = GARMENT
        return SegmentResult(mask)


def month_of(root: Place, names: list[str], size: tuple[int, int] = (200, 100)) -> pd.DataFrame:
    """POST_IMAGES rows of made pictures: post p<i> holds names[i]; equal names hold equal bytes."""
    rows = []
    for i, name in enumerate(names):
        path = root / f"p{i}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
        small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(small).resize((size[1], size[0])).save(
            content, path.suffix[1:].replace("jpg", "jpeg")
        )
        path.write_bytes(content.getvalue())
        rows.append(
            {
                "post_id": f"p{i}",
                "name": name,
                "path": f"p{i}/{name}",
                "digest": None,
                "n_bytes": None,
                "reason": None,
            }
        )
    return describe_pictures(pd.DataFrame(rows), root, MONTH)


def test_rows_and_crops(any_root: Place) -> None:
    pictures = month_of(any_root / "media", ["a.png", "b.png"])
    crops = any_root / "crops"
    table = garment_images(pictures, any_root / "media", crops, MiddleSegmenter(), MONTH)
    assert pa.Table.from_pandas(table, schema=GARMENT_IMAGES, preserve_index=False).schema.equals(
        GARMENT_IMAGES
    )
    assert table["image_id"].tolist() == ["p0/a.png", "p1/b.png"]
    assert table["kept"].tolist() == [True, True]
    assert table["crop"].tolist() == ["garment", "garment"]
    assert table["garment_path"].tolist() == table["crop_path"].tolist()
    assert table["garment_share"].tolist() == [0.5, 0.5]
    assert table[["box_left", "box_top", "box_width", "box_height"]].iloc[0].tolist() == [0, 50, 100, 100]
    digest = table["digest"][0]
    assert table["crop_path"][0] == f"middle/{digest[:2]}/{digest}-d{DECODING}.webp"
    with Image.open(io.BytesIO((crops / table["crop_path"][0]).read_bytes())) as crop:
        assert crop.mode in ("RGBA", "RGB")
        assert crop.size == (100, 100)


def test_a_person_crop_shows_what_the_garment_crop_lacks(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    media, crops = tmp_path / "media", tmp_path / "crops"
    table = garment_images(pictures, media, crops, MiddleSegmenter(), MONTH, crop="person")
    row = table.iloc[0]
    assert row["crop"] == "person"
    assert row["garment_share"] == 0.5  # of the garment alone, whatever the crop shows
    assert row["crop_path"] == f"middle-person/{row['digest'][:2]}/{row['digest']}-d{DECODING}.webp"
    assert row["garment_path"] == crop_name("middle", row["digest"], None)
    assert [row["box_top"], row["box_height"]] == [25, 125]
    with Image.open(crops / row["crop_path"]) as person, Image.open(crops / row["garment_path"]) as garment:
        assert (person.size, garment.size) == ((100, 125), (100, 100))
        below = np.asarray(person.convert("RGB"))[25:].astype(int)
        assert abs(below - np.asarray(garment.convert("RGB"))).mean() < 4


def test_the_five_percent_rule_looks_at_the_garment_in_a_person_crop_too(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    table = garment_images(
        pictures, tmp_path / "media", tmp_path / "crops", MiddleSegmenter(0.04), MONTH, crop="person"
    )
    assert table["kept"].tolist() == [False]
    assert not any((tmp_path / "crops").rglob("*.webp"))


def test_one_crop_is_not_taken_for_the_other(any_root: Place) -> None:
    pictures = month_of(any_root / "media", ["a.png"])
    media, crops, segmenter = any_root / "media", any_root / "crops", MiddleSegmenter()
    garment = garment_images(pictures, media, crops, segmenter, MONTH)
    person = garment_images(pictures, media, crops, segmenter, MONTH, known=garment, crop="person")
    assert segmenter.calls == 2
    assert garment["crop_path"][0] != person["crop_path"][0]
    again = garment_images(pictures, media, crops, segmenter, MONTH, known=person, crop="person")
    assert again.attrs == {"segmented": 0, "reused": 1, "unreadable": 0}
    for column in ("crop_path", "garment_path"):
        (crops / person[column][0]).unlink()
        garment_images(pictures, media, crops, segmenter, MONTH, known=person, crop="person")
        assert (crops / person[column][0]).is_file()
    assert segmenter.calls == 4


def test_a_segmenter_of_clothes_alone_has_no_person_crops(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    clothes = MiddleSegmenter(name="rembg-1", finds_person=False)
    with pytest.raises(UserError, match=r"rembg-1 finds clothes alone.*FASHION_CROP=garment"):
        garment_images(pictures, tmp_path / "media", tmp_path / "crops", clothes, MONTH, crop="person")
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", clothes, MONTH)
    assert table["kept"].tolist() == [True]


def test_the_background_is_gone_from_the_file(tmp_path: Path) -> None:
    y, x = np.mgrid[0:200, 0:100]
    disc = (y - 100) ** 2 + (x - 50) ** 2 < 40**2

    class Disc(MiddleSegmenter):
        def segment(self, rgb: Any) -> SegmentResult:
            return SegmentResult(disc.astype(np.uint8))

    pictures = month_of(tmp_path / "media", ["a.png"])
    scene = np.where(disc[:, :, None], np.uint8((0, 120, 0)), np.uint8((255, 0, 255)))
    Image.fromarray(scene.astype(np.uint8)).save(tmp_path / "media/p0/a.png")
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", Disc(), MONTH)
    with Image.open(tmp_path / "crops" / table["crop_path"][0]) as crop:
        pixels = np.asarray(crop.convert("RGBA")).astype(int)
    assert pixels[0, 0, 3] == 0
    assert pixels[40, 40].tolist()[3] == 255
    # Below the transparency there is white and what the garment's edge left: none of the ground's magenta.
    assert (pixels[:, :, 0] - pixels[:, :, 1]).max() < 40


def test_large_crops_are_shrunk_and_boxes_stay_in_the_files_pixels(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["big.png"], size=(2000, 1000))
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", MiddleSegmenter(0.8), MONTH)
    with Image.open(tmp_path / "crops" / table["crop_path"][0]) as crop:
        assert max(crop.size) == CROP_SIDE
    assert table[["box_left", "box_width"]].iloc[0].tolist() == [0, 1000]
    assert table["box_height"][0] == pytest.approx(1600, abs=8)


@pytest.mark.parametrize(("share", "kept"), [(0.04, False), (0.05, True), (0.0, False)])
def test_the_five_percent_rule(tmp_path: Path, share: float, kept: bool) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", MiddleSegmenter(share), MONTH)
    assert table["kept"].tolist() == [kept]
    assert table["crop_path"].notna().tolist() == [kept]
    assert table["garment_share"][0] == pytest.approx(share)
    assert any((tmp_path / "crops").rglob("*.webp")) is kept


def test_equal_bytes_are_segmented_once_and_known_ones_not_at_all(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["same.png", "same.png", "other.png"])
    crops, segmenter = tmp_path / "crops", MiddleSegmenter()
    first = garment_images(pictures, tmp_path / "media", crops, segmenter, MONTH)
    assert segmenter.calls == 2
    assert first.attrs == {"segmented": 2, "reused": 0, "unreadable": 0}
    read_back = pa.Table.from_pandas(first, schema=GARMENT_IMAGES, preserve_index=False).to_pandas()
    again = garment_images(pictures, tmp_path / "media", crops, segmenter, MONTH, known=read_back)
    assert segmenter.calls == 2
    assert again.attrs == {"segmented": 0, "reused": 3, "unreadable": 0}
    pd.testing.assert_frame_equal(first, again)

    (crops / first["crop_path"][2]).unlink()
    garment_images(pictures, tmp_path / "media", crops, segmenter, MONTH, known=first)
    assert segmenter.calls == 3
    assert (crops / first["crop_path"][2]).is_file()

    other = MiddleSegmenter(name="other")
    garment_images(pictures, tmp_path / "media", crops, other, MONTH, known=first)
    assert other.calls == 2


def test_what_was_decoded_in_another_way_is_segmented_again(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    crops, segmenter = tmp_path / "crops", MiddleSegmenter()
    first = garment_images(pictures, tmp_path / "media", crops, segmenter, MONTH)
    for known in (first.assign(decoding=DECODING - 1), first.drop(columns="decoding")):
        again = garment_images(pictures, tmp_path / "media", crops, segmenter, MONTH, known=known)
        assert again.attrs == {"segmented": 1, "reused": 0, "unreadable": 0}
        pd.testing.assert_frame_equal(again, first)


def test_another_smallest_share_decides_again_about_known_rows(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    media, crops, segmenter = tmp_path / "media", tmp_path / "crops", MiddleSegmenter(0.2)
    first = garment_images(pictures, media, crops, segmenter, MONTH, min_share=0.3)
    assert first["kept"].tolist() == [False]
    second = garment_images(pictures, media, crops, segmenter, MONTH, min_share=0.1, known=first)
    assert second["kept"].tolist() == [True]
    third = garment_images(pictures, media, crops, segmenter, MONTH, min_share=0.3, known=second)
    assert third["kept"].tolist() == [False]
    assert third["crop_path"].isna().all()
    assert segmenter.calls == 2


def test_an_existing_crop_is_not_written_again(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    crops = tmp_path / "crops"
    table = garment_images(pictures, tmp_path / "media", crops, MiddleSegmenter(), MONTH)
    before = (crops / table["crop_path"][0]).stat()
    garment_images(pictures, tmp_path / "media", crops, MiddleSegmenter(), MONTH)
    after = (crops / table["crop_path"][0]).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_file_that_has_gone_leaves_a_row_that_is_not_kept(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png", "b.png"])
    (tmp_path / "media/p0/a.png").unlink()
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", MiddleSegmenter(), MONTH)
    assert table["kept"].tolist() == [False, True]
    assert table["garment_share"].isna().tolist() == [True, False]
    assert table.attrs == {"segmented": 1, "reused": 0, "unreadable": 1}


def test_frames_of_a_video_have_crops_of_their_own(tmp_path: Path) -> None:
    media = tmp_path / "media"
    (media / "v").mkdir(parents=True)
    write_video(media / "v/clip.mp4")
    row = {
        "post_id": "v",
        "name": "clip.mp4",
        "path": "v/clip.mp4",
        "digest": None,
        "n_bytes": None,
        "reason": None,
    }
    pictures = describe_pictures(pd.DataFrame([row]), media, MONTH)
    segmenter = MiddleSegmenter()
    table = garment_images(pictures, media, tmp_path / "crops", segmenter, MONTH)
    assert table["crop_path"].nunique() == 3
    assert table["crop_path"][0] == crop_name("middle", table["digest"][0], 0.25)
    garment_images(pictures, media, tmp_path / "crops", segmenter, MONTH, known=table)
    assert segmenter.calls == 3


def test_no_pictures_give_an_empty_table(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"]).iloc[:0]
    table = garment_images(pictures, tmp_path / "media", tmp_path / "crops", MiddleSegmenter(), MONTH)
    assert list(table.columns) == GARMENT_IMAGES.names
    assert len(table) == 0


def test_a_picture_without_garment_is_known_whatever_the_smallest_share(tmp_path: Path) -> None:
    pictures = month_of(tmp_path / "media", ["a.png"])
    segmenter = MiddleSegmenter(0.0)
    folders = tmp_path / "media", tmp_path / "crops"
    first = garment_images(pictures, *folders, segmenter, MONTH, min_share=0.0)
    again = garment_images(pictures, *folders, segmenter, MONTH, min_share=0.0, known=first)
    assert again["kept"].tolist() == [False]
    assert segmenter.calls == 1
