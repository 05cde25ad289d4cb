"""The ``fashion-assets`` command: a thin line over the same assets that the Dagster UI shows.

Belongs here: options, progress and tables for people. A user's mistake is one sentence and exit code 1; a
traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.storage.errors import UserError

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
keywords_app = typer.Typer(no_args_is_help=True, help="Fashion keywords of posts.")
app.add_typer(keywords_app, name="keywords")

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="FASHION_DATA_DIR",
        help="Data root: incoming/, lake/, reports/, warehouse.duckdb.",
    ),
]


class TableFormat(StrEnum):
    """How ``sql`` prints its rows."""

    table = "table"
    csv = "csv"
    json = "json"


@app.callback()
def options(
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

    from fashion_assets.sample.make import make_sample

    console, root = Console(), directory or data_dir
    with console.status(f"Drawing {months} months of posts into {root}"):
        made = make_sample(root, months=months, posts_per_month=posts_per_month, products=products, seed=seed)
    console.print(
        f"{made.records} crawl rows of {made.posts} posts in {len(made.crawl_files)} files ({made.repeats} repeats, "
        f"{made.late} late, {made.bad_rows} bad), {made.pictures} pictures, {made.products} products; "
        f"the truth about them is in {root / 'sample_truth'}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"Next: fashion-assets run --data-dir {root}", highlight=False, soft_wrap=True)


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
    from fashion_assets.defs.runner import run_pipeline

    settings = _settings(data_dir)
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("assets"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Landing", total=None)
        pending: list[Batch] = []

        def show_next() -> None:
            progress.update(task, description=_describe(pending[0]) if pending else "Done")

        def planned(batches: list[Batch]) -> None:
            pending.extend(batches)
            progress.update(task, total=sum(len(batch.assets) for batch in batches))
            show_next()

        def done(batch: Batch) -> None:
            pending.pop(0)
            progress.advance(task, len(batch.assets))
            show_next()

        summary = run_pipeline(
            build_definitions(settings),
            settings,
            months=months,
            select=select,
            force=force,
            on_plan=planned,
            on_batch=done,
        )
    _report_run(settings, summary)


def _describe(batch: Batch) -> str:
    from fashion_assets.defs.runner import shown_partition

    names = f"{batch.assets[0]} … {batch.assets[-1]}" if len(batch.assets) > 1 else batch.assets[0]
    return f"{shown_partition(batch.partition) if batch.partition else 'all'} {names}"[:44]


def _report_run(settings: Settings, summary: RunSummary) -> None:
    from rich.console import Console

    from fashion_assets.defs.run_table import closing_table, file_messages, next_commands

    console = Console()
    for message in file_messages(summary):
        console.print(message, markup=False, highlight=False, soft_wrap=True)
    if summary.nothing_to_do:
        console.print("Nothing new: everything is as its inputs are.")
        return
    console.print(closing_table(settings, summary))
    for line in next_commands(settings):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT on the published warehouse.")],
    data_dir: DataDir = Path("data"),
    format: Annotated[TableFormat, typer.Option("--format", help="table, csv or json.")] = TableFormat.table,
) -> None:
    """Ask the published warehouse, read-only. 'show tables' lists what is there."""
    from fashion_assets.defs.run_table import frame_table
    from fashion_assets.storage.warehouse import query

    rows = query(_settings(data_dir).warehouse, statement)
    if format is TableFormat.csv:
        for name in rows.select_dtypes("object").columns:
            rows[name] = [
                json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell
                for cell in rows[name]
            ]
        rows.to_csv(sys.stdout, index=False)
    elif format is TableFormat.json:
        records = rows.to_json(orient="records", force_ascii=False, date_format="iso")
        sys.stdout.write(json.dumps(json.loads(records), ensure_ascii=False, indent=2) + "\n")
    else:
        from rich.console import Console

        Console().print(frame_table(rows))


@app.command()
def doctor(data_dir: DataDir = Path("data")) -> None:
    """Versions, device, usable encoders, the data root, what is missing and what to do about it."""
    from rich.console import Console

    from fashion_assets.defs.doctor import examine

    console = Console()
    healthy = True
    for finding in examine(_settings(data_dir)):
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


@keywords_app.command("train")
def keywords_train(
    positives: Annotated[
        list[Path] | None, typer.Option(help="Fashion words: CSV, text file or folder. May be repeated.")
    ] = None,
    negatives: Annotated[
        list[Path] | None, typer.Option(help="Other words or lines: CSV, text file or folder.")
    ] = None,
    posts: Annotated[
        list[Path] | None,
        typer.Option(
            help="Posts without labels, to learn vectors and everyday words from, beside the landed."
        ),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the words in the positive files.")] = None,
    heads: Annotated[
        str | None,
        typer.Option(
            help="Heads to try, e.g. mlp,logistic,resnet (default: mlp,logistic); the first is kept unless another is "
            "clearly better."
        ),
    ] = None,
    lists: Annotated[
        bool | None,
        typer.Option(
            "--lists/--no-lists",
            help="Whether the project's word lists count beside the files (default: unless there are no posts).",
        ),
    ] = None,
    reference: Annotated[
        bool,
        typer.Option(help="With files of both kinds: also train the published way, to print its table."),
    ] = True,
    data_dir: DataDir = Path("data"),
) -> None:
    """Train the word classifier; later runs in the same data root use it, and train from the same files."""
    from rich.console import Console

    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.keyword_commands import show_training, train_keywords
    from fashion_assets.tfashion.recipe import Recipe

    recipe = Recipe(
        positives=_absolute(positives),
        negatives=_absolute(negatives),
        column=column,
        posts=_absolute(posts),
        heads=tuple(name.strip() for name in (heads or "").split(",") if name.strip()),
        lists=lists,
        reference=reference and bool(positives) and bool(negatives),
    )
    settings = _settings(data_dir)
    with Console(stderr=True).status("Learning word vectors and the word classifier"):
        card = train_keywords(build_definitions(settings), settings, recipe)
    show_training(settings, card)


def _absolute(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(str(path.expanduser().absolute()) for path in paths or [])


@keywords_app.command("score")
def keywords_score(
    words: Annotated[Path, typer.Argument(help="A word a line, or a CSV with a column of words.")],
    out: Annotated[Path, typer.Option("--out", help="CSV: word, score, is_fashion, facet.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """How likely each word is to speak of fashion, by the trained classifier."""
    from rich.console import Console

    from fashion_assets.defs.keyword_commands import score_words

    _require_file(out, "--out")
    table, scorer = score_words(_settings(data_dir), words)
    _write(out, table.to_csv(index=False, float_format="%.6f"))
    Console(stderr=True).print(
        f"{len(table)} words, {int(table['is_fashion'].sum())} of fashion by {scorer} -> {out}", markup=False
    )


@keywords_app.command("evaluate")
def keywords_evaluate(
    labels: Annotated[
        Path,
        typer.Argument(help='JSON: {"core": [...], "context": [...], "other": [...], "ambiguous": [...]}'),
    ],
    data_dir: DataDir = Path("data"),
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file too.")
    ] = None,
) -> None:
    """Precision, recall, F1 and AUC of the classifier on labelled words, with 95 % bootstrap intervals."""
    from rich.console import Console

    from fashion_assets.defs.keyword_commands import evaluate_words
    from fashion_assets.defs.run_table import frame_table

    if json_out is not None:
        _require_file(json_out, "--json")
    judged, scorer = evaluate_words(_settings(data_dir), labels)
    console = Console()
    console.print(f"{judged.n} words, {judged.n_positive} of fashion, judged by {scorer}", highlight=False)
    console.print(frame_table(judged.table().round(4)))
    if json_out is not None:
        _write(json_out, json.dumps({"scorer": scorer, **asdict(judged)}, indent=2) + "\n")


@keywords_app.command("new-words")
def keywords_new_words(
    data_dir: DataDir = Path("data"),
    limit: Annotated[int, typer.Option(min=1, help="Rows shown.")] = 50,
) -> None:
    """Terms that posts use whole and the dictionary cuts apart; for review, then ``keywords accept``."""
    from rich.console import Console

    from fashion_assets.defs.resources import LakeReader
    from fashion_assets.defs.run_table import frame_table

    table = LakeReader(_settings(data_dir)).frame("new_words").head(limit)
    shown = table[["word", "parts", "n_posts", "pmi", "score", "example"]].round(3)
    Console().print(frame_table(shown.assign(parts=shown["parts"].map(" ".join))))


@keywords_app.command("accept")
def keywords_accept(
    terms: Annotated[list[str], typer.Argument(help="Terms to keep whole from now on.")],
    facet: Annotated[
        str, typer.Option(help="Facet of the terms; with one they are keywords for certain.")
    ] = "",
    data_dir: DataDir = Path("data"),
) -> None:
    """Put reviewed terms into the data root's user dictionary; the next run learns and extracts anew."""
    from rich.console import Console

    from fashion_assets.defs.resources import user_dictionary_path
    from fashion_assets.keywords.user_dictionary import add_terms

    settings = _settings(data_dir)
    path = user_dictionary_path(settings)
    dictionary = add_terms(path, [(term, facet) for term in terms])
    Console().print(
        f"{path} holds {len(dictionary.terms)} terms. Next: fashion-assets run --data-dir {settings.root}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@keywords_app.command("extract")
def keywords_extract(
    posts: Annotated[Path, typer.Argument(help="A crawl file: CSV (.gz, .zip), JSONL or Parquet.")],
    out: Annotated[Path, typer.Option("--out", help="One JSON object a line: post_id and keywords.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Fashion keywords of each post in a crawl file, without landing it.

    By the trained classifier of the data root; by the lexicon where none was trained.
    """
    from rich.console import Console

    from fashion_assets.defs.keyword_commands import reviewed_terms, scorer_of
    from fashion_assets.keywords.from_files import keywords_of_crawl_file

    _require_file(out, "--out")
    settings = _settings(data_dir)
    if not posts.is_file():
        raise UserError(f"there is no file {posts}; give a crawl file (CSV, .gz, .zip, JSONL or Parquet)")
    scorer = scorer_of(settings)
    found = keywords_of_crawl_file(
        posts, scorer, engine=settings.tokenizer, user_terms=tuple(reviewed_terms(settings))
    )
    lines = [json.dumps(entry, ensure_ascii=False) for entry in found]
    _write(out, "".join(f"{line}\n" for line in lines))
    Console(stderr=True).print(f"{len(lines)} posts, keywords by {scorer.model_id} -> {out}", markup=False)


def _require_file(path: Path, option: str) -> None:
    """UserError for a folder where a file is to be written, before any work is done."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give {option} the path of a file")


def _write(path: Path, text: str) -> None:
    """The text in a file, its folders made where they are missing."""
    from fashion_assets.storage.files import write_text_atomic

    try:
        write_text_atomic(path, text)
    except OSError as fault:
        raise UserError(f"{path} cannot be written ({fault.strerror}); give another path") from fault


def _settings(data_dir: Path) -> Settings:
    from pydantic import ValidationError

    from fashion_assets.settings import Settings

    try:
        return Settings(data_dir=data_dir)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise UserError(
            f"FASHION_{'_'.join(map(str, first['loc'])).upper()}={first['input']!r}: {first['msg']}"
        ) from fault


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
        sys.stderr.write(f"fashion-assets: {fault}\n")
        sys.exit(1)
    except Exception as fault:
        if debug:
            raise
        sys.stderr.write(
            f"fashion-assets: {type(fault).__name__}: {fault}\nThis is a fault of ours; --debug shows where.\n"
        )
        sys.exit(70)  # EX_SOFTWARE of sysexits.h


if __name__ == "__main__":
    main()
