"""What a second run does: nothing, or just what new or lost files ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets_tests.integration.conftest import Demo, Run

pytestmark = pytest.mark.slow


@pytest.fixture
def root(demo: Demo, tmp_path: Path) -> Iterator[Path]:
    """A copy of the demo, products left out, that a test may change."""
    copy = tmp_path / "data"
    shutil.copytree(demo.root, copy, ignore=shutil.ignore_patterns("products"), copy_function=shutil.copy2)
    yield copy


def written(root: Path) -> dict[str, int]:
    files = [
        *(root / "lake").rglob("*.parquet"),
        *(root / "models").rglob("*.safetensors"),
        root / "warehouse.duckdb",
    ]
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in files}


def test_a_second_run_does_nothing_and_says_so(root: Path, cli: Run) -> None:
    before = written(root)
    again = cli("run", "--data-dir", root)
    assert again.returncode == 0, again.stderr
    assert "Nothing new" in again.stdout
    assert written(root) == before


def test_a_late_crawl_touches_its_month_and_no_other(root: Path, cli: Run) -> None:
    header = "poster_id,post_id,post_title,post_date,post_content,post_tag,post_like,post_fetch_time"
    rows = [
        "u0000000000000001,65a0000000000000000000f1,晚到的一条,2024-02-11,新中式马面裙,新中式,12,2024-07-01 10:00:00",
        "u0000000000000001,65a0000000000000000000f2,坏的一条,2024-02-30,马面裙,,12,2024-07-01 10:00:00",
    ]
    (root / "incoming" / "late.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    before = written(root)
    ran = cli("run", "--data-dir", root)
    assert ran.returncode == 0, ran.stderr
    changed = {name for name, time in written(root).items() if before.get(name) != time}
    months = {name.rsplit("/", 1)[1][:7] for name in changed if name.startswith("lake/cleaned_posts/")}
    assert months == {"2024-02"}
    # Once fitted, a model stays: the late post is assigned by it.
    kept = ("style_model", "word_vectors", "tfashion")
    assert not [name for name in changed if any(model in name for model in kept)]
    clusters = pd.read_parquet(root / "lake" / "style_clusters" / "2024-02.parquet")
    assert "65a0000000000000000000f1" in set(clusters["post_id"])
    quarantined = pd.read_parquet(root / "lake" / "quarantined_posts" / "2024-02.parquet")
    row = quarantined[quarantined["source_file"] == "late.csv"].iloc[0]
    assert (row["source_row"], row["column"]) == (3, "post_date")


def test_a_lost_file_is_made_again_equal(root: Path, cli: Run) -> None:
    path = root / "lake" / "fashion_keywords" / "2024-03.parquet"
    before = pd.read_parquet(path)
    path.unlink()
    ran = cli("run", "--data-dir", root, "--select", "fashion_keywords")
    assert ran.returncode == 0, ran.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(path), before)


def test_changed_settings_make_stale_what_depends_on_them(root: Path, cli: Run) -> None:
    before = written(root)
    ran = cli(
        "run",
        "--data-dir",
        root,
        "--months",
        "2024-01",
        "--select",
        "garment_images",
        FASHION_MIN_GARMENT_SHARE="0.3",
    )
    assert ran.returncode == 0, ran.stderr
    changed = {name for name, time in written(root).items() if before.get(name) != time}
    assert {name for name in changed if "crops" not in name} == {"lake/garment_images/2024-01.parquet"}
    garments = pd.read_parquet(root / "lake" / "garment_images" / "2024-01.parquet")
    assert (garments["kept"] == (garments["garment_share"] >= 0.3)).all()
