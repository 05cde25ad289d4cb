"""``fashion-assets products``: cards and pictures of shop products, over a folder or zip."""

from __future__ import annotations

import typer

from fashion_assets.cli.products.evaluate import evaluate
from fashion_assets.cli.products.explore import explore
from fashion_assets.cli.products.export import export
from fashion_assets.cli.products.finetune import finetune
from fashion_assets.cli.products.predict import predict
from fashion_assets.cli.products.project import project
from fashion_assets.cli.products.train import train

products_app = typer.Typer(
    no_args_is_help=True, help="Shop products: attributes from pictures and texts, other shops' categories."
)
for command in (explore, train, predict, evaluate, project, finetune, export):
    products_app.command(command.__name__)(command)
