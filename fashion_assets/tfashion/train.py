"""From a recipe to a classifier: labelled words, learning, and the figures that go on the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.post_words import PostWords
from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.corpus import CorpusContrast, mined_background
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.figures import honest_figures, reference_figures
from fashion_assets.tfashion.model import TfashionModel
from fashion_assets.tfashion.recipe import Recipe
from fashion_assets.tfashion.sources import RawWords, read_negative_words, read_positive_words
from fashion_assets.tfashion.training import DEFAULT_HEADS, POSTS_SHARE, Learned, learn
from fashion_assets.tfashion.word_lists import dictionary_terms
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets.tfashion.words import training_words

#: How much a word of the positive files counts beside one of the lexicon, in the loss and among the n-grams. The
#: published positives hold everyday words of posts (真的, 分享), which the lists overrule only where they name them.
FILE_TRUST = 0.1


@dataclass(frozen=True)
class Trained:
    """A classifier and all that is told about it."""

    model: TfashionModel
    learned: Learned
    #: The published way's table of epochs; None unless asked for.
    reference: pd.DataFrame | None


def read_files(recipe: Recipe) -> tuple[RawWords | None, RawWords | None]:
    """The words of the recipe's positive and negative files; None for a side without files."""
    positives = [read_positive_words(Path(name), recipe.column) for name in recipe.positives]
    negatives = [read_negative_words(Path(name)) for name in recipe.negatives]
    return _joined(positives), _joined(negatives)


def _joined(sides: Sequence[RawWords]) -> RawWords | None:
    if not sides:
        return None
    return RawWords(
        [word for side in sides for word in side.words],
        tuple(name for side in sides for name in side.files),
        [fault for side in sides for fault in side.unreadable],
    )


def labelled_words(
    recipe: Recipe, posts: Sequence[PostWords], *, user_terms: Collection[str] = (), seed: int
) -> pd.DataFrame:
    """TRAINING_WORDS of the recipe: its files, and unless they stand alone the project's lists, the dictionary and what
    the posts show to be everyday words. ``user_terms``: reviewed fashion terms, which count as the lexicon's.
    """
    positives, negatives = read_files(recipe)
    if not recipe.uses_lists(has_posts=bool(posts)):
        if positives is None or negatives is None:
            side, option = (
                ("fashion words", "--positives") if positives is None else ("other words", "--negatives")
            )
            raise UserError(
                f"The files hold no {side}, and the project's own lists are left out; give {option} as well, "
                "or --lists."
            )
        return training_words(positives, negatives, lexicon_terms=(), background_terms=(), seed=seed)
    return training_words(
        positives,
        negatives,
        lexicon_terms=[*load_lexicon().terms(), *user_terms],
        background_terms=load_background() - set(user_terms),
        dictionary_terms=dictionary_terms(seed),
        balance="downsample",
        contrast_terms=mined_background(posts, CorpusContrast.count(posts)),
        seed=seed,
    )


def classifier(
    recipe: Recipe, words: pd.DataFrame, posts: Sequence[PostWords], vectors: WordVectors, *, seed: int
) -> tuple[TfashionModel, Learned]:
    """Learn from TRAINING_WORDS: the model, without a story for its card, and how it was learned."""
    facts = WordFacts(vectors, CorpusContrast.count(posts))
    used = words[words["state"] == "used"]
    lists = recipe.uses_lists(has_posts=bool(posts))
    trust = used["origin"].map({"positives": FILE_TRUST if lists else 1.0}).fillna(1.0).to_numpy(dtype=float)
    learned = learn(
        used["word"].tolist(),
        used["label"].to_numpy(dtype=bool),
        used["fold"].to_numpy(),
        facts,
        weights=used["weight"].to_numpy(dtype=float) * trust,
        trust=trust,
        heads=recipe.heads or DEFAULT_HEADS,
        fashion_share=POSTS_SHARE if lists else None,
        seed=seed,
    )
    # With the lists the log-odds of what is known already hold the threshold.
    cut = 0.5 if lists else learned.threshold
    return TfashionModel(learned.head, facts, learned.evidence, learned.calibration, cut, lists), learned


def train(
    recipe: Recipe, words: pd.DataFrame, posts: Sequence[PostWords], vectors: WordVectors, *, seed: int
) -> Trained:
    """Learn from TRAINING_WORDS, and judge the same way of learning on splits of the files where there are any."""
    model, learned = classifier(recipe, words, posts, vectors, seed=seed)
    facts = model.facts
    positives, negatives = read_files(recipe)
    honest: dict[str, Any] = {}
    not_judged: dict[str, str] = {}
    reference = None
    if positives is not None and negatives is not None:
        for name, by_family in (("honest_split", False), ("family_split", True)):
            chosen = (learned.head.name,)
            try:
                judged = honest_figures(
                    positives, negatives, facts, heads=chosen, by_family=by_family, seed=seed
                )
            except UserError as fault:
                # Files too small to be split cost the figure, not the model.
                not_judged[name] = str(fault)
            else:
                honest[name] = asdict(judged)
        if recipe.reference:
            reference = reference_figures(positives, negatives, facts, seed=seed)
    story = {
        "recipe": asdict(recipe),
        "data_digest": recipe.digest(),
        "posts": len(posts),
        "words": _counts(words),
        "heads_tried": learned.candidate_table().to_dict("records"),
        "epochs": learned.epochs().to_dict("records"),
        "reference_split": None if reference is None else reference.to_dict("records"),
        "not_judged": not_judged,
        **honest,
    }
    return Trained(replace(model, story=story), learned, reference)


def _counts(words: pd.DataFrame) -> list[dict[str, Any]]:
    """How many words of each origin came to each state."""
    counted = Counter(zip(words["label"], words["origin"], words["state"], strict=True))
    return [
        {"label": bool(label), "origin": origin, "state": state, "words": count}
        for (label, origin, state), count in sorted(counted.items())
    ]
