"""When a file of a delivery is whole: markers, two looks, slices; nothing that is known is read again."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import zipfile
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from fashion_assets.posts import landing as landing_module
from fashion_assets.posts import media_book, media_contents, media_landing, month_digests
from fashion_assets.posts.landed import read_ledger, read_media_manifest
from fashion_assets.posts.landing import LandingResult
from fashion_assets.posts.month_digests import landing_digests
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.locks import Hold
from fashion_assets.storage.places import Place, files_below, is_remote
from fashion_assets_tests.unit.test_posts_landing import NOW, land, put, record


def statuses(result: LandingResult) -> dict[str, str]:
    return {file.name: file.status for file in result.files}


def manifest(folder: Place, *files: Place, **changes: object) -> None:
    rows = []
    for path in files:
        content = path.read_bytes()
        row = {"name": path.relative_to(folder).as_posix(), "bytes": len(content)}
        rows.append(row | {"sha256": hashlib.sha256(content).hexdigest()} | changes)
    write_bytes_atomic(folder / "_manifest.json", json.dumps({"files": rows}).encode())


def test_a_file_lands_when_two_looks_find_it_the_same(any_root: Place) -> None:
    incoming = any_root / "incoming"
    put(incoming, "a.csv", [record("p1")])
    write_bytes_atomic(incoming / "media" / "p1" / "1.jpg", b"\xff\xd8\xff1")
    first = land(any_root, two_looks=True)
    assert statuses(first) == {"a.csv": "waiting", "media/p1/1.jpg": "waiting"}
    assert "lands when it is the same at the next look" in (first.files[0].reason or "")
    put(incoming, "a.csv", [record("p1"), record("p2")])
    assert statuses(land(any_root, two_looks=True)) == {"a.csv": "waiting"}
    assert statuses(land(any_root, two_looks=True)) == {"a.csv": "landed"}
    assert statuses(land(any_root, two_looks=True)) == {"a.csv": "already landed"}
    assert len(read_media_manifest(any_root / "lake")) == 1


def test_a_success_marker_says_it_of_what_is_no_younger(any_root: Place) -> None:
    incoming = any_root / "incoming"
    put(incoming, "day/a.csv", [record("p1")])
    put(incoming, "day/deep/b.csv", [record("p2")])
    write_bytes_atomic(incoming / "day" / "_SUCCESS", b"")
    put(incoming, "other/c.csv", [record("p3")])
    assert statuses(land(any_root, two_looks=True)) == {
        "day/a.csv": "landed",
        "day/deep/b.csv": "landed",
        "other/c.csv": "waiting",
    }


def test_a_success_marker_of_an_earlier_delivery_says_nothing(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    marker = put(incoming, "day/_SUCCESS", [record("x")])
    path = put(incoming, "day/a.csv", [record("p1")])
    late = path.stat().st_mtime_ns
    os.utime(marker, ns=(late - 1, late - 1))
    assert statuses(land(tmp_path, two_looks=True)) == {"day/a.csv": "waiting"}
    os.utime(marker, ns=(late, late))
    assert statuses(land(tmp_path, two_looks=True)) == {"day/a.csv": "landed"}


def test_a_manifest_says_what_is_whole_and_what_is_missing(any_root: Place) -> None:
    incoming = any_root / "incoming"
    a = put(incoming, "day/a.csv", [record("p1")])
    b = put(incoming, "day/b.csv", [record("p2"), record("p3")])
    c = put(incoming, "day/c.csv", [record("p4")])
    manifest(incoming / "day", a, b, c)
    whole = b.read_bytes()
    write_bytes_atomic(b, whole[:-30])
    write_bytes_atomic(c, c.read_bytes().replace(b"p4", b"p5"))
    (incoming / "day" / "gone.csv").unlink(missing_ok=True)
    result = land(any_root, two_looks=True)
    assert statuses(result) == {"day/a.csv": "landed", "day/b.csv": "waiting", "day/c.csv": "waiting"}
    reasons = {file.name: file.reason or "" for file in result.files}
    n_bytes = len(whole)
    assert f"has {n_bytes - 30} of the {n_bytes} bytes that _manifest.json lists" in reasons["day/b.csv"]
    assert "other content" in reasons["day/c.csv"]
    write_bytes_atomic(b, whole)
    assert statuses(land(any_root, two_looks=True))["day/b.csv"] == "landed"
    # Also without the two looks a file is not read before its manifest says so.
    c.unlink()
    result = land(any_root)
    assert statuses(result)["day/c.csv"] == "waiting"
    assert "not there yet" in next(file.reason or "" for file in result.files if file.name == "day/c.csv")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"files": 1}',
        b'{"files": [{"name": "a"}]}',
        b'{"files": [{"name": "../a", "bytes": 1}]}',
    ],
)
def test_a_manifest_that_is_not_valid_is_named_and_holds_up_its_own_delivery(
    any_root: Place, content: bytes
) -> None:
    incoming = any_root / "incoming"
    put(incoming, "day/hour/a.csv", [record("p1")])
    put(incoming, "other/b.csv", [record("p2")])
    write_bytes_atomic(incoming / "day" / "_manifest.json", content)
    result = land(any_root)
    assert statuses(result) == {"day/hour/a.csv": "waiting", "other/b.csv": "landed"}
    assert "_manifest.json is not valid" in (result.files[0].reason or "")
    (incoming / "day" / "_manifest.json").unlink()
    assert statuses(land(any_root))["day/hour/a.csv"] == "landed"


def test_many_files_land_in_slices(any_root: Place) -> None:
    incoming = any_root / "incoming"
    for number in range(5):
        put(incoming, f"{number}.csv", [record(f"p{number}")])
        write_bytes_atomic(incoming / "media" / f"p{number}" / "1.jpg", b"\xff\xd8\xff" + bytes([number]))
    seen = []
    while True:
        result = land(any_root, max_files=2)
        seen.append(
            (sum(file.status == "landed" for file in result.files), result.media_added, result.remaining)
        )
        if not result.remaining:
            break
    assert seen == [(2, 2, 6), (2, 2, 2), (1, 1, 0)]
    assert len(read_ledger(any_root / "lake")) == 5


def test_a_slice_is_bounded_by_bytes_and_never_empty(any_root: Place) -> None:
    """What does not fit ends the slice: else a large file would wait as long as small ones come."""
    incoming = any_root / "incoming"
    for name, posts in (("a", 1), ("b", 1), ("c", 60), ("d", 1)):
        put(incoming, f"{name}.csv", [record(f"p{name}{number}") for number in range(posts)])
        write_bytes_atomic(
            incoming / "media" / f"p{name}0" / "1.jpg", b"\xff\xd8\xff" + name.encode() * 40 * posts
        )
    seen = []
    for _ in range(4):
        result = land(any_root, max_bytes=1_000)
        landed = "".join(file.name[0] for file in result.files if file.status == "landed")
        seen.append((landed, result.media_added, result.remaining))
    assert seen == [("ab", 2, 4), ("c", 1, 2), ("d", 1, 0), ("", 0, 0)]
    assert len(read_ledger(any_root / "lake")) == 4 == len(read_media_manifest(any_root / "lake"))


def test_what_is_read_in_vain_does_not_take_the_room_of_others(any_root: Place) -> None:
    """A file larger than a slice, with another digest than its manifest lists, that comes first by its name."""
    incoming = any_root / "incoming"
    large = put(incoming, "1/a.csv", [record(f"pa{number}") for number in range(60)])
    manifest(incoming / "1", large, sha256="0" * 64)
    put(incoming, "2/b.csv", [record("pb")])
    put(incoming, "2/c.csv", [record("pc")])
    first, second = (land(any_root, max_bytes=1_000) for _ in range(2))
    assert statuses(first) == {"1/a.csv": "waiting"} and first.remaining == 2
    assert statuses(second) == {"2/b.csv": "landed", "2/c.csv": "landed"} and second.remaining == 0
    manifest(incoming / "1", large)
    assert statuses(land(any_root, max_bytes=1_000))["1/a.csv"] == "landed"


def test_a_refused_file_that_is_mended_lands_however_many_others_are_refused(any_root: Place) -> None:
    incoming = any_root / "incoming"
    for number in range(6):
        write_bytes_atomic(incoming / f"{number}.csv", f"nothing,known\n{number},2\n".encode())
    for _ in range(3):
        land(any_root, max_files=2)
    mapping = (
        "columns: {post_id: nothing, post_content: known}\n"
        "constants: {post_fetch_time: 2024-07-03 00:00:00, post_date: 2024-06-11}\n"
        "absent: [poster_id, post_title, post_tag]\n"
    )
    write_bytes_atomic(incoming / "5.csv.columns.yaml", mapping.encode())
    tries = (
        statuses(land(any_root, max_files=2, now=NOW + timedelta(seconds=30 * tick))) for tick in range(1, 40)
    )
    assert any(found.get("5.csv") == "landed" for found in tries)


def test_a_crawl_file_that_may_not_be_read_waits_by_name_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "incoming", "a.csv", [record("pa")])
    put(tmp_path / "incoming", "b.csv", [record("pb")])
    original = landing_module.file_digest

    def denied(path: Path) -> str:
        if path.name == "a.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(landing_module, "file_digest", denied)
        first, second = (land(tmp_path, max_files=1) for _ in range(2))
    assert statuses(first) == {"a.csv": "waiting"} and first.remaining == 1
    assert "may not be read (Permission denied)" in (first.files[0].reason or "")
    assert statuses(second) == {"b.csv": "landed"} and second.remaining == 0
    assert statuses(land(tmp_path, max_files=1))["a.csv"] == "landed"


def test_a_picture_that_cannot_be_read_holds_up_nobody_and_lands_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        write_bytes_atomic(tmp_path / "incoming" / "media" / f"p{number}" / "1.jpg", b"\xff\xd8\xff1")
    with monkeypatch.context() as patch:
        patch.setattr(media_contents, "MAX_MEDIA_BYTES", 3)
        assert [land(tmp_path, max_files=1).remaining for _ in range(3)] == [1, 0, 0]
    kept = read_media_manifest(tmp_path / "lake").set_index("post_id")
    assert all("more than" in reason and "copy it again" in reason for reason in kept["reason"])
    assert sum(land(tmp_path, max_files=1).media_added for _ in range(2)) == 2
    kept = read_media_manifest(tmp_path / "lake")
    assert list(kept["name"]) == ["1.jpg", "1.jpg"] and not kept["reason"].notna().any()


def test_a_damaged_member_holds_up_no_other_of_its_archive(tmp_path: Path) -> None:
    path = tmp_path / "incoming" / "media.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p0/1.jpg", b"\xff\xd8\xff" * 500)
        archive.writestr("p1/1.jpg", b"\xff\xd8\xff1")
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 0xFF]) + whole[61:])
    found = [land(tmp_path, max_bytes=100) for _ in range(2)]
    assert [(result.media_added, result.remaining) for result in found] == [(0, 1), (1, 0)]
    path.write_bytes(whole)
    os.utime(path, (1, 1))
    assert land(tmp_path, max_bytes=100).media_added == 1, "the same member, whole in the new copy"
    kept = read_media_manifest(tmp_path / "lake")
    assert list(kept["name"]) == ["1.jpg", "1.jpg"] and not kept["reason"].notna().any()


@pytest.mark.s3
def test_a_broken_archive_in_a_bucket_does_not_take_the_room_of_pictures(s3_root: Place) -> None:
    write_bytes_atomic(s3_root / "incoming" / "media.zip", b"PK\x03\x04" + b"cut off" * 500)
    write_bytes_atomic(s3_root / "incoming" / "media" / "p1" / "1.jpg", b"\xff\xd8\xff1")
    found = [land(s3_root, max_bytes=1_000) for _ in range(2)]
    assert [(result.media_added, result.remaining) for result in found] == [(0, 1), (1, 0)]


def test_one_content_under_two_mappings_does_not_land_again_and_again(any_root: Place) -> None:
    incoming = any_root / "incoming"
    for name in ("x.csv", "y.csv"):
        put(incoming, name, [record("p1", other="2024-03-05", third="2024-02-05")])
    write_bytes_atomic(incoming / "y.csv.columns.yaml", b"columns: {post_date: other}")
    assert statuses(land(any_root)) == {"x.csv": "landed", "y.csv": "already landed"}
    again = land(any_root)
    assert {file.status for file in again.files} == {"already landed"} and again.touched_months == []
    write_bytes_atomic(incoming / "x.csv.columns.yaml", b"columns: {post_date: third}")
    assert land(any_root).touched_months == ["2024-02", "2024-06"], (
        "the mapping of the file that landed counts"
    )
    assert land(any_root).touched_months == []
    (incoming / "x.csv").unlink()
    assert land(any_root).touched_months == ["2024-02", "2024-03"]


@pytest.mark.s3
def test_an_archive_in_a_bucket_is_fetched_once_and_lands_whole(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(5):
            archive.writestr(f"p{number}/1.jpg", b"\xff\xd8\xff" + bytes([number]) * 500)
    write_bytes_atomic(s3_root / "incoming" / "media.zip", target.getvalue())
    fetched: list[Place] = []
    original = media_landing.local_copy

    def counted(path: Place) -> AbstractContextManager[Path]:
        fetched.append(path)
        return original(path)

    monkeypatch.setattr(media_landing, "local_copy", counted)
    for _ in range(2):
        assert land(s3_root, max_files=2, max_bytes=600).remaining == 0
    assert len(fetched) == 1 and len(read_media_manifest(s3_root / "lake")) == 5


@pytest.mark.s3
def test_a_landing_that_has_lost_its_lock_writes_nothing(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept while it read: another landing is at work by now, on the same tables."""
    put(s3_root / "incoming", "a.csv", [record("p1")])
    land(s3_root)
    put(s3_root / "incoming", "b.csv", [record("p2")])
    write_bytes_atomic(s3_root / "incoming" / "media" / "p2" / "1.jpg", b"\xff\xd8\xff1")
    landing = s3_root / "lake" / "landing"
    assert is_remote(landing)
    lock = landing / ".lock"
    original = landing_module.read_crawl_file

    def sleeps(*arguments: object) -> object:
        lock.fs.pipe_file(lock.path, b"another owner")
        return original(*arguments)  # type: ignore[arg-type]

    before = files_below(landing, "[!.]*")
    with monkeypatch.context() as patch, pytest.raises(TimeoutError, match="was lost while it was held"):
        patch.setattr(landing_module, "read_crawl_file", sleeps)
        land(s3_root)
    after = files_below(landing, "[!.]*")
    assert after == before
    lock.unlink()
    assert land(s3_root).touched_months == ["2024-06"]


