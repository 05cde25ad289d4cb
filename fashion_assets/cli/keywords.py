"""``fashion-assets keywords``: train, score, judge and run the word classifier, and review new words."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fashion_assets.cli.options import DataDir, require_file, settings_of, write_out
from fashion_assets.storage.csv_text import csv_text
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.terminal_text import for_terminal

#: Of what was left out this much is told.
_NOTES_SHOWN = 10

keywords_app = typer.Typer(no_args_is_help=True, help="Fashion keywords of posts.")


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
    settings = settings_of(data_dir)
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

    require_file(out, "--out")
    table, scorer = score_words(settings_of(data_dir), words)
    write_out(out, csv_text(table, float_format="%.6f"))
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
        require_file(json_out, "--json")
    judged, scorer = evaluate_words(settings_of(data_dir), labels)
    console = Console()
    said = f"{judged.n} words, {judged.n_positive} of fashion, judged by {scorer}"
    console.print(said, markup=False, highlight=False)
    console.print(frame_table(judged.table().round(4)))
    if json_out is not None:
        write_out(json_out, json.dumps({"scorer": scorer, **asdict(judged)}, indent=2) + "\n")


@keywords_app.command("new-words")
def keywords_new_words(
    data_dir: DataDir = Path("data"),
    limit: Annotated[int, typer.Option(min=1, help="Rows shown.")] = 50,
) -> None:
    """Terms that posts use whole and the dictionary cuts apart; for review, then ``keywords accept``."""
    from rich.console import Console

    from fashion_assets.defs.resources import LakeReader
    from fashion_assets.defs.run_table import frame_table

    table = LakeReader(settings_of(data_dir)).frame("new_words").head(limit)
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

    settings = settings_of(data_dir)
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

    require_file(out, "--out")
    settings = settings_of(data_dir)
    if not posts.is_file():
        raise UserError(f"there is no file {posts}; give a crawl file (CSV, .gz, .zip, JSONL or Parquet)")
    scorer = scorer_of(settings)
    notes: list[str] = []
    found = keywords_of_crawl_file(
        posts,
        scorer,
        engine=settings.tokenizer,
        user_terms=tuple(reviewed_terms(settings)),
        on_note=notes.append,
    )
    lines = [json.dumps(entry, ensure_ascii=False) for entry in found]
    write_out(out, "".join(f"{line}\n" for line in lines))
    console = Console(stderr=True)
    shown = [for_terminal(note) for note in notes[:_NOTES_SHOWN]]
    if len(notes) > len(shown):
        shown.append(f"… and {len(notes) - len(shown)} more that were left out")
    for line in shown:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(lines)} posts, keywords by {scorer.model_id} -> {out}", markup=False)
