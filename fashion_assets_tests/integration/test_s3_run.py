"""A whole ``run`` with crawl files and lake in a bucket gives what one on a disk gives, table by table."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.places import Place, files_below, inside, is_remote, place
from fashion_assets_tests.conftest import S3_KEY, S3_SECRET
from fashion_assets_tests.integration.conftest import learn_words_quickly

Run = Callable[..., subprocess.CompletedProcess[str]]

# Two whole runs: about a minute of one core each.
pytestmark = [pytest.mark.s3, pytest.mark.slow]

#: Both data roots hash authors alike.
SALT = "the same for both"
BUCKET = "a-run-in-a-bucket"


@dataclass(frozen=True)
class Runs:
    """The same sample after ``run``, on a disk and in a bucket."""

    local: Path
    data_root: Path
    bucket: Place
    environment: dict[str, str]


@pytest.fixture(scope="module")
def runs(s3_endpoint: str, cli: Run, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    bucket = place(f"s3://{BUCKET}/fashion")
    assert is_remote(bucket)
    bucket.fs.call_s3("create_bucket", Bucket=BUCKET)
    local = tmp_path_factory.mktemp("local")
    made = cli("sample", local, "--months", "1", "--posts-per-month", "40", "--products", "0", "--seed", "5")
    assert made.returncode == 0, made.stderr
    shutil.rmtree(local / "incoming" / "products", ignore_errors=True)
    shutil.rmtree(local / "incoming" / "taxonomy", ignore_errors=True)
    for path in files_below(local / "incoming"):
        write_bytes_atomic(
            bucket / "incoming" / inside(local / "incoming", path).as_posix(), path.read_bytes()
        )
    data_root = tmp_path_factory.mktemp("beside-the-bucket")
    environment = {
        "FASHION_AUTHOR_SALT": SALT,
        "FASHION_LAKE_URL": f"{bucket}/lake",
        "FASHION_INCOMING_URL": f"{bucket}/incoming",
    }
    for root in (local, data_root):
        learn_words_quickly(root)
    for root, given in ((local, {"FASHION_AUTHOR_SALT": SALT}), (data_root, environment)):
        ran = cli("run", "--data-dir", root, **given)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return Runs(local, data_root, bucket, environment)


def test_every_table_is_the_same(runs: Runs) -> None:
    local, far = Lake(runs.local / "lake"), Lake(runs.bucket / "lake")
    assets = sorted(path.name for path in (runs.local / "lake").iterdir() if path.is_dir())
    compared = 0
    for asset in set(assets) - {"landing", "media", "crops"}:
        assert far.partitions(asset) == local.partitions(asset), asset
        for name in local.partitions(asset):
            key = None if name == "all" else name
            assert far.read(asset, key).equals(local.read(asset, key)), (asset, name)
            compared += 1
    assert compared > 15


def test_pictures_and_crops_are_the_same_bytes(runs: Runs) -> None:
    for folder in ("media", "crops"):
        root = runs.local / "lake" / folder
        names = {path.relative_to(root).as_posix() for path in files_below(root)}
        far = {
            inside(runs.bucket / "lake" / folder, path).as_posix(): stamp.n_bytes
            for path, stamp in files_below(runs.bucket / "lake" / folder).items()
        }
        assert far == {name: (root / name).stat().st_size for name in names}
        assert names


def test_nothing_of_the_lake_is_on_the_disk_and_the_rest_is(runs: Runs) -> None:
    assert not (runs.data_root / "lake").exists() and not (runs.data_root / "incoming").exists()
    assert not (runs.data_root / "models" / "embedding_cache").exists()
    assert files_below(runs.bucket / "lake" / "embedding_cache", "*.parquet")
    assert (runs.data_root / "warehouse.duckdb").is_file()
    assert list((runs.data_root / "reports").glob("*/style_report.html"))


def test_a_second_run_has_nothing_to_do(runs: Runs, cli: Run) -> None:
    before = files_below(runs.bucket)
    ran = cli("run", "--data-dir", runs.data_root, **runs.environment)
    assert ran.returncode == 0, ran.stderr
    assert "Nothing new: everything is as its inputs are." in ran.stdout
    assert files_below(runs.bucket) == before


def test_a_lake_that_moves_is_not_made_again(runs: Runs, cli: Run, tmp_path: Path) -> None:
    for path in files_below(runs.bucket / "lake"):
        write_bytes_atomic(tmp_path / "lake" / inside(runs.bucket / "lake", path), path.read_bytes())
    moved = {**runs.environment, "FASHION_LAKE_URL": str(tmp_path / "lake")}
    ran = cli("run", "--data-dir", runs.data_root, **moved)
    assert ran.returncode == 0, ran.stderr
    assert "Nothing new: everything is as its inputs are." in ran.stdout


def test_credentials_are_in_no_file(runs: Runs) -> None:
    """Neither run history, logs, metadata nor models hold them, and no object does."""
    for path in [*files_below(runs.data_root), *files_below(runs.bucket / "lake", "*.parquet")]:
        content = path.read_bytes()
        assert S3_KEY.encode() not in content and S3_SECRET.encode() not in content, path


def test_a_month_that_is_gone_is_made_again(runs: Runs, cli: Run) -> None:
    lake = Lake(runs.bucket / "lake")
    month = lake.months("fashion_keywords")[0]
    table = lake.read("fashion_keywords", month)
    lake.path("fashion_keywords", month).unlink()
    ran = cli("run", "--data-dir", runs.data_root, "--select", "fashion_keywords", **runs.environment)
    assert ran.returncode == 0, ran.stderr
    assert lake.read("fashion_keywords", month).equals(table)
