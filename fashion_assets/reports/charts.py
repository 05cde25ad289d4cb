"""Every chart of the project under one import: inline SVG for pages, PNG for asset metadata."""

from __future__ import annotations

from fashion_assets.reports.png_charts import (
    bar_chart_png,
    burst_chart_png,
    epoch_chart_png,
    histogram_png,
    png_markdown,
    share_chart_png,
    silhouette_chart_png,
)
from fashion_assets.reports.svg_charts import bar_chart_svg, share_chart_svg, silhouette_chart_svg

__all__ = [
    "bar_chart_png",
    "bar_chart_svg",
    "burst_chart_png",
    "epoch_chart_png",
    "histogram_png",
    "png_markdown",
    "share_chart_png",
    "share_chart_svg",
    "silhouette_chart_png",
    "silhouette_chart_svg",
]
