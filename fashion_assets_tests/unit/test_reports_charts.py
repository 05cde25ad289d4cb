"""Charts: valid, escaped, gaps kept, labels apart; PNGs open and stay small."""

from __future__ import annotations

import base64
import io
import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashion_assets.reports import charts
from fashion_assets.reports.palette import DARK, LIGHT, colour_slots
from fashion_assets.reports.share_series import runs, share_series
from fashion_assets.reports.svg import nice_ticks, shorten, spread, text_width
from fashion_assets.reports.wording import all_months, clip, month_title, percent, plain, quantity
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, NAMES, profiles_frame

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def texts_of(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def history(months: list[str], names: list[str]) -> pd.DataFrame:
    return pd.concat(
        [profiles_frame(month, names, seed=i) for i, month in enumerate(months)], ignore_index=True
    )


def test_share_chart_names_the_highlighted_styles_with_their_last_share() -> None:
    frame = history(["2024-01", "2024-02"], NAMES)
    texts = texts_of(charts.share_chart_svg(frame, highlight=[2, 4]))
    last = frame[(frame["month"] == "2024-02") & (frame["style_id"] == 2)]["share"].iloc[0]
    assert NAMES[2] in texts
    assert NAMES[4] in texts
    assert NAMES[0] not in texts
    assert percent(last) in texts


def test_month_without_profiles_is_a_gap_and_a_missing_style_is_zero() -> None:
    frame = history(["2024-01", "2024-03"], NAMES[:2])
    frame = frame[~((frame["month"] == "2024-03") & (frame["style_id"] == 1))]
    months, series = share_series(frame)
    by_id = {one.style_id: one for one in series}
    assert months == ["2024-01", "2024-02", "2024-03"]
    assert math.isnan(by_id[0].share[1])
    assert by_id[1].share[2] == 0.0
    assert runs(by_id[0].share) == [[0], [2]]


@pytest.mark.parametrize("n_months", [1, 2, 60])
@pytest.mark.parametrize("n_styles", [0, 1, 200])
def test_share_chart_is_valid_for_any_size(n_months: int, n_styles: int) -> None:
    months = [f"{2020 + i // 12}-{i % 12 + 1:02d}" for i in range(n_months)]
    svg = charts.share_chart_svg(history(months, [f"风格{i}" for i in range(n_styles)]))
    assert ElementTree.fromstring(svg).tag == "svg"
    assert "nan" not in svg


def test_hostile_names_are_escaped_in_every_chart() -> None:
    frame = history(["2024-01", "2024-02"], HOSTILE)
    for svg in (
        charts.share_chart_svg(frame, highlight=range(len(HOSTILE))),
        charts.bar_chart_svg(HOSTILE, range(len(HOSTILE)), title=HOSTILE[1]),
    ):
        tags = {element.tag for element in ElementTree.fromstring(svg).iter()}
        assert tags <= {"svg", "desc", "text", "line", "path", "rect", "title"}
        assert not [a for e in ElementTree.fromstring(svg).iter() for a in e.attrib if a.startswith("on")]


def test_silhouette_chart_marks_the_chosen_k() -> None:
    curve = pd.DataFrame({"k": [4, 2, 6], "micro": [0.2, 0.1, math.nan], "macro": [0.1, 0.1, 0.1]})
    texts = texts_of(charts.silhouette_chart_svg(curve, 4))
    assert "chosen: k = 4" in texts
    assert {"micro", "macro"} <= set(texts)
    assert "chosen" not in " ".join(texts_of(charts.silhouette_chart_svg(curve, 40)))
    assert "No number of styles" in charts.silhouette_chart_svg(curve.head(0), None)


def test_bars_are_proportional_and_unknown_values_are_dashes() -> None:
    svg = charts.bar_chart_svg(["a", "b", "c"], [4.0, 2.0, math.nan], width=300)
    widths = [float(rect.attrib["width"]) for rect in ElementTree.fromstring(svg).iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.02)
    assert texts_of(svg)[-1] == "–"


@given(st.lists(NUMBERS, max_size=12), st.floats(1, 50))
def test_spread_keeps_order_and_distance(positions: list[float], gap: float) -> None:
    moved = spread(positions, gap, -1e7, 1e7)
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    for first, second in pairwise(order):
        assert moved[second] - moved[first] >= gap - 1e-6


@given(NUMBERS, st.floats(1e-6, 1e6))
def test_ticks_cover_the_range_in_even_steps(low: float, length: float) -> None:
    ticks = nice_ticks(low, low + length)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + step * 1e-6
    assert ticks[-1] >= low + length - step * 1e-6
    assert 2 <= len(ticks) <= 14
    assert np.allclose(np.diff(ticks), step, rtol=1e-3, atol=1e-9)


@given(st.text(max_size=40), st.floats(20, 300))
def test_shortened_text_fits(text: str, width: float) -> None:
    assert text_width(shorten(text, width)) <= width


@given(st.text(max_size=60))
def test_plain_text_has_no_control_or_direction_characters(text: str) -> None:
    line = plain(text)
    assert not any(ord(c) < 32 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" for c in line)
    assert plain(line) == line
    assert len(clip(text, 10)) <= 10


def test_numbers_and_months_read_well() -> None:
    assert (percent(0.1234), percent(None), percent(pd.NA), percent(0.05, 0)) == ("12.3%", "–", "–", "5%")
    assert (quantity(12345), quantity(10.5), quantity(math.nan)) == ("12,345", "10.5", "–")
    assert (month_title("2024-01"), month_title("2024-01-01"), month_title("late")) == (
        "January 2024",
        "January 2024",
        "late",
    )
    assert all_months(["2024-02", "2023-12"]) == ["2023-12", "2024-01", "2024-02"]


@given(st.lists(st.integers(0, 500), unique=True, max_size=8))
def test_up_to_eight_styles_never_share_a_colour(style_ids: list[int]) -> None:
    slots = colour_slots(style_ids)
    assert len(set(slots.values())) == len(style_ids)
    if style_ids:
        assert slots[style_ids[0]] == style_ids[0] % 8


def contrast(colour: str, ground: str) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(value: str) -> float:
        parts = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_series_colours_are_readable_on_both_grounds() -> None:
    assert all(contrast(colour, "#ffffff") >= 4.5 for colour in LIGHT)
    assert all(contrast(colour, "#16181b") >= 4.5 for colour in DARK)


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_png_charts_open_and_fit_into_metadata() -> None:
    curve = pd.DataFrame({"k": [2, 4, 6], "micro": [0.1, 0.2, 0.1], "macro": [0.1, 0.1, 0.1]})
    labels = [*NAMES, "$x_1$", "_hidden", "🍂🍂", *HOSTILE]
    pictures = [
        charts.share_chart_png(history(["2024-01", "2024-02", "2024-03"], [*NAMES, *HOSTILE])),
        charts.share_chart_png(pd.DataFrame()),
        charts.silhouette_chart_png(curve, 4),
        charts.silhouette_chart_png(curve.head(0)),
        charts.histogram_png(np.linspace(0, 1, 300), "garment share", 0.05),
        charts.histogram_png([math.nan]),
        charts.bar_chart_png(labels, list(range(len(labels))), "$ 风格"),
        charts.bar_chart_png([], []),
    ]
    for png in pictures:
        assert opened(png).format == "PNG"
        assert charts.png_markdown(png) is not None


def test_png_markdown_holds_the_picture_or_a_smaller_one_or_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    small = charts.bar_chart_png(["a"], [1])
    markdown = charts.png_markdown(small)
    assert markdown is not None
    assert base64.b64decode(markdown.split("base64,")[1].rstrip(")")) == small
    reduced = charts.png_markdown(buffer.getvalue(), 60_000)
    assert reduced is not None
    assert len(reduced) <= 60_000
    assert opened(base64.b64decode(reduced.split("base64,")[1].rstrip(")"))).width < 400
    assert charts.png_markdown(buffer.getvalue(), 200) is None
    assert charts.png_markdown(b"no picture" * 100, 200) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=12), st.floats(0, 1e9) | st.just(math.nan)), min_size=1, max_size=6)
)
def test_bar_chart_is_well_formed_for_any_text(rows: list[tuple[str, float]]) -> None:
    svg = charts.bar_chart_svg([label for label, _ in rows], [value for _, value in rows])
    assert ElementTree.fromstring(svg).tag == "svg"
