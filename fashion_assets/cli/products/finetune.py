"""``fashion-assets products finetune``: the last blocks of both encoders learn with the heads."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

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
from fashion_assets.storage.errors import UserError


def finetune(
    source: Source,
    labels: Labels = None,
    model_dir: ModelDir = None,
    image_encoder: Annotated[
        str | None, typer.Option(help="Picture network: timm:…, open_clip:…; unset: texts alone.")
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="Text network: st:…, hf:…, open_clip:…; unset: pictures alone.")
    ] = None,
    n_blocks: Annotated[int, typer.Option(min=0, help="Last blocks that learn; 0: the heads alone.")] = 2,
    adapter_rank: Annotated[
        int,
        typer.Option(min=0, help="Rank of LoRA adapters in those blocks; 0: the blocks themselves learn."),
    ] = 0,
    epochs: Annotated[
        int, typer.Option(min=1, help="Most epochs; it ends earlier when nothing gets better.")
    ] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Products a batch.")] = 32,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the experiment; unset: made of options and data, so it resumes."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; unset: the best there is.")] = None,
    delete_tensors: Annotated[
        bool, typer.Option("--delete-tensors", help="Delete the cached pictures and texts at the end.")
    ] = False,
    encoding: Encoding = None,
    seed: Seed = 7,
    data_dir: DataDir = Path("data"),
) -> None:
    """Tune encoders on the products; then train heads on their vectors with the command that is printed."""
    import numpy as np
    from rich.console import Console

    from fashion_assets.products.model_encoders import with_colours
    from fashion_assets.products.model_folder import FINETUNING
    from fashion_assets.products.splits import store_first_split
    from fashion_assets.products.training_products import training_products
    from fashion_assets.products.tuning.config import TuningConfig
    from fashion_assets.products.tuning.finetuning import finetune_products

    if image_encoder is None and text_encoder is None:
        raise UserError("nothing can be tuned: name a network with --image-encoder, --text-encoder or both")
    settings = settings_of(data_dir)
    root = model_folder(model_dir, settings)
    config = TuningConfig(
        n_blocks=n_blocks,
        adapter_rank=adapter_rank,
        epochs=epochs,
        batch_size=batch_size,
        delete_tensors=delete_tensors,
        seed=seed,
    )
    with steps() as step:
        taken = training_products(
            source, root, names_of(labels, "--labels"), encoding=encoding, seed=seed, progress=step
        )
        # So that whatever is trained on these encoders is judged on products that they did not learn from.
        store_first_split(root, taken.split)
        tuned = finetune_products(
            taken.products,
            source,
            split=np.asarray(taken.split["split"], dtype=object),
            families=taken.split["family"].to_numpy(),
            attributes=taken.attributes,
            image_encoder=image_encoder,
            text_encoder=text_encoder,
            experiments=root / FINETUNING,
            config=config,
            name=name,
            models_dir=settings.models,
            device=device,
            progress=step,
        )
    console = Console()
    say(console, taken.notes)
    console.print(figures_table({name: ({}, found.summary()) for name, found in tuned.metrics.items()}))
    following = ["fashion-assets", "products", "train", str(source), "--model-dir", str(root)]
    following += ["--labels", labels] if labels is not None else []
    following += ["--seed", str(seed)]
    following += ["--encoding", encoding] if encoding is not None else []
    pictures = ",".join(with_colours(tuned.image_spec)) if tuned.image_spec else ""
    following += ["--image-encoder", pictures] if pictures else []
    following += ["--text-encoder", tuned.text_spec] if tuned.text_spec else []
    say(console, [f"Best epoch {tuned.best_epoch} -> {tuned.folder}", f"Next: {shlex.join(following)}"])
