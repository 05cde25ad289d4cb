"""What deploy/README.md tells people to do to a data root, done: new author hashes, another place."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.runner import run_pipeline, write_dagster_home
from fashion_assets.sample.make import make_sample
from fashion_assets.settings import Settings

pytestmark = pytest.mark.slow

ASSETS = "raw_posts,cleaned_posts,quarantined_posts,warehouse"
COUNTS = "select month, count(*), count(distinct author) from posts group by month order by month"


def run(root: Path) -> bool:
    """``fashion-assets run --data-dir root``; whether there was anything to do."""
    settings = Settings(data_dir=root)
    write_dagster_home(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(settings.dagster_home))
        return not run_pipeline(build_definitions(settings), settings, select=ASSETS).nothing_to_do


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months that were run once."""
    folder = tmp_path_factory.mktemp("runbook") / "data"
    make_sample(folder, months=2, posts_per_month=60, products=0, seed=9)
    assert run(folder)
    return folder


def counts(root: Path) -> list[tuple[str, int, int]]:
    """Month, posts and authors, from the warehouse."""
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(COUNTS).fetchall()


def authors(root: Path) -> pd.Series:
    """The author of each post, by its id."""
    frames = [pd.read_parquet(path) for path in sorted((root / "lake" / "cleaned_posts").glob("*.parquet"))]
    return pd.concat(frames).set_index("post_id")["author"]


def test_a_moved_data_root_has_nothing_to_do(root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved, copy_function=shutil.copy2)
    assert not run(moved)
    assert counts(moved) == counts(root)


def test_a_new_salt_gives_every_author_another_hash_and_loses_nothing(root: Path, tmp_path: Path) -> None:
    rekeyed, kept = tmp_path / "data", tmp_path / "before-rekey"
    shutil.copytree(root, rekeyed, copy_function=shutil.copy2)
    before, old = counts(rekeyed), authors(rekeyed)
    assert len(before) == 2 and old.notna().sum() > 50

    kept.mkdir()
    shutil.move(rekeyed / "lake" / "landing", kept / "landing")
    shutil.move(rekeyed / "author_salt", kept / "author_salt")
    assert run(rekeyed)

    assert counts(rekeyed) == before
    new = authors(rekeyed)
    assert sorted(new.index) == sorted(old.index)
    pairs = pd.DataFrame({"old": old, "new": new}).dropna()
    assert len(pairs) == old.notna().sum()
    # One old hash is one new hash: who posted together still does, and nobody has the hash of before.
    assert pairs.groupby("old")["new"].nunique().max() == pairs.groupby("new")["old"].nunique().max() == 1
    assert set(pairs["new"]).isdisjoint(pairs["old"])
    found = Counter[str]()
    hashes = re.compile("|".join(sorted(set(pairs["old"]))))
    for path in (rekeyed / "lake").rglob("*.parquet"):
        for column in pd.read_parquet(path).select_dtypes("object"):
            for value in pd.read_parquet(path, columns=[column])[column].dropna():
                found[path.name] += len(hashes.findall(str(value)))
    assert found.total() == 0, found
    assert not run(rekeyed)


def test_a_crawl_file_that_is_gone_shows_in_the_counts(root: Path, tmp_path: Path) -> None:
    rekeyed = tmp_path / "data"
    shutil.copytree(root, rekeyed, copy_function=shutil.copy2)
    before = counts(rekeyed)
    shutil.move(rekeyed / "lake" / "landing", tmp_path / "landing")
    shutil.move(rekeyed / "author_salt", tmp_path / "author_salt")
    (gone,) = (rekeyed / "incoming").glob("crawl_2024-02*")
    gone.unlink()
    assert run(rekeyed)
    assert counts(rekeyed) != before
    # The way back of the runbook.
    shutil.rmtree(rekeyed / "lake" / "landing")
    shutil.move(tmp_path / "landing", rekeyed / "lake" / "landing")
    (rekeyed / "author_salt").unlink()
    shutil.move(tmp_path / "author_salt", rekeyed / "author_salt")
    assert run(rekeyed)
    assert counts(rekeyed) == before
    assert authors(rekeyed).equals(authors(root))
