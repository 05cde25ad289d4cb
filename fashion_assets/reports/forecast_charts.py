"""Forecasts of shares as small charts, each with its backtest printed under it: how good such forecasts have been."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from fashion_assets.reports.palette import LIGHT
from fashion_assets.reports.png_charts import DPI, INK, MUTED, nothing_png, text_font, to_png
from fashion_assets.reports.wording import as_float, clip, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHARES: Final = ("share", "low", "high")

PANELS = 6
"""Series shown: the largest at the end; more would be too small to read in the run's metadata."""
COLUMNS = 3
NAME_CHARACTERS = 24


def forecast_chart_png(table: pd.DataFrame, *, panels: int = PANELS, width: float = 960) -> bytes:
    """The largest series of a trend table (STYLE_TRENDS) with interval and forecast, `panels` at most.

    Observed shares are a line in their 95 % interval, forecasts a dashed line in theirs. Under each stand the model and
    its backtest (MASE, sMAPE, share of the interval's months that held), or why there is none.
    """
    from matplotlib.figure import Figure

    shown = _largest(table[table["kind"] == "observed"], panels)
    title = "Share of posts and forecast"
    if not shown:
        return nothing_png(width, 120, title, "No series yet.")
    rows = math.ceil(len(shown) / COLUMNS)
    figure = Figure(figsize=(width / DPI, rows * 2.5), dpi=DPI, layout="constrained", facecolor="white")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for series_id, axes in zip(shown, grid.flat, strict=False):
        _panel(axes, table[table["series_id"] == series_id].sort_values("month", kind="stable"))
    return to_png(figure)


def _largest(observed: pd.DataFrame, panels: int) -> list[str]:
    """The series with the largest shares in the newest month, ties by id."""
    if observed.empty:
        return []
    newest = observed[observed["month"] == observed["month"].max()]
    ranked = newest.sort_values(["share", "series_id"], ascending=[False, True], kind="stable")
    return [str(series) for series in ranked["series_id"].head(panels)]


def _panel(axes: Axes, series: pd.DataFrame) -> None:
    observed, ahead = (series[series["kind"] == kind] for kind in ("observed", "forecast"))
    months = [*observed["month"], *ahead["month"]]
    seen, coming = np.arange(len(observed)), np.arange(len(observed), len(months))
    share, low, high = (
        {"o": observed[name].to_numpy(float), "f": ahead[name].to_numpy(float)} for name in _SHARES
    )
    axes.fill_between(seen, low["o"], high["o"], color=LIGHT[0], alpha=0.15, linewidth=0)
    axes.plot(seen, share["o"], color=LIGHT[0], linewidth=1.8, marker="o", markersize=3)
    if len(ahead):
        # The forecast hangs on the last month that is known.
        known = np.flatnonzero(np.isfinite(share["o"]))[-1:]
        axes.fill_between(coming, low["f"], high["f"], color=LIGHT[1], alpha=0.2, linewidth=0)
        axes.plot(
            [*seen[known], *coming],
            [*share["o"][known], *share["f"]],
            color=LIGHT[1],
            linewidth=1.8,
            linestyle="--",
        )
    name = clip(str(series["name"].iloc[0]), NAME_CHARACTERS)
    axes.set_title(name, loc="left", fontsize=10, color=INK, parse_math=False, **text_font(name))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value, 0 if axes.get_ylim()[1] > 0.05 else 1))
    ticks = sorted({0, len(observed) - 1, len(months) - 1})
    axes.set_xticks(ticks, [months[tick] for tick in ticks])
    axes.tick_params(colors=MUTED, labelsize=8, length=2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(backtest_words(ahead), fontsize=8, color=MUTED, parse_math=False)


def backtest_words(ahead: pd.DataFrame) -> str:
    """How good forecasts of this series have been, from its forecast rows."""
    if ahead.empty:
        return "no forecast: too short"
    first = ahead.iloc[0]
    mase, smape, coverage = (as_float(first[name]) for name in ("mase", "smape", "coverage"))
    if not math.isfinite(mase):
        return f"{first['model']}: too short for a backtest"
    held = f", interval held {percent(coverage, 0)}" if math.isfinite(coverage) else ""
    return f"{first['model']}: MASE {mase:.2f}, sMAPE {smape:.0f} %{held}"
