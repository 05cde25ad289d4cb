"""The two trend tables whole: series, stage, forecast and backtest figures joined, one function per table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionArray

from fashion_assets.storage.months import month_range
from fashion_assets.trends.change_points import CHANGE_COLUMNS, change_table
from fashion_assets.trends.forecasting import forecast_and_backtest
from fashion_assets.trends.grids import series_grid
from fashion_assets.trends.keyword_counts import KeywordCounts
from fashion_assets.trends.lifecycle import life_cycle
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS
from fashion_assets.trends.seasonality import strengths
from fashion_assets.trends.series import keyword_series, style_series

# A quarter: what can be bought and shot before the next look at the data.
HORIZON_MONTHS = 3
# Below about five posts a month a count is mostly chance (the usual rule for expected counts), and so would be
# its forecast.
MIN_FORECAST_POSTS = 5.0
# A forecast with its backtest takes some 20 ms; nobody reads more curves than these.
MAX_FORECASTS = 200


def style_trends(
    profiles: pd.DataFrame,
    months: Sequence[str],
    horizon: int = HORIZON_MONTHS,
    *,
    incomplete: Collection[str] = (),
) -> pd.DataFrame:
    """``STYLE_TRENDS``: per style the observed months, then ``horizon`` forecast months; see
    ``style_series``.

    Nothing is concluded from ``incomplete`` months, see ``coverage``. Styles are few, so from two years on the models
    of statsforecast are tried as well.
    """
    series = style_series(profiles, months, incomplete)
    ids = series["series_id"].unique()
    return _trend_table(series, STYLE_TRENDS, ["style_id", "name"], ids, horizon, thorough=True)


def keyword_trends(
    counts: KeywordCounts,
    horizon: int = HORIZON_MONTHS,
    *,
    min_forecast_posts: float = MIN_FORECAST_POSTS,
    max_forecasts: int = MAX_FORECASTS,
    incomplete: Collection[str] = (),
) -> pd.DataFrame:
    """``KEYWORD_TRENDS``: per keyword the observed months, see ``keyword_series``, then ``horizon`` forecast
    months if has_forecast.

    has_forecast: the keyword is named by at least ``min_forecast_posts`` posts in the mean month with posts,
    and is among the ``max_forecasts`` keywords with the most posts (of equal ones, the first by name). Nothing is
    concluded from ``incomplete`` months.
    """
    total = counts.posts.sum(axis=1)
    most = np.argsort(-total, kind="stable")[:max_forecasts]
    often = most[total[most] >= min_forecast_posts * (counts.month_posts > 0).sum()]
    has_forecast = np.zeros(len(total), dtype=bool)
    has_forecast[often] = True
    series = keyword_series(counts, incomplete)
    series["has_forecast"] = np.repeat(has_forecast, len(counts.months))
    ids = series.loc[series["has_forecast"], "series_id"].unique()
    keys = ["keyword", "facet", "first_seen", "months_seen", "has_forecast"]
    return _trend_table(series, KEYWORD_TRENDS, keys, ids, horizon)


def _trend_table(
    series: pd.DataFrame,
    schema: pa.Schema,
    keys: list[str],
    forecast_ids: npt.NDArray[np.object_],
    horizon: int,
    *,
    thorough: bool = False,
) -> pd.DataFrame:
    """The observed rows of ``series``, forecast rows of ``forecast_ids`` and the stage of all, in ``schema``."""
    if not (series["month_posts"] > 0).any():
        return pd.DataFrame(columns=schema.names)
    future = _future_rows(series[series["series_id"].isin(forecast_ids)], keys, horizon, thorough)
    strength, changes = _conclude(series)
    for name, values in changes.items():
        series[name] = values
    stages = life_cycle(series).merge(strength, on="series_id")
    ids = pd.Index(stages["series_id"])
    both = (series, future)
    owner = np.concatenate([ids.get_indexer(pd.Index(rows["series_id"])) for rows in both])
    months = pd.factorize(np.concatenate([rows["month"].to_numpy(dtype=object) for rows in both]), sort=True)[
        0
    ]
    order = np.lexsort((months, owner))
    columns = {field.name: _column(field, both, order) for field in schema}
    columns["kind"] = np.repeat(np.array(["observed", "forecast"], dtype=object), [*map(len, both)])[order]
    for name in ("stage", "evidence", "seasonal_strength", "trend_strength"):
        columns[name] = stages[name].to_numpy()[owner[order]]
    # Without copy=False pandas stacks the columns of a type, at twice the memory.
    return pd.DataFrame(columns, copy=False)


def _conclude(series: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, npt.NDArray[np.float64]]]:
    """(series_id, seasonal_strength and trend_strength per series; ``CHANGE_COLUMNS``, each (rows,))."""
    grid = series_grid(series)
    found = {name: np.full(grid.posts.shape, np.nan) for name in CHANGE_COLUMNS}
    seasonal, trend = np.full((2, len(grid.names)), np.nan)
    for group in grid.groups():
        place = np.ix_(group.rows, group.columns)
        for name, values in change_table(group.hits, group.posts).items():
            found[name][place] = values
        both = strengths(group.share, [int(month[5:7]) for month in group.months])
        seasonal[group.rows], trend[group.rows] = both.seasonal, both.trend
    columns = {"series_id": grid.names, "seasonal_strength": seasonal, "trend_strength": trend}
    return pd.DataFrame(columns), {name: values[grid.codes, grid.steps] for name, values in found.items()}


def _future_rows(series: pd.DataFrame, keys: list[str], horizon: int, thorough: bool) -> pd.DataFrame:
    """series_id, the ``keys``, month, share, low, high, model, note and the figures of its backtest.

    Months that are not over, or have no post, have no value: at the end, the forecast starts before them and is
    shown after them. Empty if no month is left.
    """
    known = series["complete"] & (series["month_posts"] > 0)
    if not known.any():
        return pd.DataFrame(columns=["series_id", *keys, "month"])
    last_known = series.loc[known, "month"].max()
    values = series[["series_id", "month"]].assign(value=series["share"].where(known))
    # All months up to the last stored one, also those that are not stored: a forecast is of no month that is seen.
    blind = len(month_range(last_known, series["month"].max())) - 1
    future, figures = forecast_and_backtest(
        values, horizon + blind, "M", bounds=(0.0, 1.0), thorough=thorough
    )
    future = future.groupby("series_id", sort=False).tail(horizon)
    figures = figures[figures["chosen"].astype(bool)].drop(columns=["chosen", "note"])
    future = future.merge(figures, on=["series_id", "model"], how="left")
    future["month"] = pd.to_datetime(future["date"]).dt.strftime("%Y-%m")
    future = future.rename(columns={"mean": "share", "lo": "low", "hi": "high"})
    return future.merge(series[["series_id", *keys]].drop_duplicates("series_id"), on="series_id")


def _column(
    field: pa.Field, parts: Sequence[pd.DataFrame], order: npt.NDArray[np.intp]
) -> npt.NDArray[Any] | ExtensionArray:
    """The column of the parts below each other, taken in ``order``; missing where a part lacks it.

    Put together by hand: ``pd.concat`` takes ten seconds over three million rows.
    """
    held = np.repeat([field.name in part for part in parts], [len(part) for part in parts])[order]
    if pa.types.is_integer(field.type):
        # With a mask: a count that is unknown is no float.
        return pd.arrays.IntegerArray(_stacked(field.name, parts, np.int64, 0)[order], ~held)
    if pa.types.is_floating(field.type):
        return _stacked(field.name, parts, np.float64, np.nan)[order]
    if pa.types.is_boolean(field.type):
        return _stacked(field.name, parts, np.bool_, False)[order]
    return _stacked(field.name, parts, np.object_, None)[order]


def _stacked(
    name: str, parts: Sequence[pd.DataFrame], dtype: npt.DTypeLike, missing: object
) -> npt.NDArray[Any]:
    return np.concatenate(
        [
            np.asarray(part[name], dtype=dtype) if name in part else np.full(len(part), missing, dtype=dtype)
            for part in parts
        ]
    )
