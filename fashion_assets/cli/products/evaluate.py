"""``fashion-assets products evaluate``: a file of predictions against a file of true labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashion_assets.cli.options import require_file, write_out
from fashion_assets.cli.products.options import four_figures, names_of, narrow_table, say

if TYPE_CHECKING:
    from fashion_assets.products.prediction_files import FileEvaluation


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="What products predict wrote.")],
    truth: Annotated[Path, typer.Argument(help="CSV or Parquet with id and the true labels.")],
    labels: Annotated[
        str | None, typer.Option(help="Only these labels, with commas; unset: all that both files have.")
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print the classes of each label too.")
    ] = False,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write figures, classes and confusions to this file.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Encoding of the truth's CSV where it is not UTF-8, such as gb18030 or cp1251."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 7,
) -> None:
    """Accuracy, macro and weighted F1 of each label with 95 % intervals, and the share with all labels right."""
    from rich.console import Console

    from fashion_assets.defs.run_table import frame_table
    from fashion_assets.products.prediction_files import evaluate_files

    if json_out is not None:
        require_file(json_out, "--json")
    console = Console()
    with Console(stderr=True).status("Counting"):
        found = evaluate_files(
            predictions, truth, labels=names_of(labels, "--labels"), encoding=encoding, seed=seed
        )
    say(console, found.notes)
    table = found.table().to_dict("records")
    console.print(narrow_table([_row(row) for row in table]))
    say(
        console,
        [
            *[_abstained(row) for row in table if row["coverage"] < 1],
            *_means(found.means(), len(table)),
            *_all_right(found, len(table)),
            f"All figures are of the labels as they stand in {predictions.name}: {found.decided}",
            f"{found.n_judged:,} products judged; intervals by {found.families}",
        ],
    )
    if per_class:
        for name, metrics in found.metrics.items():
            say(console, [name])
            console.print(frame_table(metrics.per_class.round(3)))
    if json_out is not None:
        write_out(json_out, json.dumps(_as_json(found), ensure_ascii=False, indent=2) + "\n")


def _row(row: Mapping[Any, Any]) -> dict[str, str]:
    return {
        "label": str(row["attribute"]),
        "products\nclasses": f"{row['n_items']:,}\n{row['n_classes']}, {row['n_frequent']} ≥ 5",
        **four_figures(row),
        "ECE": _decimal(row["calibration_error"]),
    }


def _means(means: Mapping[str, float], labels: int) -> list[str]:
    if labels < 2:
        return []
    return [
        f"Means over {labels} labels: accuracy {means['accuracy']:.3f}, macro-F1 {means['macro_f1']:.3f} over all "
        f"classes, {means['macro_f1_frequent']:.3f} over classes with 5 or more products, weighted F1 "
        f"{means['weighted_f1']:.3f}"
    ]


def _all_right(found: FileEvaluation, labels: int) -> list[str]:
    from fashion_assets.products.joint_figures import said

    if not found.n_all_right or labels < 2:
        return []
    return [
        f"All {labels} right: {said(found.all_right)} of {found.n_all_right:,} products that have every label"
    ]


def _abstained(row: Mapping[Any, Any]) -> str:
    return (
        f"{row['attribute']}: abstained on {1 - row['coverage']:.1%}; accuracy of the others "
        f"{_decimal(row['accuracy_answered'])}"
    )


def _decimal(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _as_json(found: FileEvaluation) -> dict[str, Any]:
    from fashion_assets.products.head_record import metrics_of, rows_of

    share = found.all_right
    return {
        "labels": {name: metrics_of(metrics) for name, metrics in found.metrics.items()},
        "means": found.means(),
        "coverage": rows_of(found.coverage),
        "all_right": None
        if not found.n_all_right
        else {"value": share.value, "low": share.low, "high": share.high, "n": found.n_all_right},
        "n_judged": found.n_judged,
        "n_predictions": found.n_predictions,
        "n_truth": found.n_truth,
        "intervals_by": found.families,
        "decided": found.decided,
        "notes": found.notes,
    }
