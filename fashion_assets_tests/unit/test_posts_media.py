"""posts.media_landing: pictures by content, and nothing from outside of the folders and archives."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.media.kinds import SUFFIXES, detect_kind
from fashion_assets.posts import media_contents, media_landing
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


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (b"\0\0\0\x18ftypheic", ".heif"),
        (b"\0\0\0\x18ftypmif1", ".heif"),
        (b"\0\0\0\x18ftypavif", ".avif"),
        (b"\0\0\0\x18ftypisom", ".mp4"),
        (b"\x1a\x45\xdf\xa3", ".webm"),
        (b"II*\0", ".tif"),
        (b"GIF89a", ".gif"),
    ],
)
def test_a_file_without_suffix_gets_the_one_of_its_kind(tmp_path: Path, head: bytes, suffix: str) -> None:
    data = head + b"\0" * 40
    put(tmp_path, "p1/1", data)
    land(tmp_path)
    assert Path(manifest(tmp_path).loc[("p1", "1"), "path"]).suffix == suffix
    assert detect_kind(data) in SUFFIXES[suffix]


def test_a_seen_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "p1/1.jpg")
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("p9/1.jpg", JPEG + b"9")
    assert land(tmp_path).media_added == 2
    with monkeypatch.context() as patch:
        for module in (media_contents, media_landing):
            patch.setattr(module, "read_media", lambda opened: pytest.fail("read again"))
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


def test_a_list_beside_the_folders_of_an_archive_makes_no_post_of_the_folder_around(tmp_path: Path) -> None:
    (tmp_path / "incoming" / "media").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "incoming" / "media" / "a.zip", "w") as archive:
        archive.writestr("photos/p1/1.jpg", JPEG)
        archive.writestr("photos/p2/sub/1.jpg", JPEG + b"2")
        archive.writestr("photos/list.txt", b"text")
    reasons = [file.reason for file in land(tmp_path).files if file.status == "refused"]
    assert list(manifest(tmp_path).index) == [("p1", "1.jpg"), ("p2", "sub_1.jpg")]
    assert reasons == ["media/a.zip/photos/list.txt lies in no post's folder; expected <post_id>/list.txt."]


def test_media_of_folders_that_are_no_posts_are_told(tmp_path: Path) -> None:
    """By month, as crawlers sort them, they would belong to a post "2024-06" and to nothing else."""
    header = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"
    put(tmp_path, "2024-06/p1/1.jpg")
    assert [file.status for file in land(tmp_path).files] == []  # posts may come later
    (tmp_path / "incoming" / "a.csv").write_text(f"{header}\nu1,p1,t,06-11,c,2024-06-25 10:00:00\n")
    put(tmp_path, "p1/2.jpg", JPEG + b"2")
    said = {file.name: (file.status, file.reason or "") for file in land(tmp_path).files}
    assert said["media"][0] == "waiting" and "1 picture or video belongs" in said["media"][1]
    assert "('2024-06')" in said["media"][1] and "media/<post_id>/" in said["media"][1]
    assert "media" not in {file.name for file in land(tmp_path).files}  # nothing new
    (tmp_path / "incoming" / "b.csv").write_text(f"{header}\nu1,2024-06,t,06-11,c,2024-06-25 10:00:00\n")
    assert "media" not in {file.name for file in land(tmp_path).files}


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


def test_a_name_that_comes_twice_in_an_archive_does_not_cost_the_first(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive,
    ):
        archive.writestr("p1/1.jpg", JPEG + b"first")
        archive.writestr("p1/1.jpg", JPEG + b"second")
        archive.writestr("p2/1.jpg", JPEG)
    result = land(tmp_path)
    row = manifest(tmp_path).loc[("p1", "1.jpg")]
    assert row["reason"] is None and row["digest"] == hashlib.sha256(JPEG + b"first").hexdigest()
    assert any("twice" in (file.reason or "") for file in result.files)


def test_an_archive_that_unpacks_to_a_hundred_times_its_size_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_landing, "MIN_UNPACKED", 100_000)
    (tmp_path / "incoming" / "media").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "incoming" / "media" / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p1/1.jpg", JPEG)
        archive.writestr("p1/bomb.jpg", JPEG + b"\0" * 5_000_000)
        archive.writestr("p2/1.jpg", JPEG + b"2")
    # One small member that many entries point to: each is as large as allowed, all together are not.
    path = tmp_path / "incoming" / "media" / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p3/0.jpg", JPEG + b"\0" * 60_000)
    raw = path.read_bytes()
    first, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    entries = b"".join(raw[first:end].replace(b"p3/0", b"p3/%d" % i) for i in range(3))
    tail = bytearray(raw[end:])
    tail[8:12] = struct.pack("<HH", 3, 3)
    tail[12:16] = struct.pack("<I", len(entries))
    path.write_bytes(raw[:first] + entries + tail)
    land(tmp_path)
    table = manifest(tmp_path)
    assert set(table.index[table["reason"].isna()]) == {("p1", "1.jpg"), ("p2", "1.jpg"), ("p3", "0.jpg")}
    assert "may be a bomb" in table.loc[("p1", "bomb.jpg"), "reason"]
    assert "may be a bomb" in table.loc[("p3", "1.jpg"), "reason"]
    stored = sum(file.stat().st_size for file in (tmp_path / "lake" / "media").rglob("*") if file.is_file())
    assert stored < 100_000


def test_locked_lying_and_oddly_packed_members(tmp_path: Path) -> None:
    folder = tmp_path / "incoming" / "media"
    folder.mkdir(parents=True)

    def archive_of(name: str, data: bytes, changes: dict[int, bytes], local: dict[int, bytes]) -> None:
        """One member; ``changes`` overwrite bytes of its central entry, ``local`` of the header before it."""
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}/1.jpg", data)
            archive.writestr(f"{name}/2.jpg", JPEG + name.encode())
        raw = bytearray((folder / f"{name}.zip").read_bytes())
        for start, overwrite in ((raw.index(b"PK\x01\x02"), changes), (0, local)):
            for offset, value in overwrite.items():
                raw[start + offset : start + offset + len(value)] = value
        (folder / f"{name}.zip").write_bytes(raw)

    archive_of("locked", JPEG, {8: b"\x01"}, {6: b"\x01"})
    archive_of("lying", JPEG + b"\0" * 9_000, {24: struct.pack("<I", 5)}, {})
    archive_of("method", JPEG, {10: struct.pack("<H", 99)}, {8: struct.pack("<H", 99)})
    land(tmp_path)
    table = manifest(tmp_path)
    assert "password" in table.loc[("locked", "1.jpg"), "reason"]
    assert "damaged" in table.loc[("lying", "1.jpg"), "reason"]
    assert "damaged" in table.loc[("method", "1.jpg"), "reason"]
    assert table.xs("2.jpg", level="name")["reason"].isna().all()


def test_names_that_are_long_or_no_text_at_all(tmp_path: Path) -> None:
    put(tmp_path, "p1/" + "a" * 250 + ".jpg")
    put(tmp_path, "p1/\udcff\udcfe.jpg", JPEG + b"2")  # the bytes FF FE, which are no UTF-8
    put(tmp_path, "p1/\udcff\udcfd.jpg", JPEG + b"3")
    with zipfile.ZipFile(tmp_path / "incoming" / "media.zip", "w") as archive:
        archive.writestr("p2/" + "b/" * 200 + "b.jpg", JPEG + b"4")
        archive.writestr("p2/" + "c" * 400 + ".jpg", JPEG + b"5")
    assert land(tmp_path).media_added == 5
    assert ("p1", r"\xff\xfe.jpg") in manifest(tmp_path).index
    assert land(tmp_path).media_added == 0


def test_what_is_neither_file_nor_folder_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "p1/1.jpg")
    os.mkfifo(tmp_path / "incoming" / "media" / "p1" / "pipe.jpg")  # opening it would wait for ever
    (tmp_path / "incoming" / "media" / "p1" / "folder.jpg").mkdir()
    loop = tmp_path / "incoming" / "media" / "p1" / "loop.jpg"
    loop.symlink_to(loop)
    assert land(tmp_path).media_added == 1
    assert "is a link" in manifest(tmp_path).loc[("p1", "loop.jpg"), "reason"]
