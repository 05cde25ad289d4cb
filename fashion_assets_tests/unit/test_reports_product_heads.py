"""The page of attribute heads: figures, charts, published figures, and nothing unescaped."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from fashion_assets.products.evaluation import evaluate_attribute
from fashion_assets.products.head_record import HeadRecord, metrics_of, rows_of
from fashion_assets.products.reliability import reliability
from fashion_assets.reports.product_head_charts import confusion_svg, curves_svg, reliability_svg
from fashion_assets.reports.product_heads import PUBLISHED, render_heads, write_heads_report
from fashion_assets.reports.svg import text_width
from fashion_assets.reports.svg_charts import bar_chart_svg
from fashion_assets.storage.errors import UserError

NOW = datetime(2024, 5, 1, 12, 0)


def record(attribute: str = "season") -> HeadRecord:
    rng = np.random.default_rng(0)
    truth = rng.choice(["Summer", "Winter", "<b>Fall</b>"], 200)
    guess = np.where(rng.random(200) < 0.8, truth, "Summer")
    table = reliability(rng.uniform(0.4, 1, 200), truth == guess)
    return HeadRecord(
        attribute,
        "digest",
        "kernel",
        ["Summer", "Winter", "<b>Fall</b>"],
        note="a note & a half",
        **metrics_of(evaluate_attribute(truth, guess, attribute=attribute)),
        splits=[{"split": "families", "n_train": 100, "n_test": 200, "accuracy": 0.8}],
        candidates=[{"kind": "kernel", "macro_f1": 0.81, "chosen": True}],
        imbalance=[{"kind": "none", "macro_f1": 0.8, "chosen": False}],
        learning_curve=[{"n_train": 50, "macro_f1": 0.5}, {"n_train": 100, "macro_f1": 0.8}],
        search=[{"trial": 0, "value": 0.7, "best": 0.7}, {"trial": 1, "value": 0.8, "best": 0.8}],
        calibration_before=rows_of(table),
        calibration_after=rows_of(table),
    )


def test_the_page_holds_figures_charts_and_published_figures_with_the_note() -> None:
    share = {"value": 0.66, "low": 0.6, "high": 0.7}
    page = render_heads([record()], NOW, {"n": 150, "together": share, "alone": share, "decided": {}})
    assert page.count("<svg") == 5  # confusion, bars, calibration, learning curve, search
    assert "<b>Fall</b>" not in page and "&lt;b&gt;Fall&lt;/b&gt;" in page
    assert "0.660 (0.600–0.700)" in page and "0.622" in page  # all right; season as published
    assert "are not of the same data and cannot be compared" in page
    assert f"isadult {PUBLISHED['isadult']:.3f}" in page  # published for what we do not have
    assert "a note &amp; a half" in page and "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_tells_figures_of_heads_alone_from_those_decided_together() -> None:
    found = record()
    figures = {
        "n": 150,
        "together": {"value": 0.66, "low": 0.6, "high": 0.7},
        "alone": {"value": 0.61, "low": 0.55, "high": 0.65},
        "decided": {found.attribute: {"accuracy": 0.777, "macro_f1": 0.543}},
    }
    page = render_heads([found], NOW, figures)
    assert "0.660 (0.600–0.700) as the model decides, with the joint decoder" in page
    assert "0.610 (0.550–0.650) with each head by itself" in page
    assert "0.777, 0.543" in page and "Each head by itself, here and below" in page
    apart = render_heads([found], NOW, figures | {"decided": {}})
    assert "has no joint decoder" in apart and "decided<br>together" not in apart


def test_a_page_without_heads_says_so(tmp_path: Path) -> None:
    assert "No head has been trained yet" in render_heads([], NOW)
    with pytest.raises(UserError, match="has no figures to show"):
        write_heads_report(tmp_path)


def test_a_head_without_test_products_has_no_charts() -> None:
    page = render_heads([HeadRecord("rare", "digest", "logistic", ["a", "b"])], NOW)
    assert "rare" in page and "<svg" not in page


def test_small_classes_are_one_row_of_the_confusion_matrix() -> None:
    labels = [f"class {n:02d}" for n in range(60)]
    counts = (np.eye(60, dtype=int) * np.arange(60, 0, -1)).tolist()
    counts[0][59] = 2
    drawn = confusion_svg(labels, counts)
    assert "20 other classes" in drawn
    assert "class 00 → 20 other classes: 2 of 62 (3.2%)" in drawn
    assert confusion_svg([], []).count("No test product") == 2


def test_unknown_values_are_gaps_and_nothing_is_a_sentence() -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None}, {"epoch": 3, "loss": 0.25}]
    drawn = curves_svg(rows, "epoch", {"loss": "loss", "other": "other"}, "Training")
    assert "loss at 1: 0.5000" in drawn and "loss at 2" not in drawn and "other" not in drawn
    assert "Nothing was recorded." in curves_svg([], "epoch", {"loss": "loss"}, "Training")
    assert "No calibration was measured." in reliability_svg([], [])


def test_words_above_the_confusion_matrix_stand_apart_where_names_are_short() -> None:
    chart = confusion_svg(["女", "男"], [[5, 1], [2, 3]])
    places = dict(re.findall(r'<text x="([\d.]+)" y="12"[^>]*>(true|predicted)', chart))
    start = {words: float(x) for x, words in places.items()}
    assert start["predicted"] - start["true"] > text_width("true ↓", 11)


def test_the_legend_of_the_calibration_curve_stands_above_its_points() -> None:
    rows = [
        {"confidence": 0.95, "accuracy": 1.0, "count": 3},
        {"confidence": 0.6, "accuracy": 0.0, "count": 1},
    ]
    chart = reliability_svg(rows, rows)
    legend = max(float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:after|before) calibration', chart))
    lines = re.findall(r'<path d="M([^"]+)"', chart)
    curve = min(float(point.split(",")[1]) for line in lines for point in line.split("L"))
    assert legend < curve


def test_a_bar_of_f1_is_as_long_as_its_share_of_one() -> None:
    def widths(**options: float) -> list[float]:
        chart = bar_chart_svg(["a", "b"], [0.5, 0.25], as_percent=True, **options)
        return [float(width) for width in re.findall(r'rx="1.5" width="([\d.]+)"', chart)]

    half, _ = widths(full=1.0)
    assert half == pytest.approx(widths()[0] / 2, rel=0.01)


def test_a_page_says_when_no_test_product_has_every_label() -> None:
    said = "No test product has a label of every attribute"
    assert said in render_heads([record(), record("usage")], NOW)
    assert said not in render_heads([record()], NOW)


def test_a_head_that_nothing_was_measured_of_says_so() -> None:
    page = render_heads([HeadRecord("rare", "digest", "kernel", ["a", "b"])], NOW)
    assert "No test product has a label of it, so nothing was measured." in page
    assert "Expected calibration error" not in page
