"""The real crawl files run through ``fashion-assets run`` with no mapping beyond the declared file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fashion_assets.storage.warehouse import query
from fashion_assets_tests.integration.conftest import Run

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

COLUMNS = """
- files: "post_texts_dated*.csv"
  columns: {post_id: post, poster_id: author, post_date: date, post_title: title,
            post_content: text, post_tag: tags, post_like: likes, post_collect: collects}
  constants: {post_fetch_time: "2024-07-03 00:00:00"}
  absent: [post_location, post_time, post_comments]
  tag_separator: "|"
"""


@pytest.fixture(scope="module")
def root(real_data: Path, tmp_path_factory: pytest.TempPathFactory, cli: Run) -> Path:
    root = tmp_path_factory.mktemp("real")
    (root / "incoming").mkdir()
    for name in ("raw_posts.csv", "post_texts_dated.csv"):
        shutil.copyfile(real_data / "xhs" / name, root / "incoming" / name)
    (root / "incoming" / "columns.yaml").write_text(COLUMNS, encoding="utf-8")
    ran = cli("run", "--data-dir", root)
    assert ran.returncode == 0, ran.stderr
    return root


def test_every_row_is_kept_quarantined_or_an_older_crawl(root: Path) -> None:
    from fashion_assets.posts.landed import landed_months
    from fashion_assets.posts.raw import arrival_counts

    lake = root / "lake"
    arrived = [arrival_counts(lake, month) for month in landed_months(lake)]
    assert sum(counts["rows"] for counts in arrived) == 391 + 1790
    kept = query(root / "warehouse.duckdb", "select count(*) n from posts")["n"][0]
    refused = query(root / "warehouse.duckdb", "select count(*) n from quarantine")["n"][0]
    assert kept + refused + sum(counts["superseded"] for counts in arrived) == 391 + 1790
    assert kept >= 2000


def test_styles_come_from_text_where_there_are_no_pictures(root: Path) -> None:
    modalities = query(
        root / "warehouse.duckdb", "select distinct modality from style_clusters where style_id >= 0"
    )
    assert modalities["modality"].tolist() == ["text"]
    profiles = query(root / "warehouse.duckdb", "select * from style_profiles where month = '2024-05'")
    assert len(profiles) >= 5
    assert profiles["share"].sum() == pytest.approx(1.0)
    assert profiles["name"].is_unique


def test_there_is_a_report_for_each_of_the_thirteen_months(root: Path) -> None:
    reports = sorted(path.parent.name for path in (root / "reports").glob("*/style_report.html"))
    assert len(reports) == 13
    assert reports[0] == "2023-06" and reports[-1] == "2024-06"


def test_keywords_of_the_raw_crawl_are_fashion_words(real_data: Path, tmp_path: Path, cli: Run) -> None:
    out = tmp_path / "out.jsonl"
    ran = cli("keywords", "extract", real_data / "xhs" / "raw_posts.csv", "--out", out)
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 391
    words = {word for line in lines for word in line["keywords"]}
    # What the published system keeps and a reader would not.
    assert not words & {"真的", "感觉", "没想到", "下方"}
    assert {"穿搭", "连衣裙", "衬衫", "外套"} <= words
