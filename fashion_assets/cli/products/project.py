"""``fashion-assets products project``: another shop's categories, without a label of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fashion_assets.cli.options import DataDir, settings_of, write_out
from fashion_assets.cli.products.options import (
    Encoding,
    ModelDir,
    model_folder,
    people_csv,
    refused_path,
    require_out,
    say,
)
from fashion_assets.cli.progress import steps


def project(
    categories: Annotated[
        Path, typer.Option("--categories", help="The target categories: one name a line, or a CSV.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Products of the other shop; unset: incoming/taxonomy of the data root.", metavar="DIR"
        ),
    ] = None,
    model_dir: ModelDir = None,
    out: Annotated[
        Path,
        typer.Option("--out", help="CSV: id, target_category, divergence, runner_up, margin, explanation."),
    ] = Path("projected.csv"),
    label: Annotated[
        str | None,
        typer.Option(help="The attribute whose labels stand between; unset: the one with most classes."),
    ] = None,
    image_weight: Annotated[float, typer.Option(min=0, help="Weight of the picture's probabilities.")] = 1.0,
    text_weight: Annotated[float, typer.Option(min=0, help="Weight of the text's probabilities.")] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, help="Keep only so many probabilities of each side, renormalised; unset: all."),
    ] = None,
    smoothing: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the uniform distribution mixed into both.")
    ] = 0.001,
    encoding: Encoding = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Give products of another shop one of its categories each, without a single label of it."""
    from rich.console import Console

    from fashion_assets.products.model_folder import ModelFolder
    from fashion_assets.products.model_predicting import project_model, take_in
    from fashion_assets.products.projection import ProjectionConfig
    from fashion_assets.products.projection_names import read_category_names

    require_out(out)
    require_out(refused_path(out))
    settings = settings_of(data_dir)
    config = ProjectionConfig(image_weight, text_weight, top_k, smoothing)
    names = read_category_names(categories)
    model = ModelFolder.open(model_folder(model_dir, settings))
    products = source if source is not None else settings.taxonomy_files
    with steps() as step:
        taken = take_in(
            products,
            model,
            models_dir=settings.models,
            progress=step,
            encoding=encoding,
            precision=settings.precision,
        )
        found, chosen = project_model(
            model, taken, names, label=label, config=config, on_step=lambda words: step(words, 0, 0)
        )
    refused = refused_path(out)
    write_out(out, people_csv(found.items))
    write_out(refused, people_csv(taken.refused))
    lost = int(found.items["target_category"].isna().sum())
    say(
        Console(stderr=True),
        [
            *taken.notes,
            f"{len(found.items):,} products onto {len(names)} categories over {len(found.labels)} labels of {chosen}"
            + (f", {lost} with neither picture nor text have none" if lost else "")
            + f" -> {out}; {len(taken.refused):,} refused -> {refused}",
        ],
    )
