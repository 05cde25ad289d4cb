"""What is told about a classifier: the honest split of the files, and the published split beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion_assets.tfashion.epochs import epoch_table
from fashion_assets.tfashion.evaluation import Evaluation, evaluate_scores
from fashion_assets.tfashion.families import family_folds, word_families
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.heads import make_head
from fashion_assets.tfashion.sources import RawWords
from fashion_assets.tfashion.training import DEFAULT_HEADS, learn
from fashion_assets.tfashion.words import issue_split, reference_split, training_form

#: Folds inside the training words: for the n-grams, the choice of the head, and the threshold.
_FOLDS = 5


def honest_figures(
    positives: RawWords,
    negatives: RawWords,
    facts: WordFacts,
    *,
    heads: Sequence[str] = DEFAULT_HEADS,
    by_family: bool = False,
    seed: int,
) -> Evaluation:
    """Figures on words that were never trained on, of the files alone (``words.issue_split``): Han only, each
    word once, both labels alike in number and length.

    The project's lists take no part. The words that lengths left over are trained on as well. Head, calibration
    and threshold are chosen inside the training words. ``by_family``: no validation word has a relative among the
    training words, which is harder.
    """
    split = issue_split(positives, negatives, seed)
    everything = {training_form(word) for word in negatives.words} - {"", *split["word"]}
    spare = sorted(everything - {training_form(word) for word in positives.words})
    words = [*split["word"], *spare]
    labels = np.array([*split["label"], *[False] * len(spare)], dtype=bool)
    held_out = np.array([*split["validation"], *[False] * len(spare)], dtype=bool)
    folds = np.random.default_rng(seed).permutation(len(words)) % _FOLDS
    train = ~held_out
    if by_family:
        folds = family_folds(word_families(words), labels, _FOLDS, seed).astype(np.int64)
        held_out = (folds == _FOLDS - 1) & (np.arange(len(words)) < len(split))
        train = folds != _FOLDS - 1
    weights = np.where(labels, 0.5 / labels[train].sum(), 0.5 / (~labels)[train].sum()) * train.sum()
    rows, tested = np.flatnonzero(train).tolist(), np.flatnonzero(held_out).tolist()
    learned = learn(
        [words[row] for row in rows],
        labels[rows],
        folds[rows],
        facts,
        weights=weights[rows],
        heads=heads,
        fashion_share=0.5,
        seed=seed,
    )
    matrix = facts.matrix([words[row] for row in tested], learned.evidence, learned.head.name)
    probability = learned.calibration.apply(learned.head.decision(matrix))
    return evaluate_scores(labels[tested], probability, learned.threshold, seed=seed)


def reference_figures(
    positives: RawWords, negatives: RawWords, facts: WordFacts, *, seed: int
) -> pd.DataFrame:
    """The published way: rows with their repeats split at random, the published head on the vectors alone, five
    epochs; the table that it prints. It flatters: most validation words were trained on.
    """
    split = reference_split(positives, negatives, seed)
    words = split["word"].tolist()
    different = sorted(set(words))
    place = {word: row for row, word in enumerate(different)}
    # Rows repeat their words: each word is encoded once, and as it stands, as the reference does.
    vectors = facts.vectors.encode(different)
    features = vectors[[place[word] for word in words]]
    held_out = split["validation"].to_numpy(dtype=bool)
    labels = split["label"].to_numpy(dtype=bool)
    head = make_head("resnet", features.shape[1], seed)
    return epoch_table(
        head.fit(features[~held_out], labels[~held_out], None, (features[held_out], labels[held_out]))
    )
