"""The ``fashion-assets`` command: a thin line over the same assets that the Dagster UI shows.

Belongs here: options, progress and tables for people. A user's mistake is one sentence and exit code 1; a
traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.cli.answers import sql
from fashion_assets.cli.encoders import encoders_app
from fashion_assets.cli.keywords import keywords_app
from fashion_assets.cli.options import DataDir, settings_of
from fashion_assets.cli.products import products_app
from fashion_assets.cli.status import status
from fashion_assets.cli.trends import trends_app
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.system_faults import system_sentence
from fashion_assets.storage.terminal_text import for_terminal

if TYPE_CHECKING:
    from fashion_assets.defs.planning import Batch
    from fashion_assets.defs.runner import RunSummary
    from fashion_assets.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fashion research from crawled posts and pictures: keywords, styles, trends and monthly reports.\n\n"
    "Start with: fashion-assets sample data, then fashion-assets run --data-dir data.",
)
app.command()(status)
app.add_typer(keywords_app, name="keywords")
app.add_typer(encoders_app, name="encoders")
app.add_typer(trends_app, name="trends")
app.add_typer(products_app, name="products")


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        _print_lines([f"fashion-assets {version('fashion-assets')}"])
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (works after a command too).")
    ] = False,
) -> None:
    """Nothing to do here: ``main`` takes ``--debug`` wherever it stands."""


@app.command()
def sample(
    directory: Annotated[
        Path | None, typer.Argument(help="Where to write incoming/ and sample_truth/; unset: the data root.")
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=60, help="Months of posts.")] = 6,
    posts_per_month: Annotated[int, typer.Option(min=10, help="Posts a month.")] = 300,
    products: Annotated[int, typer.Option(min=0, help="Product cards.")] = 1500,
    seed: Annotated[int, typer.Option(help="The same seed makes the same files.")] = 7,
    data_dir: DataDir = Path("data"),
) -> None:
    """Make sample data: posts, pictures and products drawn by code, with the truth beside them."""
    from rich.console import Console
    from rich.markup import escape

    from fashion_assets.sample.make import make_sample

    console, root = Console(), directory or data_dir
    with console.status(f"Drawing {months} months of posts into {escape(str(root))}"):
        made = make_sample(root, months=months, posts_per_month=posts_per_month, products=products, seed=seed)
    console.print(
        f"{made.records} crawl rows of {made.posts} posts in {len(made.crawl_files)} files ({made.repeats} repeats, "
        f"{made.late} late, {made.bad_rows} bad), {made.pictures} pictures, {made.products} products; "
        f"the truth about them is in {root / 'sample_truth'}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    _print_lines([f"Next: fashion-assets run --data-dir {root}"])


@app.command()
def run(
    data_dir: DataDir = Path("data"),
    months: Annotated[
        str | None, typer.Option(help="Only these months, e.g. 2024-01:2024-06 or 2024-03.")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(help="Only these assets, by name or Dagster selection, e.g. '+monthly_style_report'."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Make them even if nothing changed.")] = False,
) -> None:
    """Land what lies in incoming/ and materialise what is missing or stale, down to the reports."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.run_table import file_messages
    from fashion_assets.defs.runner import run_pipeline

    settings = settings_of(data_dir)
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("assets"),
        TimeElapsedColumn(),
    )
    begun: list[RunSummary] = []
    with (
        _told_if_it_fails(settings, begun),
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("Landing", total=None)
        pending: list[Batch] = []

        def landed(summary: RunSummary) -> None:
            begun.append(summary)
            if messages := list(file_messages(summary.landing)):
                # The bar would be drawn over them.
                progress.stop()
                _print_lines(messages)
                progress.start()

        def show_next() -> None:
            progress.update(task, description=_describe(pending[0]) if pending else "Done")

        def planned(batches: list[Batch]) -> None:
            pending.extend(batches)
            progress.update(task, total=sum(len(batch.assets) for batch in batches))
            show_next()

        def done(batch: Batch) -> None:
            made = pending.pop(0)
            if not progress.console.is_terminal:  # a log has no bar that moves
                progress.console.print(
                    f"{_describe(made)}: made", markup=False, highlight=False, soft_wrap=True
                )
            progress.advance(task, len(batch.assets))
            show_next()

        summary = run_pipeline(
            build_definitions(settings),
            settings,
            months=months,
            select=select,
            force=force,
            on_landing=landed,
            on_plan=planned,
            on_batch=done,
            on_wait=lambda sentence: progress.console.print(
                for_terminal(sentence), markup=False, highlight=False, soft_wrap=True
            ),
        )
    _report_run(settings, summary)


def _describe(batch: Batch) -> str:
    from fashion_assets.defs.runner import shown_partition

    names = f"{batch.assets[0]} … {batch.assets[-1]}" if len(batch.assets) > 1 else batch.assets[0]
    return f"{shown_partition(batch.partition) if batch.partition else 'all'} {names}"[:44]


@contextmanager
def _told_if_it_fails(settings: Settings, begun: list[RunSummary]) -> Iterator[None]:
    """A run that fails tells before its fault what it had found by then."""
    from fashion_assets.defs.run_table import check_lines

    try:
        yield
    except Exception:
        for summary in begun:
            _print_lines([*summary.notes, *check_lines(settings, summary.failed_checks)])
        raise


def _report_run(settings: Settings, summary: RunSummary) -> None:
    from rich.console import Console

    from fashion_assets.defs.run_table import check_lines, closing_table, next_commands, product_lines

    _print_lines(summary.notes)
    if summary.nothing_to_do:
        _print_lines(["Nothing new: everything is as its inputs are."])
        return
    Console().print(closing_table(settings, summary))
    _print_lines(product_lines(settings))
    _print_lines(check_lines(settings, summary.failed_checks))
    _print_lines(next_commands(settings))


def _print_lines(lines: Iterable[str]) -> None:
    """Each line as it is, however wide the terminal; what would command the terminal is shown by number."""
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(for_terminal(line), markup=False, highlight=False, soft_wrap=True)


app.command()(sql)


@app.command()
def doctor(data_dir: DataDir = Path("data")) -> None:
    """Versions, device, usable encoders, the data root, what is missing and what to do about it."""
    from rich.console import Console

    from fashion_assets.defs.doctor import examine

    console = Console()
    healthy = True
    for finding in examine(settings_of(data_dir)):
        mark = (
            "[green]ok[/]     "
            if finding.ok
            else "[yellow]look[/]   "
            if finding.optional
            else "[red]missing[/]"
        )
        healthy = healthy and (finding.ok or finding.optional)
        console.print(f"{mark} [bold]{finding.subject}[/] ", end="")
        console.print(
            finding.found + (f" — {finding.advice}" if finding.advice else ""), markup=False, highlight=False
        )
    if not healthy:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: ``UserError`` becomes its sentence, anything else a sentence and how to see more."""
    debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app()
    except (UserError, OSError) as fault:
        if debug:
            sys.stderr.write(getattr(fault, "details", ""))
            raise
        told = (system_sentence(fault) if isinstance(fault, OSError) else None) or str(fault)
        sys.stderr.write(f"fashion-assets: {for_terminal(told)}\n")
        sys.exit(1)
    except Exception as fault:
        if debug:
            raise
        sys.stderr.write(
            f"fashion-assets: {type(fault).__name__}: {for_terminal(str(fault))}\n"
            "This is a fault of ours; --debug shows where.\n"
        )
        sys.exit(70)  # EX_SOFTWARE of sysexits.h