@pytest.mark.s3
@pytest.mark.parametrize("step", ["write_post_index", "write_ledger", "write_media_manifest"])
def test_each_table_of_a_landing_is_written_under_a_lock_that_was_confirmed(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put(s3_root / "incoming", "a.csv", [record("p1")])
    write_bytes_atomic(s3_root / "incoming" / "media" / "p1" / "1.jpg", b"\xff\xd8\xff1")
    module = media_book if step == "write_media_manifest" else landing_module
    events: list[str] = []
    confirm, write = Hold.confirm, getattr(module, step)

    def confirmed(own: Hold) -> None:
        events.append("confirmed")
        confirm(own)

    def written(*arguments: object) -> None:
        events.append("written")
        write(*arguments)

    monkeypatch.setattr(Hold, "confirm", confirmed)
    monkeypatch.setattr(module, step, written)
    land(s3_root)
    assert events[events.index("written") - 1] == "confirmed"


def test_what_is_known_is_not_read_again(any_root: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    incoming = any_root / "incoming"
    put(incoming, "a.csv", [record("p1"), record("p2", "05-11")])
    write_bytes_atomic(incoming / "media" / "p1" / "1.jpg", b"\xff\xd8\xff1")
    land(any_root)
    lake = any_root / "lake"
    digests = landing_digests(lake)
    with monkeypatch.context() as patch:
        patch.setattr(landing_module, "file_digest", lambda path: pytest.fail("a file was read again"))
        patch.setattr(media_contents, "read_media", lambda opened: pytest.fail("a picture was read again"))
        patch.setattr(
            month_digests, "read_post_index", lambda lake: pytest.fail("a month was digested again")
        )
        patch.setattr(
            month_digests, "read_media_manifest", lambda lake: pytest.fail("a month was digested again")
        )
        assert statuses(land(any_root)) == {"a.csv": "already landed"}
        assert landing_digests(lake) == digests and len(digests) == 2
    # What the landing wrote down is what reading gives.
    (lake / "landing" / "month_digests.parquet").unlink()
    assert landing_digests(lake) == digests
    assert land(any_root).touched_months == []
    assert (lake / "landing" / "month_digests.parquet").exists()


def test_a_month_changed_behind_the_landing_is_digested_anew(tmp_path: Path) -> None:
    put(tmp_path / "incoming", "a.csv", [record("p1")])
    put(tmp_path / "incoming", "b.csv", [record("p2")])
    land(tmp_path)
    lake = tmp_path / "lake"
    before = landing_digests(lake)
    next((lake / "landing" / "2024-06").glob("*.parquet")).unlink()
    assert landing_digests(lake)["2024-06"] != before["2024-06"]


def test_digests_that_another_landing_forgets_while_they_are_read_are_worked_out(
    any_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(any_root / "incoming", "a.csv", [record("p1")])
    land(any_root)
    lake = any_root / "lake"
    before = landing_digests(lake)
    month_digests.forget_digests(lake)
    place, original = type(lake), type(lake).exists
    monkeypatch.setattr(place, "exists", lambda path: path.name == "month_digests.parquet" or original(path))
    assert landing_digests(lake) == before


@pytest.mark.s3
def test_local_files_land_in_a_bucket_and_back(s3_root: Place, tmp_path: Path) -> None:
    from fashion_assets.posts.landing import land_incoming
    from fashion_assets_tests.unit.test_posts_landing import NOW, SALT

    assert is_remote(s3_root)
    digests = []
    for incoming, lake in (
        (tmp_path / "in", s3_root / "lake"),
        (s3_root / "in", tmp_path / "lake"),
        (s3_root / "in", s3_root / "other"),
    ):
        put(incoming, "a.csv", [record("p1"), record("p2", "05-11")])
        write_bytes_atomic(incoming / "media" / "p1" / "1.jpg", b"\xff\xd8\xff1")
        result = land_incoming(incoming, lake, SALT, now=NOW)
        assert (result.touched_months, result.media_added) == (["2024-05", "2024-06"], 1)
        [path] = read_media_manifest(lake)["path"]
        assert (lake / "media" / path).read_bytes() == b"\xff\xd8\xff1"
        digests.append(landing_digests(lake))
    assert digests[0] == digests[1] == digests[2]
