"""``fashion-assets products explore``: what a set of products is like, before anything is learned."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fashion_assets.cli.products.options import Encoding, Labels, Source, names_of, require_out, say
from fashion_assets.cli.progress import steps


def explore(
    source: Source,
    labels: Labels = None,
    out: Annotated[Path, typer.Option("--out", help="The HTML page.")] = Path("products.html"),
    encoding: Encoding = None,
) -> None:
    """Make a page on classes, fields and their use, texts, pictures and families; nothing is trained."""
    from rich.console import Console

    from fashion_assets.reports.product_eda import explore_products

    require_out(out)
    with steps() as step:
        taken = explore_products(
            source,
            out,
            datetime.now(),
            label_columns=names_of(labels, "--labels"),
            encoding=encoding,
            progress=step,
        )
    say(Console(stderr=True), [*taken.sentences(), f"-> {out}"])
