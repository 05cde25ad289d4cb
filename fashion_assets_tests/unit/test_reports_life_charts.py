"""Stacked shares and the duration chart: parts add up, gaps stay gaps, any size is a chart."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest

from fashion_assets.reports.life_charts import DURATION_ROWS, duration_chart_svg, stacked_shares_svg
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, NAMES, profiles_frame


def history(months: list[str], names: list[str]) -> pd.DataFrame:
    return pd.concat(
        [profiles_frame(month, names, seed=i) for i, month in enumerate(months)], ignore_index=True
    )


def texts_of(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def columns(svg: str) -> dict[str, float]:
    """Total height of the blocks at each x."""
    heights: dict[str, float] = {}
    for rect in ElementTree.fromstring(svg).iter("rect"):
        # one pixel between blocks belongs to the block below it
        grey = "ghost" in rect.attrib["style"]
        heights[rect.attrib["x"]] = (
            heights.get(rect.attrib["x"], 0) + float(rect.attrib["height"]) + (not grey)
        )
    return heights


def test_each_column_is_full_and_a_month_without_profiles_has_none() -> None:
    svg = stacked_shares_svg(history(["2024-01", "2024-03"], [*NAMES, *(f"小众 {i}" for i in range(9))]))
    heights = columns(svg)
    assert len(heights) == 2
    assert max(heights.values()) == pytest.approx(min(heights.values()), abs=0.2)
    assert max(heights.values()) == pytest.approx(420 - 30 - 26, abs=0.2)
    assert "7 other styles" in texts_of(svg)
    assert "2024-02" in texts_of(svg)


def test_highlighted_styles_come_first_and_are_named() -> None:
    names = [f"风格{i}" for i in range(20)]
    svg = stacked_shares_svg(history(["2024-01", "2024-02"], names), highlight=[17, 3])
    assert {"风格17", "风格3"} <= set(texts_of(svg))
    assert "12 other styles" in texts_of(svg)


def test_duration_chart_has_a_cell_per_month_with_posts() -> None:
    frame = history(["2024-01", "2024-02", "2024-03"], NAMES[:3])
    frame = frame[~((frame["style_id"] == 1) & (frame["month"] != "2024-02"))]
    frame = frame[~((frame["style_id"] == 2) & (frame["month"] == "2024-01"))]
    svg = duration_chart_svg(frame)
    assert len(list(ElementTree.fromstring(svg).iter("rect"))) == 3 + 1 + 2
    texts = texts_of(svg)
    assert [texts.index(NAMES[i]) for i in (0, 1, 2)] == sorted(texts.index(NAMES[i]) for i in (0, 1, 2))
    assert any(text.startswith("1 month, peak") and text.endswith("in 2024-02") for text in texts)


def test_the_darkest_cell_is_the_largest_share() -> None:
    frame = pd.DataFrame(
        {
            "month": ["2024-01", "2024-01"],
            "style_id": [0, 1],
            "name": ["a", "b"],
            "share": [0.8, 0.2],
            "share_low": [0.7, 0.1],
            "share_high": [0.9, 0.3],
        }
    )
    shades = [
        float(rect.attrib["style"].split("fill-opacity:")[1])
        for rect in ElementTree.fromstring(duration_chart_svg(frame)).iter("rect")
    ]
    assert shades == [1.0, 0.34]


@pytest.mark.parametrize("n_months", [0, 1, 60])
@pytest.mark.parametrize("n_styles", [1, 200])
def test_charts_are_valid_for_any_size(n_months: int, n_styles: int) -> None:
    months = [f"{2020 + i // 12}-{i % 12 + 1:02d}" for i in range(n_months)]
    frame = (
        history(months, [f"风格{i}" for i in range(n_styles)]) if months else profiles_frame("2024-01", [])
    )
    for svg in (stacked_shares_svg(frame), duration_chart_svg(frame)):
        assert ElementTree.fromstring(svg).tag == "svg"
        assert "nan" not in svg
    rows = {r.attrib["y"] for r in ElementTree.fromstring(duration_chart_svg(frame)).iter("rect")}
    assert len(rows) == (min(n_styles, DURATION_ROWS) if months else 0)


def test_hostile_names_stay_text() -> None:
    frame = history(["2024-01", "2024-02"], HOSTILE)
    for svg in (stacked_shares_svg(frame), duration_chart_svg(frame)):
        elements = list(ElementTree.fromstring(svg).iter())
        assert {element.tag for element in elements} <= {
            "svg",
            "desc",
            "text",
            "line",
            "path",
            "rect",
            "title",
        }
        assert not [name for element in elements for name in element.attrib if name.startswith("on")]
