"""``fashion-assets products train``: one head per label, on pictures and texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.cli.options import DataDir, settings_of
from fashion_assets.cli.products.options import (
    Encoding,
    Labels,
    ModelDir,
    Seed,
    Source,
    figures_table,
    model_folder,
    names_of,
    say,
)
from fashion_assets.cli.progress import steps

if TYPE_CHECKING:
    from fashion_assets.products.model_training import TrainedModel


def train(
    source: Source,
    labels: Labels = None,
    model_dir: ModelDir = None,
    image_encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Picture encoder, e.g. onnx:net.onnx; several with commas, side by side. Unset: "
            "FASHION_PRODUCT_IMAGE_ENCODERS, or FASHION_IMAGE_ENCODER beside local:visual."
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
    components: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Principal components that each encoder's vectors are reduced to, fitted on the training part; unset: "
            "FASHION_PRODUCT_COMPONENTS, or the vectors as they are.",
        ),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Kinds of head to try, with commas; unset: FASHION_PRODUCT_HEAD_KINDS, or those that pay."
        ),
    ] = None,
    embedding_transforms: Annotated[
        str | None,
        typer.Option(
            help="Metric learning to try before the kinds, with commas: none, lfda, supcon, …; unset: "
            "FASHION_PRODUCT_EMBEDDING_TRANSFORMS, or none."
        ),
    ] = None,
    n_trials: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Optuna trials per head; unset: FASHION_PRODUCT_TRIALS, or 0, the defaults as they are.",
        ),
    ] = None,
    resampling: Annotated[
        str | None,
        typer.Option(
            help="auto: compare drawing classes evenly (SMOTE too) with class weights, keep what wins; unset: "
            "FASHION_PRODUCT_RESAMPLING, or none."
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Under this confidence a prediction is marked abstained; unset: FASHION_PRODUCT_ABSTAIN_BELOW.",
        ),
    ] = None,
    encoding: Encoding = None,
    seed: Seed = 7,
    data_dir: DataDir = Path("data"),
) -> None:
    """Train one head per label on pictures and texts; judged on product families that it has not seen.

    Started again after a kill it goes on where it was: vectors and finished heads are kept.
    """
    from rich.console import Console

    from fashion_assets.defs.head_options import head_config
    from fashion_assets.products.model_encoders import OWN_WORDS
    from fashion_assets.products.model_training import TrainingPlan, train_model
    from fashion_assets.reports.product_heads import write_heads_report

    settings = settings_of(data_dir)
    root = model_folder(model_dir, settings)
    plan = TrainingPlan(
        labels=names_of(labels, "--labels"),
        image_encoders=_specs(image_encoder) or settings.product_pictures,
        text_encoder=text_encoder or OWN_WORDS,
        word_encoder=word_encoder,
        components=settings.product_components if components is None else components,
        heads=head_config(
            settings,
            kinds=names_of(kinds, "--kinds"),
            embedding_transforms=names_of(embedding_transforms, "--embedding-transforms"),
            n_trials=n_trials,
            resampling=resampling,
            abstain_below=abstain_below,
            seed=seed,
        ),
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
    return tuple(
        dict.fromkeys(spec.strip() for one in given or [] for spec in one.split(",") if spec.strip())
    )


def _show_training(trained: TrainedModel) -> None:
    """The notes, a table of the heads, and how long it took."""
    from rich.console import Console

    console = Console()
    say(console, trained.notes)
    rows = {
        name: (
            {
                "head": record.shown_kind + (" (kept)" if name in trained.reused else ""),
                "products": f"{record.metrics.get('n_items', 0):,}",
            },
            record.metrics,
        )
        for name, record in trained.records.items()
    }
    say(
        console,
        ["Each head by itself, on product families that were not trained on, with 95 % intervals:"],
    )
    console.print(figures_table(rows))
    laps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in trained.seconds.items())
    say(console, trained.joint.sentences(len(trained.records)))
    say(console, [f"{laps} -> {trained.root}"])
