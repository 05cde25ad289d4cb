"""What is told about a classifier: the honest split of the files, and the published split beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
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


@dataclass(frozen=True)
class HonestRows:
    """The words of an honest split (n), in training form. ``labels`` bool (n,); ``folds`` (n,) 0 to 4, for what is
    chosen inside the training words; ``train`` and ``tested`` bool (n,) share no word; ``spare`` bool (n,): other
    words that the matching of lengths left over, to train on and never to be tested.
    """

    words: list[str]
    labels: npt.NDArray[np.bool_]
    folds: npt.NDArray[np.int64]
    train: npt.NDArray[np.bool_]
    tested: npt.NDArray[np.bool_]
    spare: npt.NDArray[np.bool_]

    def chosen(self, rows: npt.NDArray[np.bool_]) -> list[str]:
        """The words of these rows (n,)."""
        return [self.words[row] for row in np.flatnonzero(rows).tolist()]

    def weights(self, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Weights of mean 1 of these rows, under which both labels weigh the same."""
        truth = self.labels[rows]
        return np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()) * len(truth)


def honest_rows(
    positives: RawWords, negatives: RawWords, *, by_family: bool = False, seed: int
) -> HonestRows:
    """``words.issue_split`` with the spare negatives; ``by_family``: no tested word has a relative among the training
    words.
    """
    split = issue_split(positives, negatives, seed)
    everything = {training_form(word) for word in negatives.words} - {"", *split["word"]}
    spare = sorted(everything - {training_form(word) for word in positives.words})
    words = [*split["word"], *spare]
    labels = np.array([*split["label"], *[False] * len(spare)], dtype=bool)
    left_over = np.arange(len(words)) >= len(split)
    if by_family:
        folds = family_folds(word_families(words), labels, _FOLDS, seed).astype(np.int64)
        train = folds != _FOLDS - 1
        return HonestRows(words, labels, folds, train, ~train & ~left_over, left_over)
    tested = np.array([*split["validation"], *[False] * len(spare)], dtype=bool)
    folds = np.random.default_rng(seed).permutation(len(words)) % _FOLDS
    return HonestRows(words, labels, folds, ~tested, tested, left_over)


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

    The project's lists label no word; terms of the lexicon inside a word are seen as its form. The words that
    lengths left over are trained on as well. Head, calibration and threshold are chosen inside the training
    words. ``by_family``: no validation word has a relative among the training words, which is harder. UserError
    for files too small to be split.
    """
    rows = honest_rows(positives, negatives, by_family=by_family, seed=seed)
    if len(set(rows.labels[rows.train])) < 2 or len(set(rows.labels[rows.tested])) < 2:
        raise UserError(
            "The files hold too few different words of equal length to be split into words to learn from and words "
            "to judge on, both of both kinds; give more words for the figures of the honest split."
        )
    learned = learn(
        rows.chosen(rows.train),
        rows.labels[rows.train],
        rows.folds[rows.train],
        facts,
        weights=rows.weights(rows.train),
        heads=heads,
        fashion_share=0.5,
        seed=seed,
    )
    matrix = facts.matrix(rows.chosen(rows.tested), learned.evidence, learned.head.name)
    probability = learned.calibration.apply(learned.head.decision(matrix))
    return evaluate_scores(rows.labels[rows.tested], probability, learned.threshold, seed=seed)


def reference_figures(
    positives: RawWords, negatives: RawWords, facts: WordFacts, *, seed: int
) -> pd.DataFrame:
    """The published way: rows with their repeats split at random, the published head on the vectors alone, five
    epochs; the table that it prints. It flatters: many validation words were trained on.
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
