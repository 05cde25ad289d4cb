"""``fashion-assets trends``: forecasts of series from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.cli.options import require_file, write_out
from fashion_assets.storage.csv_text import csv_text
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

trends_app = typer.Typer(no_args_is_help=True, help="Trends: forecasts of series.")


@trends_app.command("forecast")
def trends_forecast(
    series: Annotated[Path, typer.Argument(help="CSV in long form: series_id, date, value.")],
    out: Annotated[Path, typer.Option("--out", help="CSV: series_id, date, mean, lo, hi, model.")],
    horizon: Annotated[int, typer.Option(help="Steps to forecast: weeks, months or days.")] = 52,
    backtest: Annotated[
        Path | None,
        typer.Option(
            help="CSV of how each model would have done: MASE, sMAPE, coverage; with the notes of each series."
        ),
    ] = None,
    freq: Annotated[
        str | None, typer.Option(help="M, W or D; unset: the median step of each series.")
    ] = None,
    level: Annotated[float, typer.Option(help="Share of future values that lo to hi shall hold.")] = 0.8,
    shares: Annotated[
        bool, typer.Option("--shares", help="The values are shares: keep them in 0 to 1.")
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough/--fast",
            help="Also try AutoETS, AutoARIMA and AutoTheta of statsforecast, on up to 50 series of two seasons.",
        ),
    ] = True,
) -> None:
    """Forecast every series of a file, with intervals, and say how good such forecasts have been."""
    from rich.console import Console

    from fashion_assets.trends.forecasting import forecast_and_backtest
    from fashion_assets.trends.series_files import read_series_csv

    require_file(out, "--out")
    if backtest is not None:
        require_file(backtest, "--backtest")
    frame = read_series_csv(series)
    console = Console(stderr=True)
    try:
        with console.status("Forecasting"):
            future, figures = forecast_and_backtest(
                frame, horizon, freq, level=level, bounds=(0.0, 1.0) if shares else None, thorough=thorough
            )
    except UserError as fault:
        raise UserError(f"{series}: {fault}") from fault
    columns = ["series_id", "date", "mean", "lo", "hi", "model"]
    write_out(out, csv_text(future[columns], date_format="%Y-%m-%d", float_format="%.10g"))
    if backtest is not None:
        write_out(backtest, csv_text(figures, float_format="%.6g"))
    for line in _summary(future, figures, level):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"-> {out}", markup=False, highlight=False, soft_wrap=True)


def _summary(future: pd.DataFrame, figures: pd.DataFrame, level: float) -> list[str]:
    """A line per chosen model with its backtest, and one per different note."""
    chosen = figures[figures["chosen"].astype(bool)]
    lines = []
    for model, rows in chosen.groupby("model", sort=False):
        tried = rows[rows["n_origins"] > 0]
        # A history that repeats itself exactly has no naive error to scale by.
        scaled = f"MASE {tried['mase'].mean():.3f}" if tried["mase"].notna().any() else "no MASE"
        said = "too short for a backtest"
        if len(tried):
            origins, held = tried["n_origins"].max(), tried["coverage"].mean()
            interval = f"{level:.0%} interval held {held:.0%}" if held == held else "no interval to judge"
            said = (
                f"backtest over {origins} origin{'' if origins == 1 else 's'}: {scaled}, "
                f"sMAPE {tried['smape'].mean():.1f} %, {interval}"
            )
        lines.append(f"{len(rows)} series by {model}; {said}")
    notes = future.drop_duplicates("series_id")["note"]
    for note, count in notes[notes != ""].value_counts().head(5).items():
        lines.append(f"{count} series: {note}")
    return lines
