"""From sample to report: every room exists and the truth is found."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fashion_assets_tests.integration.conftest import Demo

pytestmark = pytest.mark.slow


def ask(demo: Demo, statement: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.root / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(statement).df()


def test_the_warehouse_holds_the_published_tables(demo: Demo) -> None:
    tables = set(ask(demo, "show tables")["name"])
    assert {"posts", "keywords", "style_clusters", "style_profiles", "quarantine"} <= tables
    assert {
        "images",
        "garments",
        "style_trends",
        "keyword_trends",
        "weekly_trends",
        "products",
        "product_predictions",
    } <= tables
    for table in tables:
        assert ask(demo, f'select count(*) n from "{table}"')["n"][0] > 0, table


def test_the_clusters_recover_the_latent_styles(demo: Demo) -> None:
    from sklearn.metrics import adjusted_rand_score

    truth = pd.read_csv(demo.truth("posts")).drop_duplicates("post_id")[["post_id", "style"]]
    assert truth["style"].nunique() >= 12
    found = ask(demo, "select post_id, month, style_id from style_clusters").merge(truth, on="post_id")
    assert len(found) >= 900
    assert adjusted_rand_score(found["style"], found["style_id"]) >= 0.6
    newest = found[found["month"] == found["month"].max()]
    assert adjusted_rand_score(newest["style"], newest["style_id"]) >= 0.6


def test_every_injected_fault_is_in_quarantine_at_its_row(demo: Demo) -> None:
    faults = pd.read_csv(demo.truth("faults"))
    assert len(faults) >= 15
    quarantine = ask(
        demo, 'select source_file, source_row, "column", reason from quarantine where month is not null'
    )
    found = set(zip(quarantine["source_file"], quarantine["source_row"], strict=True))
    injected = set(zip(faults["file"], faults["row"], strict=True))
    assert injected <= found
    assert found == injected, "a good row was refused"
    assert quarantine["reason"].str.len().min() > 20


def test_arrived_is_older_crawls_and_kept_and_quarantined(demo: Demo) -> None:
    from fashion_assets.posts.landed import landed_months
    from fashion_assets.posts.raw import arrival_counts

    total = 0
    for month in landed_months(demo.root / "lake"):
        arrived = arrival_counts(demo.root / "lake", month)
        kept = ask(demo, f"select count(*) n from posts where month = '{month}'")["n"][0]
        refused = ask(demo, f"select count(*) n from quarantine where month = '{month}'")["n"][0]
        assert arrived["rows"] == arrived["superseded"] + kept + refused
        total += arrived["rows"]
    records = 0
    for path in sorted((demo.root / "incoming").glob("crawl_*")):
        records += pq_rows(demo.root / "lake", path.name)
    assert total == records


def pq_rows(lake: Path, file: str) -> int:
    from fashion_assets.posts.landed import read_ledger

    ledger = read_ledger(lake)
    return int(ledger.loc[ledger["file"] == file, "rows"].iloc[0])


def test_the_keyword_facets_are_found(demo: Demo) -> None:
    keywords = ask(demo, "select unnest(keywords) word, unnest(facets) facet from keywords").drop_duplicates()
    found = dict(zip(keywords["word"], keywords["facet"], strict=True))
    truth = pd.read_csv(demo.truth("fashion_words"))
    texts = " ".join(ask(demo, "select lower(text) text from posts")["text"])
    said = truth[[str(word).lower() in texts for word in truth["word"]]]
    right = [
        found.get(str(word).lower()) == facet for word, facet in zip(said["word"], said["facet"], strict=True)
    ]
    assert sum(right) / len(right) >= 0.85
    assert set(truth["facet"]) - {"hair_beauty"} <= set(keywords["facet"])


def test_small_garments_leave_the_style_branch(demo: Demo) -> None:
    truth = pd.read_csv(demo.truth("pictures"))
    garments = ask(demo, "select image_id, garment_share, kept from garments")
    truth["image_id"] = truth["post_id"] + "/" + truth["name"]
    both = garments.merge(truth, on="image_id")
    small, large = both[both["under_5"].astype(bool)], both[both["garment_share_true"] > 0.1]
    assert (~small["kept"]).mean() >= 0.6
    assert large["kept"].mean() >= 0.97


def test_no_raw_author_id_is_anywhere(demo: Demo) -> None:
    with (demo.root / "incoming" / "crawl_2024-01.csv").open(encoding="utf-8-sig", newline="") as handle:
        authors = {row["poster_id"] for row in csv.DictReader(handle) if row.get("poster_id")}
    authors = {author for author in authors if re.fullmatch(r"[0-9a-f]{16,24}", author)}
    assert len(authors) > 20
    pattern = re.compile("|".join(sorted(authors)))
    for path in (demo.root / "lake").rglob("*.parquet"):
        for column in pq.read_table(path).to_pydict().values():
            assert not pattern.search(repr(column)), path
    for table in ask(demo, "show tables")["name"]:
        assert not pattern.search(ask(demo, f'from "{table}"').to_csv()), table
    for path in [*demo.root.glob("reports/**/*.html"), *demo.root.glob("dagster_home/**/*")]:
        if path.suffix == ".db":
            with sqlite3.connect(path) as connection:
                assert not any(pattern.search(line) for line in connection.iterdump()), path
        elif path.is_file():
            assert not pattern.search(path.read_text(encoding="utf-8", errors="replace")), path
    assert not pattern.search(demo.output)


class _Requests(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")
        ]


def test_each_month_has_a_self_contained_report_with_pictures(demo: Demo) -> None:
    reports = sorted((demo.root / "reports").glob("*/style_report.html"))
    assert [path.parent.name for path in reports] == ["2024-01", "2024-02", "2024-03", "2024-04"]
    for path in reports:
        page = path.read_text(encoding="utf-8")
        parser = _Requests()
        parser.feed(page)
        assert all(asked.startswith(("data:", "#")) for asked in parser.asked)
        assert page.count("data:image/jpeg") >= 30
        assert "local:cbow@" in page and "local:visual" in page
        assert (path.parent / "montage.png").read_bytes().startswith(b"\x89PNG")
    assert str(reports[-1]) in demo.output.replace("\n", "")


def test_embeddings_are_made_once(demo: Demo) -> None:
    """The cache holds each content once, although months and near-identical texts repeat."""
    for folder in (demo.root / "models" / "embedding_cache").iterdir():
        hashes = [
            h for path in folder.glob("*.parquet") for h in pq.read_table(path)["content_hash"].to_pylist()
        ]
        assert len(hashes) == len(set(hashes)) > 0


def test_heads_are_judged_on_unseen_families(demo: Demo) -> None:
    for path in (demo.root / "lake" / "attribute_classifiers").glob("*.parquet"):
        splits = pq.read_table(path).to_pandas()
        assert set(splits["split"]) == {"rows", "families"}
    predictions = ask(demo, "select * from product_predictions")
    assert set(predictions["attribute"]) == {"category", "sub_category", "sex", "season", "colour"}


def test_the_atlas_shows_every_post_with_a_style(demo: Demo) -> None:
    page = (demo.root / "reports" / "style_atlas.html").read_text(encoding="utf-8")
    content = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.S)
    assert content and json.loads(content[1])
