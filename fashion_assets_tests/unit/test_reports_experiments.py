"""The comparison page and its charts: every variant has its place, nothing in a row can reach out of it."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fashion_assets.reports.experiment_charts import (
    leaderboard_png,
    month_columns_svg,
    scatter_png,
    scatter_svg,
)
from fashion_assets.reports.experiments import decimal, render_experiments
from fashion_assets.styles.experiments.experiment import ExperimentParams, nothing_to_judge, run_experiment
from fashion_assets.styles.experiments.rows import NO_JOINT_SPACE
from fashion_assets.styles.experiments.table import curve_of, experiment_table, ranked
from fashion_assets.styles.experiments.variants import variant_of
from fashion_assets_tests.unit.styles_made import blobs

MOMENT = datetime(2024, 7, 1, 9, 30)
PARAMS = ExperimentParams(k_max=12, bootstraps=1, seeds=1, stability_rows=60)


def made_rows() -> list[dict[str, Any]]:
    """Groups that pass, one cluster with most posts, noise, and a variant that cannot be tried."""
    x, _ = blobs(200, 5, 16, 0.6, seed=4)
    months = np.where(np.arange(len(x)) < 90, "2024-01", "2024-02")
    lopsided = np.concatenate([np.repeat(x[:1], 300, axis=0), x])
    scattered = np.concatenate([x, np.random.default_rng(5).normal(size=(100, 16))])
    tries = {
        "image-pca-kmeans": (x, months),
        "text_content-pca-kmeans": (lopsided, np.full(500, "2024-01")),
        "image-none-hdbscan": (scattered, np.full(300, "2024-02")),
    }
    tables = [
        experiment_table(variant_of(key), run_experiment(rows, when, variant_of(key), PARAMS, 7), 900, "made")
        for key, (rows, when) in tries.items()
    ]
    tables.append(experiment_table(variant_of("joint-none-kmeans"), nothing_to_judge(NO_JOINT_SPACE), 0, ""))
    return ranked([table.to_pylist()[0] for table in tables])


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return made_rows()


def test_the_page_tells_each_verdict_in_words_and_names_what_was_not_tried(
    rows: list[dict[str, Any]],
) -> None:
    page = render_experiments(rows, MOMENT)
    assert re.findall(r'class="card" id="([^"]+)"', page)[0] == "image-pca-kmeans"
    assert page.count('class="card"') == 4 and page.count("<li>") == 68
    assert "one cluster holds" in page and "not judged" in page and "different models" in page
    assert re.search(r"passes, with \d+% of the posts in no cluster", page)
    assert "✓ passes" in page and "✕ fails" in page
    assert re.search(r"2 of 3 ways of grouping these posts pass\.", page)
    assert "200 posts of 900, drawn by month, 2024-01 to 2024-02" in page
    # the row of 2024-01 alone: whether older than the posts of 2024-02, or without any to compare, no row tells
    assert "Without a post of 2024-02" in page and "whole text · PCA · k-means." in page
    assert page.count('aria-label="Silhouette by number of styles"') == 3
    assert page.count("posts in none as 0</figcaption>") == 1


def test_a_page_on_which_nothing_could_be_judged_says_so(rows: list[dict[str, Any]]) -> None:
    page = render_experiments([row for row in rows if row["variant"] == "joint-none-kmeans"], MOMENT)
    assert "Of 1 way of grouping these posts none could be judged." in page and "None of 0" not in page


def test_the_curve_is_the_one_by_which_k_was_chosen(rows: list[dict[str, Any]]) -> None:
    by_key = {row["variant"]: row for row in rows}
    noisy = by_key["image-none-hdbscan"]
    assert list(curve_of(noisy)) == ["k", "micro"]
    best = curve_of(noisy).set_index("k")["micro"]
    assert best.idxmax() == noisy["best_k"] and best.max() == noisy["silhouette_with_noise"]
    assert list(curve_of(by_key["image-pca-kmeans"])) == ["k", "micro", "macro"]


def test_the_page_is_self_contained_and_escapes(rows: list[dict[str, Any]]) -> None:
    hostile = "</style><script>window.__xss=1</script>"
    bad = dict.fromkeys(("verdict", "k_reason", "model_id"), hostile) | {
        "faults": [hostile],
        "notes": [hostile],
        "months": [hostile],
        "month_posts": [5],
        "month_shares": [[1.0]],
    }
    page = render_experiments([{**rows[0], **bad}], MOMENT)
    assert "<script" not in page and "window.__xss" in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)


def test_an_empty_page_says_so() -> None:
    page = render_experiments([], MOMENT)
    assert "No way of finding styles has been tried yet" in page and "72 ways have not been tried" in page


def test_dots_are_one_path_a_cluster_inside_the_chart() -> None:
    drawn = scatter_svg([0, 10, 5, 5], [0, 1, 3, 0], [0, 0, 1, -1], width=100, height=80)
    paths = re.findall(r'd="([^"]+)"', drawn)
    assert len(paths) == 3 and paths[0].count("M") == 1 and paths[2].count("M") == 2
    places = [(float(x), float(y)) for x, y in re.findall(r"M([\d.-]+),([\d.-]+)h0", " ".join(paths))]
    assert all(0 <= x <= 100 and 0 <= y <= 80 for x, y in places)
    one_line = scatter_svg([0, 1], [2, 2], [0, 1], width=100, height=80)
    assert {x for x, _ in re.findall(r"M([\d.]+),([\d.]+)h0", one_line)} == {"5.0", "95.0"}
    assert "No posts" in scatter_svg([], [], [])


def test_columns_of_months_add_up_with_the_small_clusters_in_one() -> None:
    shares = [[0.52] + [0.02] * 24, [0.0] * 25]
    drawn = month_columns_svg(["2024-01", "2024-02"], shares, [100, 0], height=230)
    heights = [float(value) for value in re.findall(r'height="([\d.]+)" style="fill', drawn)]
    assert len(heights) == 17  # 16 clusters and the rest; a month without posts has none
    assert "18.0% in 9 smaller clusters" in drawn
    assert sum(heights) == pytest.approx(200 - 16 * 0.6, abs=1)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(0.95, 2, ".95"), (0.999, 2, "1.00"), (0.1234, 3, ".123"), (-0.05, 2, "-.05"), (float("nan"), 2, "–")],
)
def test_decimals(value: float, digits: int, written: str) -> None:
    assert decimal(value, digits) == written


def test_pictures_for_the_metadata(rows: list[dict[str, Any]]) -> None:
    names, scores = ["a", "b", "c"], [0.4, -0.1, float("nan")]
    board = leaderboard_png(names, scores, ["passes", "fails", "none"], ["passes", "one cluster", "no space"])
    scatter = scatter_png(rows[0]["map_x"], rows[0]["map_y"], rows[0]["map_cluster"], "t")
    for png in (board, scatter, leaderboard_png([], [], [], []), scatter_png([], [], [])):
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.width >= 500
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10
