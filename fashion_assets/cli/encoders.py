"""``fashion-assets encoders``: encoders made ready for a machine without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.cli.options import DataDir, settings_of

if TYPE_CHECKING:
    from fashion_assets.encoders.onnx_export import Comparison

encoders_app = typer.Typer(no_args_is_help=True, help="Text and picture encoders.")


@encoders_app.callback()
def encoders() -> None:
    """Text and picture encoders."""


@encoders_app.command("export")
def encoders_export(
    spec: Annotated[
        str,
        typer.Argument(help="A text encoder st:… or hf:…, or the picture tower of timm:… or open_clip:…."),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            help="A new folder; then FASHION_TEXT_ENCODER (or FASHION_IMAGE_ENCODER)=onnx:<folder>."
        ),
    ],
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Texts: 8-bit weights, a quarter of the size, vectors a little different."
        ),
    ] = False,
    data_dir: DataDir = Path("data"),
) -> None:
    """Write an encoder as an ONNX folder and check its vectors against the original; text encoders are timed too."""
    from rich.console import Console
    from rich.markup import escape

    from fashion_assets.encoders.onnx_export import LEAST_GAIN, LEAST_INT8_COSINE, export_text_encoder

    settings = settings_of(data_dir)
    if spec.partition(":")[0] in ("timm", "open_clip"):
        _export_pictures(spec, folder, settings.models, int8)
        return
    with Console(stderr=True).status(f"Exporting {escape(spec)}"):
        made = export_text_encoder(spec, folder, models_dir=settings.models, int8=int8)
    lines = [
        f"{spec}: {made.float32.original_texts_per_second:.0f} texts/s",
        _line("ONNX float32", made.float32),
    ]
    if made.int8 is not None:
        lines.append(_line("ONNX int8", made.int8))
        if not made.int8_pays:
            lines.append(
                f"int8 does not pay here: expected at least {LEAST_GAIN} x the texts/s of float32 through ONNX and a "
                f"mean cosine of at least {LEAST_INT8_COSINE}. Export again without --int8, into another folder."
            )
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    lines.append(f"{folder} holds {size:.1f} MB. Next: FASHION_TEXT_ENCODER=onnx:{folder.absolute()}")
    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _export_pictures(spec: str, folder: Path, models: Path, int8: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    from fashion_assets.encoders.onnx_picture_export import export_picture_encoder
    from fashion_assets.storage.errors import UserError

    if int8:
        raise UserError("8-bit weights are for text encoders; leave out --int8")
    with Console(stderr=True).status(f"Exporting {escape(spec)}"):
        made = export_picture_encoder(spec, folder, models_dir=models)
    Console().print(
        f"{spec}: cosine to its vectors {made.cosine_mean:.4f} in the mean, {made.cosine_min:.4f} at least\n"
        f"Next: FASHION_IMAGE_ENCODER=onnx:{folder.absolute()}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _line(name: str, figures: Comparison) -> str:
    gain = figures.texts_per_second / figures.original_texts_per_second
    return (
        f"{name}: {figures.texts_per_second:.0f} texts/s ({gain:.1f} x the original), cosine to its vectors "
        f"{figures.cosine_mean:.4f} in the mean, {figures.cosine_min:.4f} at least"
    )
