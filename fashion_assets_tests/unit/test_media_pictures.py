"""The month's picture rows: one bad file never fails them, the same bytes are decoded once."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fashion_assets.media import pictures as module
from fashion_assets.media.decoding import DECODING
from fashion_assets.media.errors import MediaError
from fashion_assets.media.locations import resolve_inside
from fashion_assets.media.pictures import describe_pictures
from fashion_assets.media.schemas import POST_IMAGES
from fashion_assets_tests.unit.test_media_decoding import heic_bytes, png_header, scene, write_video

MONTH = "2024-03"


def noise(seed: int, size: tuple[int, int] = (90, 120)) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BICUBIC)


def manifest(root: Path, files: list[tuple[str, str]], reasons: dict[str, str] | None = None) -> pd.DataFrame:
    """Manifest rows for (post_id, path); digests as the landing would write them where the file is there."""
    rows = []
    for post_id, path in files:
        file = root / path
        data = file.read_bytes() if os.path.isfile(file) else None  # noqa: PTH113 - a name may be too long
        rows.append(
            {
                "post_id": post_id,
                "name": Path(path).name,
                "path": path,
                "digest": None if data is None else hashlib.sha256(data).hexdigest(),
                "n_bytes": None if data is None else len(data),
                "reason": (reasons or {}).get(path),
            }
        )
    return pd.DataFrame(rows, columns=["post_id", "name", "path", "digest", "n_bytes", "reason"])


def save(root: Path, path: str, picture: Image.Image, **options: Any) -> str:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    picture.save(root / path, **options)
    return path


def test_rows_fit_the_schema_and_name_the_picture(tmp_path: Path) -> None:
    save(tmp_path, "p1/1.jpg", noise(1))
    table = describe_pictures(manifest(tmp_path, [("p1", "p1/1.jpg")]), tmp_path, MONTH)
    assert pa.Table.from_pandas(table, schema=POST_IMAGES, preserve_index=False).schema.equals(POST_IMAGES)
    row = table.iloc[0]
    assert row["image_id"] == "p1/1.jpg"
    assert (row["month"], row["status"], row["width"], row["height"]) == (MONTH, "ok", 120, 90)
    assert row["duplicate_group"] == "p1/1.jpg"
    assert bool(row["is_representative"])
    assert row["n_bytes"] == (tmp_path / "p1/1.jpg").stat().st_size
    assert pd.isna(row["frame"])
    assert pd.isna(row["reason"])


def test_an_empty_manifest_gives_an_empty_table(tmp_path: Path) -> None:
    table = describe_pictures(manifest(tmp_path, []), tmp_path, MONTH)
    assert len(table) == 0
    assert list(table.columns) == POST_IMAGES.names
    assert pa.Table.from_pandas(table, schema=POST_IMAGES, preserve_index=False).num_rows == 0


def test_bad_files_are_rows_with_a_reason(tmp_path: Path) -> None:
    save(tmp_path, "p/good.jpg", noise(1))
    save(tmp_path, "p/really_png.jpg", noise(2), format="PNG")
    whole = (tmp_path / "p/good.jpg").read_bytes()
    (tmp_path / "p/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "p/empty.jpg").write_bytes(b"")
    (tmp_path / "p/page.jpg").write_text("<html>403</html>")
    (tmp_path / "p/bomb.png").write_bytes(png_header(50_000, 50_000))
    outside = tmp_path.parent / f"{tmp_path.name}-secret.jpg"
    noise(3).save(outside)
    (tmp_path / "p/link.jpg").symlink_to(outside)
    names = [
        "p/good.jpg",
        "p/really_png.jpg",
        "p/cut.jpg",
        "p/empty.jpg",
        "p/page.jpg",
        "p/bomb.png",
        "p/link.jpg",
    ]
    names += [f"../{outside.name}", str(outside), "p/gone.jpg", "p/zipslip.jpg"]
    table = describe_pictures(
        manifest(tmp_path, [("p", name) for name in names], {"p/zipslip.jpg": "left the zip's folder"}),
        tmp_path,
        MONTH,
    )
    reasons = dict(zip(table["path"], table["reason"], strict=True))
    assert table["status"].tolist() == ["ok"] + ["refused"] * 10
    assert "PNG" in reasons["p/really_png.jpg"]
    assert "truncated" in reasons["p/cut.jpg"]
    assert "empty" in reasons["p/empty.jpg"]
    assert "HTML" in reasons["p/page.jpg"]
    assert "bomb" in reasons["p/bomb.png"]
    assert "link" in reasons["p/link.jpg"]
    assert "leaves the media folder" in reasons[f"../{outside.name}"]
    assert "leaves the media folder" in reasons[str(outside)]
    assert "gone.jpg is not there" in reasons["p/gone.jpg"]
    assert reasons["p/zipslip.jpg"] == "left the zip's folder"
    refused = table[table["status"] == "refused"]
    assert refused["duplicate_group"].isna().all()
    assert not refused["is_representative"].any()
    assert table.attrs == {"decoded": 1, "reused": 0, "refused": 10}


def test_what_is_no_file_and_what_leads_elsewhere(tmp_path: Path) -> None:
    save(tmp_path, "p/good.jpg", noise(1))
    (tmp_path / "p/folder.jpg").mkdir()
    os.mkfifo(tmp_path / "p/pipe.jpg")  # opening it would wait for ever
    os.mkfifo(tmp_path / "p/pipe.mp4")
    (tmp_path / "p/loop.jpg").symlink_to(tmp_path / "p/loop.jpg")
    (tmp_path / "p/out").symlink_to(tmp_path.parent)
    (tmp_path / "p/folder_link.jpg").symlink_to(tmp_path / "p/folder.jpg")
    names = [
        "folder.jpg",
        "pipe.jpg",
        "pipe.mp4",
        "loop.jpg",
        "out/x.jpg",
        "folder_link.jpg",
        f"{'n' * 300}.jpg",
    ]
    files = [("p", f"p/{name}") for name in ["good.jpg", *names]]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH)
    assert table["status"].tolist() == ["ok"] + ["refused"] * 7
    reasons = table["reason"].tolist()[1:]
    for reason, sentence in zip(
        reasons,
        [
            "expected a file",
            "expected a file",
            "expected a file",
            "followed",
            "outside",
            "expected a file",
            "long",
        ],
        strict=True,
    ):
        assert sentence in reason
    assert not any(str(tmp_path / "p") in reason for reason in reasons)


def test_every_kind_becomes_a_row_and_so_does_every_fault(tmp_path: Path) -> None:
    """A month of everything that crawls hold: the good half is described, the other refused, nothing raises."""
    good = [
        save(tmp_path, f"g/1.{suffix}", noise(1))
        for suffix in ("jpg", "png", "webp", "gif", "bmp", "tif", "avif")
    ]
    good.append(save(tmp_path, "g/dot.png", Image.new("RGB", (1, 1))))
    good.append(save(tmp_path, "g/line.jpg", Image.new("RGB", (6000, 1))))
    (tmp_path / "g/1.heic").write_bytes(heic_bytes(scene(64, 64)))
    write_video(tmp_path / "g/1.mp4")
    good += ["g/1.heic", "g/1.mp4"]
    bad = []
    for path in good:
        raw = (tmp_path / path).read_bytes()
        for fault, data in (("cut", raw[: len(raw) * 2 // 3]), ("empty", b""), ("page", b"<html>403</html>")):
            bad.append(f"{fault}/{Path(path).name}")
            (tmp_path / fault).mkdir(exist_ok=True)
            (tmp_path / bad[-1]).write_bytes(data)
    table = describe_pictures(manifest(tmp_path, [("p", name) for name in good + bad]), tmp_path, MONTH)
    assert pa.Table.from_pandas(table, schema=POST_IMAGES, preserve_index=False).num_rows == len(table)
    usable = table[table["status"] == "ok"]
    assert set(usable["path"]) == set(good)
    refused = table[table["status"] == "refused"]
    assert set(refused["path"]) == set(bad)
    assert refused["reason"].str.len().min() > 20
    assert (usable["phash"].str.len() == 16).all()


def test_same_bytes_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "a/1.jpg", noise(1))
    for path in ("b/1.jpg", "c/other.jpg"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_bytes((tmp_path / "a/1.jpg").read_bytes())
    save(tmp_path, "a/2.jpg", noise(2))
    decoded: list[str] = []
    real = module.decode_image

    def counting(path: Path, **options: Any) -> Any:
        decoded.append(path.name)
        return real(path, **options)

    monkeypatch.setattr(module, "decode_image", counting)
    files = [("a", "a/1.jpg"), ("b", "b/1.jpg"), ("c", "c/other.jpg"), ("a", "a/2.jpg")]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH)
    assert sorted(decoded) == ["1.jpg", "2.jpg"]
    assert table["duplicate_group"].tolist() == ["a/1.jpg", "a/1.jpg", "a/1.jpg", "a/2.jpg"]
    assert table["is_representative"].tolist() == [True, False, False, True]

    decoded.clear()
    read_back = pa.Table.from_pandas(table, schema=POST_IMAGES, preserve_index=False).to_pandas()
    again = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH, known=read_back)
    assert decoded == []
    assert again.attrs == {"decoded": 0, "reused": 4, "refused": 0}
    pd.testing.assert_frame_equal(again, table)


def test_what_was_decoded_in_another_way_is_hashed_again(tmp_path: Path) -> None:
    save(tmp_path, "a/1.jpg", noise(1))
    files = [("a", "a/1.jpg")]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH)
    for known in (table.assign(decoding=DECODING - 1), table.drop(columns="decoding")):
        again = describe_pictures(
            manifest(tmp_path, files), tmp_path, MONTH, known=known.assign(phash="0" * 16)
        )
        assert again.attrs["decoded"] == 1
        pd.testing.assert_frame_equal(again, table)


def test_what_is_known_under_another_suffix_is_looked_at_again(tmp_path: Path) -> None:
    save(tmp_path, "a/1.png", noise(1))
    first = describe_pictures(manifest(tmp_path, [("a", "a/1.png")]), tmp_path, MONTH)
    (tmp_path / "a/1.jpg").write_bytes((tmp_path / "a/1.png").read_bytes())
    second = describe_pictures(manifest(tmp_path, [("a", "a/1.jpg")]), tmp_path, MONTH, known=first)
    assert second["status"].tolist() == ["refused"]


def test_a_copy_joins_and_the_larger_one_represents(tmp_path: Path) -> None:
    save(tmp_path, "a/small.jpg", noise(1, (90, 120)), quality=70)
    save(tmp_path, "b/large.jpg", noise(1, (360, 480)), quality=90)
    save(tmp_path, "c/other.jpg", noise(2))
    files = [("a", "a/small.jpg"), ("b", "b/large.jpg"), ("c", "c/other.jpg")]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH)
    assert table["duplicate_group"].tolist() == ["b/large.jpg", "b/large.jpg", "c/other.jpg"]
    assert table["is_representative"].tolist() == [False, True, True]


def test_a_video_gives_three_rows_and_is_reused(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v/clip.mp4")
    files = [("v", "v/clip.mp4")]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH)
    assert table["image_id"].tolist() == ["v/clip.mp4#0.25", "v/clip.mp4#0.5", "v/clip.mp4#0.75"]
    assert table["frame"].tolist() == [0.25, 0.5, 0.75]
    assert table["digest"].nunique() == 1
    again = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH, known=table)
    assert again.attrs["decoded"] == 0
    pd.testing.assert_frame_equal(again, table)


def test_rows_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    files = [(f"p{i}", save(tmp_path, f"p{i}/x.jpg", noise(i))) for i in range(12)]
    one = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH, workers=1)
    many = describe_pictures(manifest(tmp_path, files), tmp_path, MONTH, workers=6)
    pd.testing.assert_frame_equal(one, many)


@pytest.mark.parametrize(
    "path", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "", "a\0b", "C:\\x.jpg", "..\\x.jpg"]
)
def test_paths_that_leave_the_root_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(MediaError):
        resolve_inside(tmp_path, path)


def test_a_link_within_the_root_is_followed_and_a_loop_refused(tmp_path: Path) -> None:
    (tmp_path / "real.jpg").write_bytes(b"x")
    (tmp_path / "alias.jpg").symlink_to(tmp_path / "real.jpg")
    assert resolve_inside(tmp_path, "alias.jpg") == (tmp_path / "real.jpg").resolve()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.raises(MediaError):
        resolve_inside(tmp_path, "loop.jpg/x")


@given(st.text(max_size=30))
def test_whatever_the_path_it_stays_inside_or_is_refused(path: str) -> None:
    root = Path("/nonexistent-media-root")
    with contextlib.suppress(MediaError):
        assert resolve_inside(root, path).is_relative_to(root)


def test_a_refusal_names_the_picture_as_the_post_knows_it_not_its_place_in_the_lake(tmp_path: Path) -> None:
    for name in ("ab/abcdef.jpg", "ab/abcdef.mp4"):
        (tmp_path / "ab").mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(
            b"\0\0\0\x18ftypmp42no video" if name.endswith("4") else b"<html>404</html>"
        )
    listed = manifest(tmp_path, [("p1", "ab/abcdef.jpg"), ("p2", "ab/abcdef.jpg"), ("p1", "ab/abcdef.mp4")])
    listed["name"] = ["1.jpg", "cover.jpg", "film.mp4"]
    table = describe_pictures(listed, tmp_path, MONTH).set_index("image_id")
    for image_id, reason in table["reason"].items():
        assert str(image_id) in reason and "abcdef" not in reason and str(tmp_path) not in reason
