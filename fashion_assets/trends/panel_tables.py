"""The tables of a weekly panel: its forecasts and its backtest, one row per series and step or model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_assets.trends.backtest_figures import smape
from fashion_assets.trends.panel_backtest import (
    MIN_PANEL_WEEKS,
    chosen_model,
    panel_coverage,
    panel_mase,
    panel_models,
    panel_past,
    panel_widths,
)
from fashion_assets.trends.panel_scale import PanelScale
from fashion_assets.trends.time_axis import Series


def is_panel_series(one: Series) -> bool:
    """Whether a series is weekly and at least two years long, so that it is forecast in a panel."""
    return one.freq == "W" and len(one.values) >= MIN_PANEL_WEEKS


def panels(series: Sequence[Series]) -> list[list[Series]]:
    """The panel series grouped by the weeks they cover, in order of first appearance."""
    found: dict[tuple[int, int], list[Series]] = {}
    for one in series:
        if is_panel_series(one):
            week = one.dates[-1].toordinal() // 7
            found.setdefault((week, len(one.values)), []).append(one)
    return list(found.values())


def panel_tables(
    panel: Sequence[Series],
    horizon: int,
    level: float,
    bounds: tuple[float, float] | None,
    thorough: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(forecasts, backtest) of series over the same weeks; columns as in ``forecasting``.

    ``thorough`` also tries the models of statsforecast.
    """
    values = np.stack([one.values for one in panel])
    models = panel_models(values, thorough)
    pasts = {name: panel_past(values, horizon, model) for name, model in models.items()}
    chosen = chosen_model(pasts)
    scale = PanelScale.of(values)
    scaled = models[chosen](values, horizon)
    width = panel_widths(pasts[chosen], horizon, level)
    edges = {"mean": scaled, "lo": scaled - width, "hi": scaled + width}
    columns = {name: scale.to_values(edge) for name, edge in edges.items()}
    if bounds:
        columns = {name: np.clip(edge, *bounds) for name, edge in columns.items()}
    ids = [one.series_id for one in panel]
    notes = [one.filled_note() for one in panel]
    future = pd.DataFrame(
        {
            "series_id": np.repeat(np.array(ids, dtype=object), horizon),
            "date": np.concatenate([one.future(horizon).to_numpy() for one in panel]),
            **{name: edge.reshape(-1) for name, edge in columns.items()},
            "model": chosen,
            "note": np.repeat(np.array(notes, dtype=object), horizon),
        }
    )
    figures = []
    for name, past in pasts.items():
        smapes = [smape([(origin.mean[at], origin.truth[at]) for origin in past]) for at in range(len(panel))]
        figures.append(
            pd.DataFrame(
                {
                    "series_id": ids,
                    "model": name,
                    "mase": panel_mase(past),
                    "smape": smapes,
                    "coverage": panel_coverage(past, level),
                    "n_origins": len(past),
                    "horizon": max(origin.truth.shape[1] for origin in past),
                    "chosen": name == chosen,
                    "note": notes,
                }
            )
        )
    return future, pd.concat(figures, ignore_index=True)
