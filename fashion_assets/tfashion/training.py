"""Learning the word classifier: candidates, choice by validation F1, calibration, threshold, final fit.

Belongs here: one model from labelled words. Does not belong here: where the words come from (``words``), the
figures that are told about it (``figures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.calibration import PlattCalibration, best_threshold, expected_calibration_error
from fashion_assets.tfashion.epochs import EpochFigures, epoch_table
from fashion_assets.tfashion.evaluation import Evaluation, evaluate_scores
from fashion_assets.tfashion.evidence import CharEvidence, out_of_fold_evidence
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.heads import Head, make_head

BoolArray = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float64]

#: Heads that are tried where none is named. The published one sees the vector only and takes minutes; name it to
#: have it tried too.
DEFAULT_HEADS = ("mlp", "logistic")

#: The fold (of five, by family) that candidates are judged on.
VALIDATION_FOLD = 0

#: Share of fashion words among the distinct words of posts: the lists hold both kinds alike, posts do not. Of the
#: labelled development words that are scored 26 % are fashion.
POSTS_SHARE = 0.25


@dataclass(frozen=True)
class Candidate:
    """A head as judged on the validation words."""

    head: str
    epochs: list[EpochFigures]
    evaluation: Evaluation
    calibration_error: float


@dataclass(frozen=True)
class Learned:
    """The chosen head, fitted on all words, with its calibration and threshold; and all that were tried."""

    head: Head
    evidence: CharEvidence
    calibration: PlattCalibration
    threshold: float
    candidates: list[Candidate]

    @property
    def chosen(self) -> Candidate:
        return next(entry for entry in self.candidates if entry.head == self.head.name)

    def candidate_table(self) -> pd.DataFrame:
        """One row per head tried: F1 with interval, precision, recall, AUC, calibration error, whether chosen."""
        return pd.DataFrame([_row(entry, entry.head == self.head.name) for entry in self.candidates])

    def epochs(self) -> pd.DataFrame:
        """The chosen head's epochs under the reference's column names."""
        return epoch_table(self.chosen.epochs)


def learn(
    words: Sequence[str],
    labels: npt.ArrayLike,
    folds: npt.ArrayLike,
    facts: WordFacts,
    *,
    weights: npt.ArrayLike | None = None,
    trust: npt.ArrayLike | None = None,
    heads: Sequence[str] = DEFAULT_HEADS,
    fashion_share: float | None = None,
    seed: int,
    options: dict[str, dict[str, Any]] | None = None,
) -> Learned:
    """Try ``heads`` on the words of fold 0 and fit the best on all words: the first, unless another's F1 is higher by
    more than chance.

    ``words`` (n,) in training form with ``labels`` bool (n,), ``folds`` (n,) 0 to 4 (whole families, so that
    no validation word has a sister among the training words) and ``weights`` (n,). ``trust`` (n,): how much
    each counts among the n-grams, 1 unless given. ``fashion_share``: share of fashion words where the model
    will be used, by which calibration and threshold weigh the classes; None: as they are. ``options``: further
    options of a head, by its name. UserError unless fold 0 and the other folds both hold words of both kinds.
    """
    truth, fold_of = np.asarray(labels, dtype=bool), np.asarray(folds)
    heavy = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    sure = np.ones(len(truth)) if trust is None else np.asarray(trust, dtype=np.float64)
    held_out = fold_of == VALIDATION_FOLD
    _require_both(truth, held_out)
    known = facts.of(words)
    judged = _judged_evidence(words, truth, fold_of, held_out, sure)
    use = _use_weights(truth[held_out], fashion_share)
    tried: list[tuple[Candidate, PlattCalibration]] = []
    for name in heads:
        features = facts.columns(known, judged, name)
        head = make_head(name, features.shape[1], seed, **(options or {}).get(name, {}))
        validation = (features[held_out], truth[held_out])
        epochs = head.fit(features[~held_out], truth[~held_out], heavy[~held_out], validation)
        decision = head.decision(features[held_out])
        calibration = PlattCalibration.fit(decision, truth[held_out], use)
        probability = calibration.apply(decision)
        threshold, _ = best_threshold(probability, truth[held_out], use)
        candidate = Candidate(
            name,
            epochs,
            evaluate_scores(truth[held_out], probability, threshold, seed=seed),
            expected_calibration_error(probability, truth[held_out], weights=use),
        )
        tried.append((candidate, calibration))
    best, calibration = _chosen(tried)
    features = facts.columns(known, out_of_fold_evidence(words, truth, fold_of, sure), best.head)
    head = make_head(best.head, features.shape[1], seed, **(options or {}).get(best.head, {}))
    head.fit(features, truth, heavy)
    return Learned(
        head,
        CharEvidence.fit(words, truth, sure),
        calibration,
        best.evaluation.threshold,
        [candidate for candidate, _ in tried],
    )


def _require_both(truth: BoolArray, held_out: BoolArray) -> None:
    for rows, purpose in ((~held_out, "learn from"), (held_out, "judge heads on")):
        n, n_fashion = int(np.count_nonzero(rows)), int(np.count_nonzero(truth[rows]))
        if n_fashion in (0, n):
            raise UserError(
                f"Of the words to {purpose} {n_fashion} are fashion and {n - n_fashion} are not; a classifier needs "
                "both kinds, in several families each: give more words of both."
            )


def _chosen(tried: Sequence[tuple[Candidate, PlattCalibration]]) -> tuple[Candidate, PlattCalibration]:
    """The first head, unless another's F1 lies above the first one's interval: then the one with the highest F1.

    Within the interval the order of two heads is chance, and would change with the seed.
    """
    best = max(tried, key=lambda entry: entry[0].evaluation.f1.value)
    first = tried[0]
    return best if best[0].evaluation.f1.value > first[0].evaluation.f1.hi else first


def _judged_evidence(
    words: Sequence[str],
    truth: BoolArray,
    fold_of: npt.NDArray[Any],
    held_out: BoolArray,
    sure: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """(n, d) n-gram evidence for judging: training words by the other training folds, held-out ones by all."""
    train, rest = np.flatnonzero(~held_out).tolist(), np.flatnonzero(held_out).tolist()
    inner = [words[row] for row in train]
    first = out_of_fold_evidence(inner, truth[train], fold_of[train], sure[train])
    out = np.zeros((len(words), first.shape[1]), dtype=np.float32)
    out[train] = first
    out[rest] = CharEvidence.fit(inner, truth[train], sure[train]).features([words[row] for row in rest])
    return out


def _use_weights(truth: BoolArray, fashion_share: float | None) -> npt.NDArray[np.float64] | None:
    """Weights (n,) under which ``fashion_share`` of the words are fashion."""
    if fashion_share is None:
        return None
    share = float(np.mean(truth))
    return np.where(truth, fashion_share / share, (1 - fashion_share) / (1 - share))


def _row(candidate: Candidate, chosen: bool) -> dict[str, Any]:
    judged = candidate.evaluation
    return {
        "head": candidate.head,
        "chosen": chosen,
        "f1": judged.f1.value,
        "f1_lo": judged.f1.lo,
        "f1_hi": judged.f1.hi,
        "precision": judged.precision.value,
        "recall": judged.recall.value,
        "auc": judged.auc.value,
        "calibration_error": candidate.calibration_error,
        "validation_words": judged.n,
    }
