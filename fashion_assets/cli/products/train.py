"""``fashion-assets products train``: one head per label, on pictures and texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashion_assets.cli.options import DataDir, settings_of
from fashion_assets.cli.products.options import (
    Encoding,
    Labels,
    ModelDir,
    Source,
    four_figures,
    model_folder,
    names_of,
    narrow_table,
    say,
)
from fashion_assets.cli.progress import steps

if TYPE_CHECKING:
    from fashion_assets.products.heads import HeadConfig
    from fashion_assets.products.model_training import TrainedModel


def train(
    source: Source,
    labels: Labels = None,
    model_dir: ModelDir = None,
    image_encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Picture encoder, e.g. onnx:net.onnx; several with commas, side by side. Unset: FASHION_IMAGE_ENCODER "
            "beside local:visual."
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(
            help="Text encoder; unset: word vectors learned on these cards' own texts, no download."
        ),
    ] = None,
    word_encoder: Annotated[
        str | None,
        typer.Option(
            help="Word vectors of shop names and of the keys of characteristics, e.g. words:FILE (gensim, navec); "
            "unset: those learned on the texts, where no --text-encoder is named."
        ),
    ] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Kinds of head to try, with commas; unset: those that pay.")
    ] = None,
    n_trials: Annotated[
        int | None, typer.Option(min=0, help="Optuna trials per head; 0 takes the defaults as they are.")
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Under this confidence a prediction is marked abstained."),
    ] = None,
    resampling: Annotated[
        str | None,
        typer.Option(
            help="auto: compare drawing classes evenly (SMOTE too) with class weights, keep what wins; unset: none."
        ),
    ] = None,
    encoding: Encoding = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same split and heads.")] = 7,
    data_dir: DataDir = Path("data"),
) -> None:
    """Train one head per label on pictures and texts; judged on product families that it has not seen.

    Started again after a kill it goes on where it was: vectors and finished heads are kept.
    """
    from rich.console import Console

    from fashion_assets.products.model_training import OWN_WORDS, TrainingPlan, train_model
    from fashion_assets.reports.product_heads import write_heads_report

    settings = settings_of(data_dir)
    root = model_folder(model_dir, settings)
    plan = TrainingPlan(
        labels=names_of(labels, "--labels"),
        # A network tells the article, local:visual the colour.
        image_encoders=_specs(image_encoder)
        or tuple(dict.fromkeys((settings.image_encoder, "local:visual"))),
        text_encoder=text_encoder or OWN_WORDS,
        word_encoder=word_encoder,
        heads=_head_config(kinds, n_trials, abstain_below, resampling, seed),
        seed=seed,
        encoding=encoding,
    )
    with steps() as step:
        trained = train_model(
            source, root, plan, models_dir=settings.models, progress=step, precision=settings.precision
        )
    report = write_heads_report(root)
    _show_training(trained)
    say(
        Console(),
        [
            f"Report: {report}",
            f"Next: fashion-assets products predict DIR --model-dir {root} --out preds.csv",
        ],
    )


def _specs(given: list[str] | None) -> tuple[str, ...]:
    return tuple(spec.strip() for one in given or [] for spec in one.split(",") if spec.strip())


def _head_config(
    kinds: str | None,
    n_trials: int | None,
    abstain_below: float | None,
    resampling: str | None,
    seed: int,
) -> HeadConfig:
    from fashion_assets.products.heads import HeadConfig

    changes: dict[str, Any] = {"kinds": names_of(kinds, "--kinds")} if kinds is not None else {}
    changes |= {} if n_trials is None else {"n_trials": n_trials}
    changes |= {} if abstain_below is None else {"abstain_below": abstain_below}
    changes |= {} if resampling is None else {"resampling": resampling}
    return HeadConfig(seed=seed, **changes)


def _show_training(trained: TrainedModel) -> None:
    """The notes, a table of the heads, and how long it took."""
    from rich.console import Console

    console = Console()
    say(console, trained.notes)
    rows = [
        {
            "attribute": name,
            "head": record.kind + (" (kept)" if name in trained.reused else ""),
            "products": f"{record.metrics.get('n_items', 0):,}",
            **four_figures(record.metrics),
        }
        for name, record in trained.records.items()
    ]
    say(
        console,
        ["Each head by itself, on product families that were not trained on, with 95 % bootstrap intervals:"],
    )
    console.print(narrow_table(rows))
    laps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in trained.seconds.items())
    say(console, trained.joint.sentences(len(trained.records)))
    say(console, [f"{laps} -> {trained.root}"])
