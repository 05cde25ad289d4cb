"""posts.media_landing: pictures by content, and nothing from outside of the folders and archives."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.posts import media_landing
from fashion_assets.posts.landed import read_media_manifest
from fashion_assets.posts.landing import LandingResult, land_incoming

JPEG = b"\xff\xd8\xff" + b"picture"


def land(root: Path) -> LandingResult:
    (root / "incoming").mkdir(exist_ok=True)
    return land_incoming(
        root / "incoming", root / "lake", b"s" * 32, now=datetime(2024, 7, 1), settle_seconds=0.0
    )


def put(root: Path, name: str, data: bytes = JPEG) -> Path:
    path = root / "incoming" / "media" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def manifest(root: Path) -> pd.DataFrame:
    return read_media_manifest(root / "lake").set_index(["post_id", "name"])


def test_pictures_are_stored_once_by_content(tmp_path: Path) -> None:
    put(tmp_path, "p1/1.JPG")
    put(tmp_path, "p1/sub/2.png", b"\x89PNG\r\n\x1a\nx")
    put(tmp_path, "p2/1.jpg")
    put(tmp_path, "p2/no_suffix", b"RIFF....WEBPx")
    assert land(tmp_path).media_added == 4
    table = manifest(tmp_path)
    digest = hashlib.sha256(JPEG).hexdigest()
    assert (
        table.loc[("p1", "1.JPG"), "path"]
        == table.loc[("p2", "1.jpg"), "path"]
        == f"{digest[:2]}/{digest}.jpg"
    )
    assert table.loc[("p1", "sub_2.png"), "path"].endswith(".png")
    assert table.loc[("p2", "no_suffix"), "path"].endswith(".webp")
    for row in table.itertuples():
        stored = (tmp_path / "lake" / "media" / row.path).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == row.digest and len(stored) == row.n_bytes
    assert len([path for path in (tmp_path / "lake" / "media").rglob("*") if path.is_file()]) == 3


def test_a_seen_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "p1/1.jpg")
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("p9/1.jpg", JPEG + b"9")
    assert land(tmp_path).media_added == 2
    with monkeypatch.context() as patch:
        patch.setattr(media_landing, "_digest", lambda opened: pytest.fail("read again"))
        assert land(tmp_path).media_added == 0
    path.write_bytes(JPEG + b"another")
    assert land(tmp_path).media_added == 1
    assert len(manifest(tmp_path)) == 2
    assert manifest(tmp_path).loc[("p1", "1.jpg"), "n_bytes"] == len(JPEG) + 7


def test_archives_with_and_without_folders_around(tmp_path: Path) -> None:
    for name, around in (("media.zip", "media/"), ("media/more.zip", "")):
        (tmp_path / "incoming" / "media").mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(tmp_path / "incoming" / name, "w") as archive:
            archive.writestr(f"{around}{Path(name).stem}1/1.jpg", JPEG + name.encode())
            archive.writestr(f"{around}{Path(name).stem}2/1.mp4", b"video")
    result = land(tmp_path)
    assert result.media_added == 4
    assert {(file.name, file.status, file.rows) for file in result.files} == {
        ("media.zip", "landed", 2),
        ("media/more.zip", "landed", 2),
    }
    assert set(manifest(tmp_path).index.get_level_values(0)) == {"media1", "media2", "more1", "more2"}
    assert {file.status for file in land(tmp_path).files} == {"already landed"}


def test_the_same_name_from_two_sources(tmp_path: Path) -> None:
    put(tmp_path, "p1/1.jpg")
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("p1/1.jpg", JPEG + b"another")
        archive.writestr("p1/2.jpg", JPEG)
    land(tmp_path)
    names = list(manifest(tmp_path).index)
    assert len(names) == 3 and any("~" in name for _, name in names)
    assert land(tmp_path).touched_months == [] and len(manifest(tmp_path)) == 3


def test_ways_out_links_and_empty_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    put(tmp_path, "p1/0.jpg", b"")
    put(tmp_path, "p1/readme.txt", b"text")
    put(tmp_path, "loose.jpg")
    (tmp_path / "incoming" / "media" / "p1" / "link.jpg").symlink_to(secret)
    (tmp_path / "incoming" / "media" / "p3").symlink_to(tmp_path)
    link = zipfile.ZipInfo("p4/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("../../evil.jpg", JPEG)
        archive.writestr("/abs/evil.jpg", JPEG)
        archive.writestr("p4/../../../evil.jpg", JPEG)
        archive.writestr(link, "/etc/passwd")
        archive.writestr("p4/0.jpg", b"")
        archive.writestr("flat.jpg", JPEG)
        archive.writestr("p4/good.jpg", JPEG)
    result = land(tmp_path)
    assert result.media_added == 1
    table = manifest(tmp_path)
    assert table["path"].notna().sum() == 1 and table.loc[("p4", "good.jpg"), "reason"] is None
    assert (
        "0 bytes" in table.loc[("p1", "0.jpg"), "reason"]
        and "0 bytes" in table.loc[("p4", "0.jpg"), "reason"]
    )
    assert (
        "link" in table.loc[("p1", "link.jpg"), "reason"]
        and "link" in table.loc[("p4", "link.jpg"), "reason"]
    )
    assert "no picture or video" in table.loc[("p1", "readme.txt"), "reason"]
    refused = " ".join(file.reason or "" for file in result.files)
    assert refused.count("way out of the archive") == 3
    assert (
        "loose.jpg lies beside" in refused
        and "media/p3 is a link" in refused
        and "flat.jpg lies in no" in refused
    )
    assert not list(tmp_path.rglob("evil.jpg"))
    stored = [path for path in (tmp_path / "lake" / "media").rglob("*") if path.is_file()]
    assert len(stored) == 1 and b"secret" not in stored[0].read_bytes()
    assert land(tmp_path).media_added == 0


def test_damaged_archives_and_members(tmp_path: Path) -> None:
    (tmp_path / "incoming" / "media").mkdir(parents=True)
    (tmp_path / "incoming" / "media" / "cut.zip").write_bytes(b"PK\x03\x04 cut off")
    path = tmp_path / "incoming" / "media.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p1/1.jpg", JPEG * 20)
        archive.writestr("p1/2.jpg", JPEG)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    result = land(tmp_path)
    assert "not a whole zip archive" in " ".join(file.reason or "" for file in result.files)
    assert "damaged" in manifest(tmp_path).loc[("p1", "1.jpg"), "reason"]
    assert manifest(tmp_path).loc[("p1", "2.jpg"), "reason"] is None


def test_a_file_that_lies_loose_in_the_zipped_media_folder_costs_no_picture(tmp_path: Path) -> None:
    (tmp_path / "incoming" / "media").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("media/p1/1.jpg", JPEG)
        archive.writestr("media/list.txt", "1")
    result = land(tmp_path)
    assert manifest(tmp_path).index.tolist() == [("p1", "1.jpg")]
    assert any("list.txt lies in no post's folder" in (file.reason or "") for file in result.files)
