"""Forecast charts: the largest series, and what the backtest says under each."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.reports.forecast_charts import backtest_words, forecast_chart_png
from fashion_assets.trends.tables import style_trends

MONTHS = [f"2024-{month:02d}" for month in range(1, 13)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    profiles = pd.DataFrame(
        [
            {
                "month": month,
                "style_id": style,
                "name": f"温柔{style}$x_1$",
                "n_posts": int(rng.poisson(40 + 9 * style)),
            }
            for month in MONTHS
            for style in range(8)
        ]
    )
    return style_trends(profiles, MONTHS)


def test_a_picture_of_at_most_six(table: pd.DataFrame) -> None:
    for series, rows in ((1, 1), (6, 2)):
        few = table[table["style_id"] < series]
        with Image.open(io.BytesIO(forecast_chart_png(few))) as picture:
            assert picture.width == 960
            assert picture.height == 250 * rows
    assert forecast_chart_png(table) == forecast_chart_png(table)
    with Image.open(io.BytesIO(forecast_chart_png(table))) as picture:
        assert picture.height == 500


def test_nothing_yet() -> None:
    with Image.open(
        io.BytesIO(forecast_chart_png(pd.DataFrame(columns=["kind", "month", "share"])))
    ) as picture:
        assert picture.height == 120


def test_the_backtest_in_words(table: pd.DataFrame) -> None:
    ahead = table[(table["style_id"] == 3) & (table["kind"] == "forecast")]
    words = backtest_words(ahead)
    assert words.startswith(f"{ahead['model'].iloc[0]}: MASE {ahead['mase'].iloc[0]:.2f}, sMAPE ")
    assert "interval held" in words
    assert backtest_words(ahead.assign(mase=np.nan)).endswith("too short for a backtest")
    assert backtest_words(ahead.head(0)) == "no forecast: too short"
