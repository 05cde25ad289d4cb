"""How good the scores of words are: labels from a file, figures with their intervals.

Belongs here: the label file and the figures of any scorer. Does not belong here: training splits (`words`,
`families`), figures per epoch while a head learns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.words import training_form

#: Lists that a label file may have, and what each says; None: not scored, because people disagree.
KINDS: dict[str, bool | None] = {
    "core": True,
    "context": True,
    "fashion": True,
    "other": False,
    "ambiguous": None,
}
_NOTE = "note"

INTERVAL_LEVEL = 0.95

#: Resamples are drawn in pieces of at most this many counts (40 MB), so that 100,000 words fit as well.
_PIECE_COUNTS = 5_000_000

#: Words of a file that a sentence shows.
_WORDS_SHOWN = 5

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """The scored words (n) in training form, whether each is a fashion word (n,), the list that each stood
    in, and the words that are not scored.
    """

    words: list[str]
    fashion: BoolArray
    kinds: list[str]
    ambiguous: list[str]


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its bootstrap interval; all nan where it is not defined."""

    value: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Evaluation:
    """Figures of scores on labelled words; a word counts as fashion from `threshold` on."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    auc: Estimate
    n: int
    n_positive: int
    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    def table(self) -> pd.DataFrame:
        """One row per figure: figure, value, low, high."""
        figures = {"precision": self.precision, "recall": self.recall, "F1": self.f1, "AUC": self.auc}
        rows = [(name, estimate.value, estimate.lo, estimate.hi) for name, estimate in figures.items()]
        return pd.DataFrame(rows, columns=["figure", "value", "low", "high"])


def read_labels(path: Path) -> Labels:
    """The labelled words of a JSON file, in file order, each once.

    The file is one object: lists of words under names of `KINDS` (and a "note"), or words with true (fashion)
    and false. Raises `UserError` for a file that is neither, a word with two meanings, or one label only.
    """
    content = _load(path)
    if any(isinstance(value, list) for value in content.values()):
        entries = _from_lists(path, content)
    else:
        entries = _from_flags(path, content)
    kind_of: dict[str, str] = {}
    for word, kind in entries:
        before = kind_of.setdefault(word, kind)
        if KINDS[before] != KINDS[kind]:
            raise UserError(f"{path}: {word} stands in {before} and in {kind}; leave it in one of them.")
    scored = {word: kind for word, kind in kind_of.items() if KINDS[kind] is not None}
    fashion = np.array([KINDS[kind] is True for kind in scored.values()], dtype=bool)
    if len(scored) == 0:
        raise UserError(f"{path} holds no word to score; give fashion words and other words.")
    if fashion.all() or not fashion.any():
        has, lacks = ("fashion words", "other") if fashion.all() else ("other words", "fashion")
        raise UserError(
            f"{path} holds {has} only; precision and recall need both kinds, add words that are {lacks}."
        )
    ambiguous = [word for word, kind in kind_of.items() if KINDS[kind] is None]
    return Labels(list(scored), fashion, list(scored.values()), ambiguous)


def evaluate_scores(
    labels: BoolArray,
    scores: npt.NDArray[np.floating[Any]],
    threshold: float,
    *,
    n_boot: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Precision, recall, F1 at `score >= threshold` and AUC of scores (n,) against labels (n,), with 95 %
    intervals.

    Percentile bootstrap over the words, both labels resampled on their own, so that their shares stay
    (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", ch. 13). AUC is the Mann-Whitney statistic:
    the chance that a fashion word scores above another, ties counting half (Hanley & McNeil 1982). A figure
    without a denominator is nan, as is its interval. Raises `ValueError` if lengths differ or a score is nan.
    """
    truth = np.asarray(labels, dtype=bool)
    # In the type of the scores: 0.7 as float32 lies below 0.7, and extraction compares as float32 too.
    values, threshold = np.asarray(scores), float(threshold)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise ValueError(f"Labels {truth.shape} and scores {values.shape} must be two vectors of one length.")
    if np.isnan(values).any():
        raise ValueError(f"The score of word {int(np.flatnonzero(np.isnan(values))[0])} is nan.")
    levels, level_of = np.unique(values, return_inverse=True)
    above = levels >= threshold
    positive, negative = level_of[truth], level_of[~truth]
    n_levels = len(levels)
    whole = _figures(_counts(positive, n_levels), _counts(negative, n_levels), above)
    rng = np.random.default_rng(seed)
    piece = max(1, _PIECE_COUNTS // max(1, len(values)))
    sizes = [min(piece, n_boot - start) for start in range(0, n_boot, piece)]
    drawn = [
        _figures(_resampled(positive, n_levels, size, rng), _resampled(negative, n_levels, size, rng), above)
        for size in sizes
    ]
    resampled = np.concatenate([np.empty((0, 4)), *drawn])
    precision, recall, f1, auc = map(_estimate, whole[0], resampled.T)
    kept = values >= threshold
    return Evaluation(
        precision,
        recall,
        f1,
        auc,
        n=len(truth),
        n_positive=int(np.count_nonzero(truth)),
        threshold=threshold,
        true_positives=int(np.count_nonzero(kept & truth)),
        false_positives=int(np.count_nonzero(kept & ~truth)),
        false_negatives=int(np.count_nonzero(~kept & truth)),
        true_negatives=int(np.count_nonzero(~kept & ~truth)),
    )


def _counts(level_of: npt.NDArray[np.intp], n_levels: int) -> FloatArray:
    """How many words stand at each level of score, (1, levels)."""
    return np.bincount(level_of, minlength=n_levels)[None, :].astype(np.float64)


def _resampled(
    level_of: npt.NDArray[np.intp], n_levels: int, n_samples: int, rng: np.random.Generator
) -> FloatArray:
    """`_counts` of resamples with replacement, (samples, levels)."""
    n_words = len(level_of)
    if n_words == 0:
        return np.zeros((n_samples, n_levels))
    drawn = level_of[rng.integers(n_words, size=(n_samples, n_words))]
    # One bincount over all samples: sample s counts in the bins from s * n_levels on.
    drawn += np.arange(n_samples)[:, None] * n_levels
    counts = np.bincount(drawn.ravel(), minlength=n_samples * n_levels)
    return counts.reshape(n_samples, n_levels).astype(np.float64)


def _figures(positive: FloatArray, negative: FloatArray, above: BoolArray) -> FloatArray:
    """Precision, recall, F1, AUC (samples, 4) of counts (samples, levels), levels ascending."""
    n_positive, n_negative = positive.sum(axis=1), negative.sum(axis=1)
    hits, alarms = positive[:, above].sum(axis=1), negative[:, above].sum(axis=1)
    below = np.cumsum(negative, axis=1) - negative
    wins = np.einsum("sl,sl->s", positive, below + negative / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack(
            [
                hits / (hits + alarms),
                hits / n_positive,
                2 * hits / (hits + alarms + n_positive),
                wins / (n_positive * n_negative),
            ]
        )


def _estimate(value: float, resampled: FloatArray) -> Estimate:
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or len(defined) == 0:
        return Estimate(float(value), float("nan"), float("nan"))
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def _load(path: Path) -> dict[str, Any]:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
        if repeated:
            raise UserError(f"{path} names {_shown(repeated)} more than once; name each once.")
        return dict(found)

    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=pairs)
    except OSError as fault:
        raise UserError(f"{path} cannot be read ({fault.strerror}); give a JSON file of labels.") from None
    except UnicodeDecodeError as fault:
        raise UserError(f"{path} is not UTF-8 text (byte {fault.start}); save it as UTF-8.") from None
    except json.JSONDecodeError as fault:
        raise UserError(
            f"{path}:{fault.lineno}:{fault.colno} is not valid JSON ({fault.msg}); mend it there."
        ) from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply; expected an object of word lists.") from None
    if not isinstance(content, dict) or not content:
        found = "an empty object" if content == {} else f"a JSON {type(content).__name__}"
        raise UserError(
            f'{path} is {found}; expected {{"fashion": [words], "other": [words]}} or {{"word": true, …}}.'
        )
    return content


def _from_lists(path: Path, content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    unknown = [name for name in content if name not in KINDS and name != _NOTE]
    if unknown:
        raise UserError(f"{path} has the list {_shown(unknown)}; expected {', '.join(KINDS)} and {_NOTE}.")
    for kind in KINDS.keys() & content.keys():
        if not isinstance(content[kind], list):
            raise UserError(f"{path}: {kind} is no list; expected a list of words.")
    for kind, words in content.items():
        if kind in KINDS:
            for number, word in enumerate(words, start=1):
                yield _word(path, word, f"entry {number} of {kind}"), kind


def _from_flags(path: Path, content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for word, flag in content.items():
        if word == _NOTE and isinstance(flag, str):
            continue
        if not isinstance(flag, bool):
            raise UserError(f"{path}: {word} is {flag!r:.40}; expected true (fashion) or false (other).")
        yield _word(path, word, "a name"), "fashion" if flag else "other"


def _word(path: Path, word: object, place: str) -> str:
    if not isinstance(word, str):
        raise UserError(f"{path}: {place} is {word!r:.40}; expected a word in quotes.")
    form = training_form(word)
    if not form:
        raise UserError(f"{path}: {place} is an empty word; delete it.")
    return form


def _shown(words: Sequence[str]) -> str:
    more = f" and {len(words) - _WORDS_SHOWN} more" if len(words) > _WORDS_SHOWN else ""
    return ", ".join(words[:_WORDS_SHOWN]) + more
