"""What the ``fashion-assets keywords`` commands do: training as assets, and one scorer for words and posts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_assets.defs.resources import (
    Encoders,
    load_tfashion,
    recipe_path,
    tfashion_path,
    user_dictionary_path,
)
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_text_atomic

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from rich.console import Console

    from fashion_assets.keywords.scorers import KeywordScorer
    from fashion_assets.tfashion.evaluation import Evaluation
    from fashion_assets.tfashion.recipe import Recipe

#: What has to be as its inputs are before a training, and what a training makes.
_POSTS = "raw_posts,cleaned_posts,quarantined_posts"
_TRAINING = "word_vectors,keyword_training_words,tfashion_model"


def train_keywords(definitions: dg.Definitions, settings: Settings, recipe: Recipe) -> dict[str, Any]:
    """Keep the recipe, make the three assets anew, and hand back the model's card.

    Files and encoder are looked at before anything is kept, so that a faulty one leaves the data root as it was.
    """
    from fashion_assets.defs.runner import run_pipeline
    from fashion_assets.tfashion.heads import require_heads
    from fashion_assets.tfashion.model import read_card
    from fashion_assets.tfashion.post_files import read_posts
    from fashion_assets.tfashion.train import labelled_words, read_files

    require_heads(recipe.heads)
    read_files(recipe)
    for name in recipe.posts:
        next(read_posts(Path(name)))
    if recipe.lists is False:
        labelled_words(recipe, [], seed=settings.random_seed)
    if not settings.text_encoder.startswith("local:cbow"):
        # Not the vectors that are learned on the way: it has to be there already.
        _ = Encoders(settings).text
    path = recipe_path(settings)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    recipe.save(path)
    try:
        # Posts that have arrived but were never cleaned are posts to learn from, too.
        run_pipeline(definitions, settings, select=_POSTS, needs_input=False)
        run_pipeline(definitions, settings, select=_TRAINING, force=True, needs_input=False)
    except BaseException:
        # The data root must not go on with a recipe that does not work.
        path.unlink() if before is None else write_text_atomic(path, before)
        raise
    return read_card(tfashion_path(settings))


def show_training(settings: Settings, card: Mapping[str, Any]) -> None:
    """Print what the training came to, 80 columns wide: words, heads, epochs, and the splits side by side."""
    import pandas as pd
    from rich.console import Console

    console = Console()
    words, heads, head = pd.DataFrame(card["words"]), card["heads_tried"], card["head"]
    console.print(f"Encoder {card['encoder']}, {card['posts']} posts without labels", highlight=False)
    words["label"] = words["label"].map({True: "fashion", False: "other"})
    _print_table(console, "Words learned from, and what became of the rest", words)
    judged = pd.DataFrame([_head_row(entry) for entry in heads])
    n_words = heads[0]["validation_words"]
    _print_table(console, f"Heads, judged on {n_words} words of unseen families", judged)
    _print_table(console, f"Epochs of the {head} head", pd.DataFrame(card["epochs"]).round(4))
    published = card.get("reference_split")
    if published:
        title = "Epochs as published: split by row, so that many validation words were trained on"
        _print_table(console, title, pd.DataFrame(published).round(4))
    splits = {
        "by word, lengths matched": card.get("honest_split"),
        "by word family": card.get("family_split"),
    }
    if any(splits.values()):
        rows = pd.DataFrame({"figure": list(_FIGURES.values())})
        if published:
            rows["as published"] = [_number(published[-1].get(column)) for column in _PUBLISHED.values()]
        for name, split in splits.items():
            if split:
                rows[name] = [_interval(**split[figure]) for figure in _FIGURES]
        _print_table(console, "Learned from the files alone, by split; only the last two are honest", rows)
    console.print(
        f"{card['model_id']} in {tfashion_path(settings)}; a word is a keyword from {card['threshold']:.3f} on",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


#: Figures of an evaluation by their names for people, and what the published table of epochs calls them.
_FIGURES = {"f1": "F1", "precision": "precision", "recall": "recall", "auc": "AUC"}
_PUBLISHED = {"f1": "F1 Score", "precision": "Precision", "recall": "Recall", "auc": "AUC"}


def _print_table(console: Console, title: str, frame: pd.DataFrame) -> None:
    """The table below its title, which may be wider."""
    from rich.table import Table

    table = Table()
    for column in frame.columns:
        table.add_column(str(column))
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    console.print(title, highlight=False, markup=False)
    console.print(table)


def _head_row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "head": f"{entry['head']}, kept" if entry["chosen"] else str(entry["head"]),
        "F1 (95 %)": _interval(entry["f1"], entry["f1_lo"], entry["f1_hi"]),
        "precision": _number(entry["precision"]),
        "recall": _number(entry["recall"]),
        "AUC": _number(entry["auc"]),
        "ECE": _number(entry["calibration_error"]),
    }


def _interval(value: float, lo: float, hi: float) -> str:
    return f"{value:.4f} ({lo:.3f}–{hi:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def reviewed_terms(settings: Settings) -> Mapping[str, str]:
    """The data root's user dictionary: term -> facet."""
    from fashion_assets.keywords.user_dictionary import read_user_dictionary

    return read_user_dictionary(user_dictionary_path(settings)).terms


def scorer_of(settings: Settings) -> KeywordScorer:
    """The trained classifier of the data root, or the lexicon's scorer where none was trained."""
    from fashion_assets.keywords.scorers import LexiconScorer, UserTermScorer
    from fashion_assets.tfashion.model import WEIGHTS

    if not (tfashion_path(settings) / WEIGHTS).is_file():
        return UserTermScorer(LexiconScorer(), reviewed_terms(settings))
    return _trained_scorer(settings)


def _trained_scorer(settings: Settings) -> KeywordScorer:
    """The trained classifier; where there is none UserError says so, before the encoder's own faults."""
    from fashion_assets.tfashion.model import require_model

    require_model(tfashion_path(settings))
    return load_tfashion(settings, Encoders(settings).words)


def score_words(settings: Settings, path: Path) -> tuple[pd.DataFrame, str]:
    """(word, score, is_fashion, facet) of every row of a word file, in order, and the id of the classifier."""
    import numpy as np
    import pandas as pd

    from fashion_assets.keywords.lexicon import load_lexicon
    from fashion_assets.tfashion.sources import read_word_file
    from fashion_assets.tfashion.words import training_form

    words = read_word_file(path)
    scorer = _trained_scorer(settings)
    scores = scorer.score(words)
    reviewed, lexicon = reviewed_terms(settings), load_lexicon()
    fashion = scores >= np.float32(scorer.threshold)
    forms = [training_form(word) for word in words]
    facets = [
        (reviewed.get(form) or lexicon.facet(form) or "") if is_fashion else ""
        for form, is_fashion in zip(forms, fashion, strict=True)
    ]
    table = pd.DataFrame({"word": words, "score": scores, "is_fashion": fashion, "facet": facets})
    return table, scorer.model_id


def evaluate_words(settings: Settings, path: Path) -> tuple[Evaluation, str]:
    """Figures of the classifier on the labelled words of a file, and its id."""
    from fashion_assets.tfashion.evaluation import evaluate_scores, read_labels

    labels = read_labels(path)
    scorer = _trained_scorer(settings)
    judged = evaluate_scores(
        labels.fashion, scorer.score(labels.words), scorer.threshold, seed=settings.random_seed
    )
    return judged, scorer.model_id
