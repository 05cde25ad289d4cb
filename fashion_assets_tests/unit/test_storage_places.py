"""What a place is, and what is refused with a sentence; in a bucket, what other processes and faults do to it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

from fashion_assets.settings import Settings
from fashion_assets.storage import parquet_files
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, local_copy, write_atomic, write_bytes_atomic
from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.storage.parquet_files import open_parquet, read_parquet
from fashion_assets.storage.places import (
    Place,
    Stamp,
    entries,
    existing,
    files_below,
    is_place,
    is_remote,
    place,
    require_reachable,
)
from fashion_assets_tests.conftest import S3_KEY


def test_local_locations_are_paths(tmp_path: Path) -> None:
    from upath import UPath

    for location in (str(tmp_path), tmp_path, UPath(tmp_path), tmp_path.as_uri()):
        found = place(location)
        assert found == tmp_path and type(found) is type(tmp_path)
        assert is_place(found) and not is_remote(found)
    assert not is_place("a text")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("gs://bucket/lake", "gs://bucket/lake cannot be used; expected a local path or s3://"),
        ("s3:///lake", "names no bucket"),
        ("s3://key:secret@bucket/lake", "s3://bucket/lake was given with credentials"),
    ],
)
def test_other_locations_are_refused_without_their_secrets(location: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        place(location)
    assert "secret" not in str(caught.value)


def test_a_missing_extra_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=r'pip install "fashion-assets\[s3\]"'):
        place("s3://bucket/lake")


def test_settings_take_urls_and_keep_the_rest_local(tmp_path: Path) -> None:
    plain = Settings(data_dir=tmp_path)
    assert (plain.lake, plain.incoming) == (tmp_path / "lake", tmp_path / "incoming")
    assert plain.embedding_cache == tmp_path / "models" / "embedding_cache"
    elsewhere = Settings(data_dir=tmp_path, lake_url=str(tmp_path / "x"), incoming_url=str(tmp_path / "y"))
    assert (elsewhere.crops, elsewhere.product_files) == (
        tmp_path / "x" / "crops",
        tmp_path / "y" / "products",
    )
    far = Settings(data_dir=tmp_path, lake_url="s3://bucket/lake", incoming_url="s3://bucket/in")
    assert [str(one) for one in (far.media, far.embedding_cache, far.incoming)] == [
        "s3://bucket/lake/media",
        "s3://bucket/lake/embedding_cache",
        "s3://bucket/in",
    ]
    assert far.product_files == tmp_path / "incoming" / "products"
    assert far.models == tmp_path / "models" and far.warehouse == tmp_path / "warehouse.duckdb"


def test_files_are_listed_the_same_way(any_root: Place) -> None:
    for name in ("b.csv", "a/x.csv", "a/deep/y.csv", "a/z.txt"):
        write_bytes_atomic(any_root / name, name.encode())
    assert [path.relative_to(any_root).as_posix() for path in files_below(any_root, "*.csv")] == [
        "a/deep/y.csv",
        "a/x.csv",
        "b.csv",
    ]
    files, folders = entries(any_root)
    assert [path.name for path in files] == ["b.csv"] and [path.name for path in folders] == ["a"]
    assert files[any_root / "b.csv"] == Stamp.of(any_root / "b.csv")
    assert files[any_root / "b.csv"].n_bytes == 5
    assert Stamp.of(any_root / "none") is None
    assert entries(any_root / "none") == ({}, []) and files_below(any_root / "none") == {}
    assert existing([any_root / "b.csv", any_root / "none", any_root / "a" / "x.csv"]) == {
        any_root / "b.csv",
        any_root / "a" / "x.csv",
    }
    require_reachable(any_root)


def test_a_file_is_read_where_it_lies_or_as_a_local_copy(any_root: Place) -> None:
    content = os.urandom(100_000)
    write_bytes_atomic(any_root / "a.bin", content)
    assert file_digest(any_root / "a.bin") == __import__("hashlib").sha256(content).hexdigest()
    with local_copy(any_root / "a.bin") as copy:
        assert isinstance(copy, Path) and copy.name == "a.bin" and copy.read_bytes() == content
    assert copy.exists() == (not is_remote(any_root))
    with pytest.raises(FileNotFoundError), local_copy(any_root / "none") as copy:
        copy.read_bytes()


class Broken(Exception):
    pass


@pytest.mark.parametrize("n_bytes", [10, 3 << 20])
def test_a_write_that_fails_in_the_middle_leaves_the_old_file(any_root: Place, n_bytes: int) -> None:
    write_bytes_atomic(any_root / "a.bin", b"old")

    def half(handle: IO[bytes]) -> None:
        handle.write(b"x" * n_bytes)
        raise Broken

    with pytest.raises(Broken):
        write_atomic(any_root / "a.bin", half)
    with pytest.raises(Broken):
        write_atomic(any_root / "never.bin", half)
    assert (any_root / "a.bin").read_bytes() == b"old"
    assert [path.name for path in files_below(any_root)] == ["a.bin"]


@pytest.mark.s3
def test_a_multipart_upload_is_whole_or_discarded(s3_root: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_remote(s3_root)
    from fashion_assets.storage import s3

    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
    target = s3_root / "large.bin"
    content = os.urandom(12 << 20)
    write_bytes_atomic(target, content)
    assert target.read_bytes() == content

    def stopped(handle: IO[bytes]) -> None:
        handle.write(b"x" * (6 << 20))
        assert target.read_bytes() == content  # a part has gone up, and nobody sees it
        raise Broken

    with pytest.raises(Broken):
        write_atomic(target, stopped)
    bucket, _, _ = target.fs.split_path(target.path)
    assert "Uploads" not in target.fs.call_s3("list_multipart_uploads", Bucket=bucket)
    assert target.read_bytes() == content

    # The store itself fails: at a part, and when all parts are there.
    for failing in ("upload_part", "complete_multipart_upload"):
        with monkeypatch.context() as patch:
            original = target.fs.call_s3

            def call(method: str, *given: object, **named: object) -> object:
                if method == failing:  # noqa: B023 - used within this round
                    raise OSError("the connection was lost")
                return original(method, *given, **named)  # noqa: B023

            patch.setattr(target.fs, "call_s3", call)
            with pytest.raises(OSError, match="the connection was lost"):
                write_bytes_atomic(target, os.urandom(12 << 20))
        assert target.read_bytes() == content
        assert "Uploads" not in target.fs.call_s3("list_multipart_uploads", Bucket=bucket)


@pytest.mark.s3
def test_what_another_process_writes_is_seen_at_once(s3_root: Place) -> None:
    lake = Lake(s3_root)
    lake.write("posts", "2024-01", pa.table({"x": [1]}))
    assert lake.months("posts") == ["2024-01"] and not (s3_root / "posts" / "2024-02.parquet").exists()
    code = (
        "import sys, pyarrow as pa\nfrom fashion_assets.storage.lake import Lake\n"
        "from fashion_assets.storage.places import place\n"
        "lake = Lake(place(sys.argv[1]))\n"
        "lake.write('posts', '2024-01', pa.table({'x': [1, 2]}))\n"
        "lake.write('posts', '2024-02', pa.table({'x': [3]}))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(s3_root)], check=True)
    assert lake.months("posts") == ["2024-01", "2024-02"]
    assert lake.read("posts", "2024-01").num_rows == 2
    lake.path("posts", "2024-02").unlink()
    assert lake.months("posts") == ["2024-01"]
    with pytest.raises(MissingMonthsError, match="2024-02"):
        lake.read("posts", "2024-02")


@pytest.mark.s3
def test_a_read_begins_anew_where_the_object_is_replaced_meanwhile(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(s3_root)
    path = lake.write("posts", "2024-01", pa.table({"x": [1]}))
    coming = [pa.table({"x": [1, 2, 3]})]
    original = parquet_files._source

    def source(handle: object) -> object:
        while coming:
            lake.write("posts", "2024-01", coming.pop())
        return original(handle)

    monkeypatch.setattr(parquet_files, "_source", source)
    assert read_parquet(path).num_rows == 3
    # A stream has given rows away already: it ends, with what to do.
    monkeypatch.setattr(parquet_files, "WHOLE_BYTES", 0)
    batches = lake.batches("posts", "2024-01", rows=1)
    coming.append(pa.table({"x": [4]}))
    with pytest.raises(OSError, match="was replaced while it was read; do it again"):
        list(batches)


@pytest.mark.s3
def test_only_the_columns_that_are_wanted_are_fetched(
    s3_root: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = pa.table({"id": list(range(1000)), "blob": [os.urandom(2000) for _ in range(1000)]})
    path = Lake(s3_root).write("posts", "2024-01", wide)
    monkeypatch.setattr(parquet_files, "WHOLE_BYTES", 1 << 16)
    fetched: list[int] = []
    from s3fs.core import S3File

    original = S3File._fetch_range

    def counted(self: object, start: int, end: int) -> bytes:
        fetched.append(end - start)
        return original(self, start, end)

    monkeypatch.setattr(S3File, "_fetch_range", counted)
    assert read_parquet(path, ["id"])["id"].to_pylist() == list(range(1000))
    assert 0 < sum(fetched) < 200_000 < 2_000_000
    with open_parquet(path) as file:
        assert file.read_row_group(0, columns=["blob"]).num_rows == 1000


@pytest.mark.s3
def test_a_place_survives_pickle_and_fork_and_tells_no_secret(s3_root: Place) -> None:
    write_bytes_atomic(s3_root / "a", b"x")
    again = pickle.loads(pickle.dumps(s3_root))
    assert again == s3_root and (again / "a").read_bytes() == b"x"
    assert S3_KEY.encode() not in pickle.dumps(s3_root) and S3_KEY not in repr(s3_root)
    child = os.fork()
    if child == 0:  # a client of the parent would hang here
        try:
            os._exit(0 if (s3_root / "a").read_bytes() == b"x" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.s3
def test_what_is_wrong_of_a_bucket_is_a_sentence(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="there is no bucket 'no-such-bucket-here'"):
        require_reachable(place("s3://no-such-bucket-here/lake"))
    code = (
        "from fashion_assets.storage.places import place, require_reachable\n"
        "from fashion_assets.storage.errors import UserError\n"
        "try:\n    require_reachable(place('s3://bucket/lake'))\n"
        "except UserError as fault:\n    print(fault)\n"
    )
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "s3://bucket/lake cannot be reached" in said.stdout and "AWS_ENDPOINT_URL" in said.stdout
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    environment |= {"AWS_ENDPOINT_URL": s3_endpoint, "HOME": "/nonexistent"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "cannot be reached" in said.stdout and "AWS_ACCESS_KEY_ID" in said.stdout
