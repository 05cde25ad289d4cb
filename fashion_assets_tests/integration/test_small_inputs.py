"""The whole pipeline on next to nothing ends with a report and a warehouse, not with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from fashion_assets.storage.warehouse import query
from fashion_assets_tests.integration.conftest import Run

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_like,post_fetch_time"


@pytest.mark.parametrize(("posts", "likes", "kept", "styles"), [(1, 3, 1, 1), (1, -1, 0, 0), (5, 3, 5, 1)])
def test_a_handful_of_posts(cli: Run, tmp_path: Path, posts: int, likes: int, kept: int, styles: int) -> None:
    rows = [
        f"u{n},p{n},新中式,2024-05-0{n + 1},马面裙 好看,{likes},2024-06-01 10:00:00" for n in range(posts)
    ]
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    ran = cli("run", "--data-dir", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "reports" / "2024-05" / "style_report.html").exists()
    assert (tmp_path / "reports" / "style_atlas.html").exists()
    assert ("Newest report" in ran.stdout) == (kept > 0)
    counted = query(
        tmp_path / "warehouse.duckdb",
        "select (select count(*) from posts) kept, (select count(*) from style_profiles) styles",
    )
    assert counted.loc[0].tolist() == [kept, styles]


def test_products_alone_need_no_posts(cli: Run, tmp_path: Path) -> None:
    made = cli("sample", tmp_path / "sample", "--months", "1", "--posts-per-month", "10", "--products", "150")
    assert made.returncode == 0, made.stderr
    root = tmp_path / "data"
    (root / "incoming").mkdir(parents=True)
    (tmp_path / "sample" / "incoming" / "products").rename(root / "incoming" / "products")
    ran = cli("run", "--data-dir", root)
    assert ran.returncode == 0, ran.stderr
    tables = query(root / "warehouse.duckdb", "show tables")["name"].tolist()
    assert tables == ["product_predictions", "products", "quarantined_products"]
    assert "Nothing new" in cli("run", "--data-dir", root).stdout
