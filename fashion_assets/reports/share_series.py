"""Share of each style per month as series with gaps: what every share chart draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fashion_assets.reports.wording import all_months, as_float, style_label


@dataclass(frozen=True)
class ShareSeries:
    """One style: a value per month of the axis, NaN where the month as a whole has no profile."""

    style_id: int
    name: str
    share: list[float]
    low: list[float]
    high: list[float]

    @property
    def peak(self) -> float:
        return max((value for value in self.share if math.isfinite(value)), default=0.0)


def share_series(history: pd.DataFrame) -> tuple[list[str], list[ShareSeries]]:
    """All calendar months from first to last, and one series per style, in order of falling peak.

    `history` holds STYLE_PROFILES rows. A style without a row in a month that has others had no post there:
    share 0 (without an interval); in a month without any row everything is NaN, which charts show as a gap.
    The name is the newest one.
    """
    if history.empty:
        return [], []
    keys = history["month"].astype(str).str[:7]
    months = all_months(keys)
    known = set(keys)
    rows: dict[int, dict[str, tuple[float, float, float]]] = {}
    names: dict[int, tuple[str, object]] = {}
    has_interval = {"share_low", "share_high"} <= set(history.columns)
    lows = history["share_low"] if has_interval else history["share"]
    highs = history["share_high"] if has_interval else history["share"]
    for month, style_id, name, share, low, high in zip(
        keys, history["style_id"], history["name"], history["share"], lows, highs, strict=True
    ):
        rows.setdefault(int(style_id), {})[month] = (as_float(share), as_float(low), as_float(high))
        if int(style_id) not in names or month >= names[int(style_id)][0]:
            names[int(style_id)] = (month, name)
    series = []
    for style_id, by_month in rows.items():
        filled = [
            by_month.get(month, (0.0, math.nan, math.nan) if month in known else (math.nan,) * 3)
            for month in months
        ]
        series.append(
            ShareSeries(
                style_id=style_id,
                name=style_label(names[style_id][1], style_id),
                share=[values[0] for values in filled],
                low=[values[1] for values in filled],
                high=[values[2] for values in filled],
            )
        )
    return months, sorted(series, key=lambda one: (-one.peak, one.style_id))


def split_highlighted(
    series: Sequence[ShareSeries], highlight: Sequence[int] | None, n_default: int = 5
) -> tuple[list[ShareSeries], list[ShareSeries]]:
    """The series to colour, in the order of `highlight` (default: the last month's largest), and the rest."""
    if highlight is None:
        latest = sorted(
            series, key=lambda one: (-(one.share[-1] if math.isfinite(one.share[-1]) else 0.0), one.style_id)
        )
        highlight = [one.style_id for one in latest[:n_default]]
    by_id = {one.style_id: one for one in series}
    chosen = [by_id[style_id] for style_id in highlight if style_id in by_id]
    wanted = {one.style_id for one in chosen}
    return chosen, [one for one in series if one.style_id not in wanted]


def runs(values: Sequence[float]) -> list[list[int]]:
    """Index runs of finite values: the unbroken pieces of a line with gaps."""
    pieces: list[list[int]] = []
    for index, value in enumerate(values):
        if not math.isfinite(value):
            continue
        if pieces and pieces[-1][-1] == index - 1:
            pieces[-1].append(index)
        else:
            pieces.append([index])
    return pieces
