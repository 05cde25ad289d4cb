"""What the product commands share: their options, and how tables and figures are shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.terminal_text import for_terminal

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from fashion_assets.settings import Settings

Source = Annotated[
    Path, typer.Argument(help="Folder or zip of product cards (CSV, Parquet) and pictures.", metavar="DIR")
]
ModelDir = Annotated[
    Path | None,
    typer.Option("--model-dir", help="The model's folder; unset: that of the data root, models/products."),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="Encoding of the CSV cards where it is not UTF-8, such as gb18030 or cp1251."),
]
Labels = Annotated[
    str | None,
    typer.Option(help="Label columns, with commas; unset: every column that looks like one."),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same split and the same model.")]


def model_folder(given: Path | None, settings: Settings) -> Path:
    """The folder that ``--model-dir`` names, or that of the data root."""
    from fashion_assets.defs.resources import product_model_path

    if given is not None and given.is_file():
        raise UserError(f"{given} is a file; give --model-dir a folder")
    return given if given is not None else product_model_path(settings)


def names_of(text: str | None, option: str) -> tuple[str, ...] | None:
    """The names between commas; None if the option was not given."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UserError(f"{option} names nothing; give names with commas, such as sex,season")
    return names


def refused_path(out: Path) -> Path:
    """``preds.refused.csv`` beside ``preds.csv``."""
    return out.with_name(f"{out.stem}.refused.csv")


def require_out(path: Path, option: str = "--out") -> None:
    """UserError for a file that cannot be written there, before hours of work are done for it."""
    from fashion_assets.cli.options import require_file

    require_file(path, option)
    # The file is written beside its place and moved there, so that its folder decides, or the one it is to be made in.
    folder = next(one for one in path.absolute().parents if os.access(one, os.F_OK))
    if not folder.is_dir():
        raise UserError(f"{path} cannot be written: {folder} is a file; give {option} another path")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(
            f"{path} cannot be written: you may not write in {folder}; give {option} another path"
        )


def people_csv(table: pd.DataFrame) -> str:
    """The table as people may open it in a spreadsheet: no cell is a formula."""
    from fashion_assets.storage.csv_text import csv_text

    return csv_text(table, float_format="%.6f")


def say(console: Console, lines: Iterable[str]) -> None:
    """Each line as it is, however wide the terminal; what would command the terminal is shown by number."""
    for line in lines:
        console.print(for_terminal(line), markup=False, highlight=False, soft_wrap=True)


def figures_table(rows: Mapping[str, tuple[Mapping[str, str], Mapping[str, Any]]]) -> Table:
    """A row per attribute: what is to stand before its figures (title -> text), and ``AttributeMetrics.summary``."""
    return narrow_table(
        [{"attribute": name, **before, **four_figures(found)} for name, (before, found) in rows.items()]
    )


def four_figures(found: Mapping[str, Any]) -> dict[str, str]:
    """Title -> figure with its interval, of ``AttributeMetrics.summary``."""
    titles = {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "macro_f1_frequent": "… of ≥ 5",
        "weighted_f1": "weighted",
    }
    return {title: _interval(found, name) for name, title in titles.items()}


def _interval(found: Mapping[str, Any], name: str) -> str:
    value, low, high = (found.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None or low is None or high is None or value != value:
        return "–"
    return f"{value:.3f}\n{_short(low)}–{_short(high)}"


def _short(value: float) -> str:
    """``.952``, and ``1.0`` for one: nine characters hold an interval."""
    return f"{value:.3f}".removeprefix("0").replace("1.000", "1.0")


def narrow_table(rows: list[dict[str, str]]) -> Table:
    """A table for 80 columns: intervals stand below their figures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    return table
