"""``fashion-assets products export``: the heads of a model as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fashion_assets.cli.options import DataDir, require_file, settings_of
from fashion_assets.cli.products.options import ModelDir, model_folder, say


def export(
    out: Annotated[Path, typer.Option("--out", help="The ONNX file.")],
    model_dir: ModelDir = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Write the heads as one ONNX file, checked against the heads themselves."""
    from rich.console import Console

    from fashion_assets.products.export import export_model

    require_file(out, "--out")
    console = Console()
    with Console(stderr=True).status("Writing the graph and comparing it with the heads"):
        report = export_model(model_folder(model_dir, settings_of(data_dir)), out)
    say(
        console,
        [
            f"{len(report.attributes)} heads ({', '.join(report.attributes)})"
            f"{' with the joint decoder' if report.together else ''} in {report.megabytes:.1f} MB; largest "
            f"difference from the heads over {report.checked_products:,} products {report.largest_difference:.1e} "
            f"-> {report.path}"
        ],
    )
