"""``fashion-assets products predict``: labels of new products, by a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fashion_assets.cli.options import DataDir, settings_of, write_out
from fashion_assets.cli.products.options import (
    Encoding,
    ModelDir,
    Source,
    model_folder,
    people_csv,
    refused_path,
    require_out,
    say,
)
from fashion_assets.cli.progress import steps


def predict(
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="CSV: id, then label, confidence and abstained of each attribute, inputs, decided."
        ),
    ],
    model_dir: ModelDir = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Each head by itself, without the model's joint decoder.")
    ] = False,
    encoding: Encoding = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Predict the labels of every product; refused cards go to <out>.refused.csv beside it."""
    from rich.console import Console

    from fashion_assets.products.counted import counted
    from fashion_assets.products.model_folder import ModelFolder
    from fashion_assets.products.model_predicting import predict_model, take_in

    require_out(out)
    require_out(refused_path(out))
    settings = settings_of(data_dir)
    model = ModelFolder.open(model_folder(model_dir, settings))
    with steps() as step:
        taken = take_in(
            source,
            model,
            models_dir=settings.models,
            progress=step,
            encoding=encoding,
            precision=settings.precision,
        )
        step("predicting", 0, 0)
        predictions = predict_model(model, taken, alone=alone)
    refused = refused_path(out)
    write_out(out, people_csv(predictions))
    write_out(refused, people_csv(taken.refused))
    told = ", ".join(f"{count:,} from {what}" for what, count in predictions["inputs"].value_counts().items())
    say(
        Console(stderr=True),
        [
            *taken.notes,
            *_trained_on(model.root, predictions["id"].tolist()),
            f"{counted(len(predictions), 'product')} ({told or 'none'}) -> {out}; "
            f"{len(taken.refused):,} refused -> {refused}",
        ],
    )


def _trained_on(root: Path, ids: list[str]) -> list[str]:
    """A sentence, if the model has seen some of the products with their labels: figures on them would flatter."""
    from fashion_assets.products.splits import read_split

    known = set(read_split(root)["id"])
    seen = sum(one in known for one in ids)
    if not seen:
        return []
    which = "this product was" if len(ids) == 1 else f"{seen:,} of these {len(ids):,} products were"
    return [
        f"{which} trained on: how many of their labels are right says nothing of others; see {root / 'card.md'}"
    ]
