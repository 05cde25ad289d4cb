"""The two trend tables whole: series, stage, forecast and backtest figures joined, one function per table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fashion_assets.trends.forecasting import backtest, forecast
from fashion_assets.trends.lifecycle import life_cycle
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS
from fashion_assets.trends.series import MIN_KEYWORD_POSTS, keyword_series, style_series

# A quarter: what can be bought and shot before the next look at the data.
HORIZON_MONTHS = 3


def style_trends(
    profiles: pd.DataFrame, months: Sequence[str], horizon: int = HORIZON_MONTHS
) -> pd.DataFrame:
    """``STYLE_TRENDS``: per style the observed months, then ``horizon`` forecast months; see
    ``style_series``.
    """
    return _trend_table(style_series(profiles, months), STYLE_TRENDS.names, ["style_id", "name"], horizon)


def keyword_trends(
    keywords: pd.DataFrame,
    months: Sequence[str],
    min_posts: int = MIN_KEYWORD_POSTS,
    horizon: int = HORIZON_MONTHS,
) -> pd.DataFrame:
    """``KEYWORD_TRENDS``: per keyword the observed months, then ``horizon`` forecast months; see
    ``keyword_series``.
    """
    return _trend_table(
        keyword_series(keywords, months, min_posts), KEYWORD_TRENDS.names, ["keyword", "facet"], horizon
    )


def _trend_table(series: pd.DataFrame, columns: list[str], keys: list[str], horizon: int) -> pd.DataFrame:
    if series.empty:
        return pd.DataFrame(columns=columns)
    values = series.rename(columns={"share": "value"})[["series_id", "month", "value"]]
    # Months without any post at the end have no share: the forecast starts before them and is shown after
    # them.
    known = series.loc[series["month_posts"] > 0, "month"]
    if known.empty:
        return pd.DataFrame(columns=columns)
    blind = series["month"].gt(known.max()).groupby(series["series_id"]).sum().max()
    future = forecast(values, horizon + int(blind), "M", bounds=(0.0, 1.0))
    future = future.groupby("series_id", sort=False).tail(horizon)
    figures = backtest(values, horizon, "M")
    future = future.merge(
        figures[figures["chosen"]].drop(columns=["chosen", "note"]), on=["series_id", "model"], how="left"
    )
    future["month"] = future["date"].dt.strftime("%Y-%m")
    future = future.rename(columns={"mean": "share", "lo": "low", "hi": "high"})
    future = future.merge(series[["series_id", *keys]].drop_duplicates("series_id"), on="series_id")
    stages = life_cycle(series)
    order = {name: position for position, name in enumerate(stages["series_id"])}
    both = [
        table.reindex(columns=[*columns]).astype(object)
        for table in (series.assign(kind="observed"), future.assign(kind="forecast"))
    ]
    table = (
        pd.concat(both, ignore_index=True).drop(columns=["stage", "evidence"]).merge(stages, on="series_id")
    )
    table = table.assign(_order=table["series_id"].map(order)).sort_values(
        ["_order", "month"], kind="stable", ignore_index=True
    )
    counts = [name for name in ("n_posts", "posts", "month_posts") if name in columns]
    table[counts] = table[counts].astype("Int64")
    numbers = ["share", "low", "high", "mase", "smape", "coverage"]
    table[numbers] = table[numbers].astype("float64")
    return table[columns]
