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

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.keywords.scorers import KeywordScorer
    from fashion_assets.tfashion.evaluation import Evaluation
    from fashion_assets.tfashion.recipe import Recipe

#: What a training makes, in this order.
_TRAINING = "word_vectors,keyword_training_words,tfashion_model"


def train_keywords(settings: Settings, recipe: Recipe) -> dict[str, Any]:
    """Keep the recipe, make the three assets anew, and hand back the model's card.

    The files are read once before anything is kept, so that a faulty one leaves the data root as it was.
    """
    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.runner import run_pipeline
    from fashion_assets.tfashion.heads import require_heads
    from fashion_assets.tfashion.model import read_card
    from fashion_assets.tfashion.post_files import read_posts
    from fashion_assets.tfashion.train import read_files

    require_heads(recipe.heads)
    read_files(recipe)
    for name in recipe.posts:
        next(read_posts(Path(name)))
    path = recipe_path(settings)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    recipe.save(path)
    try:
        run_pipeline(build_definitions(settings), settings, select=_TRAINING, force=True, needs_input=False)
    except BaseException:
        # The data root must not go on with a recipe that does not work.
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
        raise
    return read_card(tfashion_path(settings))


def show_training(settings: Settings, card: Mapping[str, Any]) -> None:
    """Print what the training came to: words, heads, epochs, and the splits side by side."""
    import pandas as pd
    from rich.console import Console

    from fashion_assets.defs.run_table import frame_table

    console = Console()
    console.print(f"Encoder {card['encoder']}, {card['posts']} posts without labels", highlight=False)
    console.print(
        frame_table(pd.DataFrame(card["words"]), title="Words learned from, and what became of the rest")
    )
    console.print(
        frame_table(pd.DataFrame(card["heads_tried"]).round(4), title="Heads on unseen word families")
    )
    if card.get("reference_split"):
        table = pd.DataFrame(card["reference_split"]).round(4)
        console.print(
            frame_table(table, title="Published split (rows with repeats, published head): flatters")
        )
    console.print(
        frame_table(pd.DataFrame(card["epochs"]).round(4), title=f"Epochs of the {card['head']} head")
    )
    splits = {
        "by word (Han, lengths matched)": card.get("honest_split"),
        "by word family": card.get("family_split"),
    }
    rows = [{"split of the files": name, **_figures(split)} for name, split in splits.items() if split]
    if rows:
        console.print(
            frame_table(pd.DataFrame(rows), title="Honest splits of the files, learned from them alone")
        )
    console.print(
        f"{card['model_id']} in {tfashion_path(settings)}; a word is a keyword from {card['threshold']:.3f} on",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _figures(split: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: f"{split[name]['value']:.4f} ({split[name]['lo']:.3f} to {split[name]['hi']:.3f})"
        for name in ("f1", "precision", "recall", "auc")
    }


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
    return load_tfashion(settings, Encoders(settings).words)


def score_words(settings: Settings, path: Path) -> tuple[pd.DataFrame, str]:
    """(word, score, is_fashion, facet) of every row of a word file, in order, and the id of the classifier."""
    import numpy as np
    import pandas as pd

    from fashion_assets.keywords.lexicon import load_lexicon
    from fashion_assets.tfashion.sources import read_word_file
    from fashion_assets.tfashion.words import training_form

    words = read_word_file(path)
    scorer = load_tfashion(settings, Encoders(settings).words)
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
    scorer = load_tfashion(settings, Encoders(settings).words)
    judged = evaluate_scores(
        labels.fashion, scorer.score(labels.words), scorer.threshold, seed=settings.random_seed
    )
    return judged, scorer.model_id
