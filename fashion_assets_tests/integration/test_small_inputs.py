"""The whole pipeline on next to nothing ends with a report and a warehouse, not with a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.storage.warehouse import query
from fashion_assets_tests.integration.conftest import Run, learn_words_quickly

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_like,post_fetch_time"


@pytest.mark.parametrize(("posts", "likes", "kept", "styles"), [(1, 3, 1, 1), (1, -1, 0, 0), (5, 3, 5, 1)])
def test_a_handful_of_posts(cli: Run, tmp_path: Path, posts: int, likes: int, kept: int, styles: int) -> None:
    rows = [
        f"u{n},p{n},新中式,2024-05-0{n + 1},马面裙 好看,{likes},2024-06-01 10:00:00" for n in range(posts)
    ]
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    learn_words_quickly(tmp_path)
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
    assert ": made" in ran.stderr, "a log tells where the run is"
    tables = query(root / "warehouse.duckdb", "show tables")["name"].tolist()
    assert tables == [
        "product_evaluation",
        "product_figures",
        "product_predictions",
        "product_split",
        "products",
        "quarantined_products",
    ]
    judged = query(root / "warehouse.duckdb", "select attribute, n_test, accuracy from product_evaluation")
    assert judged["attribute"].iloc[-1] == "(all)" and len(judged) > 2 and judged["n_test"].gt(0).all()
    assert "Nothing new" in cli("run", "--data-dir", root).stdout


@pytest.mark.slow
def test_sample_products_from_training_to_projection(cli: Run, tmp_path: Path) -> None:
    made = cli("sample", tmp_path, "--months", "1", "--posts-per-month", "10", "--products", "300")
    assert made.returncode == 0, made.stderr
    shop, truth = tmp_path / "incoming" / "products", tmp_path / "sample_truth" / "products.csv"
    model, preds = tmp_path / "model", tmp_path / "preds.csv"
    trained = cli("products", "train", shop, "--labels", "category,sub_category,sex", "--model-dir", model)
    assert trained.returncode == 0, trained.stderr
    predicted = cli("products", "predict", shop, "--model-dir", model, "--out", preds)
    assert predicted.returncode == 0, predicted.stderr
    judged = cli("products", "evaluate", preds, truth, "--json", tmp_path / "figures.json")
    assert judged.returncode == 0, judged.stderr
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert figures["labels"]["category"]["metrics"]["accuracy"] > 0.95
    # The refused cards and the predicted ones are all that arrived.
    refused = pd.read_csv(tmp_path / "preds.refused.csv")
    assert figures["n_predictions"] + len(refused) == len(pd.read_csv(shop / "products.csv"))
    (tmp_path / "names.txt").write_text("上衣\n裤装\n鞋履\n包袋\n", encoding="utf-8")
    projected = cli(
        *("products", "project", shop, "--categories", tmp_path / "names.txt", "--model-dir", model),
        *("--label", "category", "--out", tmp_path / "projected.csv"),
    )
    assert projected.returncode == 0, projected.stderr
    found = pd.read_csv(tmp_path / "projected.csv", dtype={"id": str}).set_index("id")["target_category"]
    known = pd.read_csv(truth, dtype=str).drop_duplicates("id").set_index("id")["category"]
    of_these = known[known.isin(["上衣", "裤装", "鞋履", "包袋"]) & known.index.isin(found.index)]
    assert (found[of_these.index] == of_these).mean() > 0.8
