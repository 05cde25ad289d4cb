"""Figures of a classifier on one attribute, and of several together, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.labels import label_text
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.intervals import wilson_interval

# Resamples for a 95 % percentile interval; the ends are stable to about a tenth of the interval's width from
# here on.
BOOTSTRAP_RESAMPLES = 500
INTERVAL_LEVEL = 0.95
# A class with fewer test items than this has an F1 that one item moves by a fifth or more: the second macro-F1
# leaves such classes out.
FREQUENT_ITEMS = 5
# With fewer families than this that hold a wrong product, or a right one, resamples see too little of that side: with
# none they are all alike. The usual rule of thumb for when a share's normal interval holds is 5 (Brown, Cai & DasGupta
# 2001, section 1).
ENOUGH_FAMILIES = 5
# What stands where a classifier gave no label.
ABSTAINED = "(abstained)"

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Labels = Sequence[object] | npt.NDArray[Any] | pd.Series


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where nothing could be counted."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AttributeMetrics:
    """What ``evaluate_attribute`` found: ``per_class`` has label, support, precision, recall, f1;
    ``confusion`` has the true labels as rows and the predicted ones as columns.

    ``macro_f1`` is the plain mean over all classes of the truth, ``macro_f1_frequent`` over those with at least
    ``FREQUENT_ITEMS`` items (``n_frequent`` of ``n_classes``).
    """

    attribute: str
    n_items: int
    n_classes: int
    n_frequent: int
    accuracy: Estimate
    macro_f1: Estimate
    macro_f1_frequent: Estimate
    weighted_f1: Estimate
    per_class: pd.DataFrame
    confusion: pd.DataFrame

    def summary(self) -> dict[str, object]:
        """Flat figures, for a table row or asset metadata."""
        row: dict[str, object] = {
            "attribute": self.attribute,
            "n_items": self.n_items,
            "n_classes": self.n_classes,
            "n_frequent": self.n_frequent,
        }
        for name in FIGURES:
            estimate: Estimate = getattr(self, name)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return row


# The figures of AttributeMetrics that are estimates, in the order of ``_figures``.
FIGURES = ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1")


def evaluate_attribute(
    truth: Labels,
    predicted: Labels,
    *,
    attribute: str = "",
    families: npt.ArrayLike | None = None,
    resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 7,
) -> AttributeMetrics:
    """Accuracy, macro-F1 twice and weighted F1, with seeded 95 % intervals.

    The interval of the accuracy is that of `share_estimate`, those of the F1s are percentiles of the bootstrap.
    Items without a true label are left out; an abstention (None, "") counts as wrong. With ``families`` (n,) whole
    families are drawn, since products of one family are right or wrong together: the interval is wider, and honest.
    Raises UserError if no item has a label or lengths differ.
    """
    if len(truth) != len(predicted):
        raise UserError(
            f"{attribute}: {len(truth)} true labels and {len(predicted)} predictions; give one each per "
            "product"
        )
    names = [label_text(label) for label in truth]
    known = np.flatnonzero([name is not None for name in names])
    if not len(known):
        raise UserError(
            f"{attribute}: none of the {len(names)} products has a true label, so nothing can be measured"
        )
    true_names = [str(names[row]) for row in known]
    given = list(predicted)  # a Series has an index of its own
    guessed = [label_text(given[row]) or ABSTAINED for row in known]
    labels = np.array(sorted({*true_names, *guessed}), dtype=object)
    position = {name: index for index, name in enumerate(labels)}
    k = len(labels)
    cells = np.array([position[a] * k + position[b] for a, b in zip(true_names, guessed, strict=True)])
    matrix = np.bincount(cells, minlength=k * k).reshape(k, k)
    support = matrix.sum(axis=1)
    frequent = support >= FREQUENT_ITEMS
    filled, cell_of = np.unique(cells, return_inverse=True)
    groups = np.arange(len(known)) if families is None else np.asarray(families)[known]
    draws = _resampled_counts(cell_of, len(filled), groups, resamples, seed)
    samples = np.array([_figures(filled, draw, k, frequent) for draw in draws])
    value = _figures(filled, np.bincount(cell_of), k, frequent)
    _, macro, macro_frequent, weighted = estimates(value, samples)
    right = np.array([a == b for a, b in zip(true_names, guessed, strict=True)])
    accuracy = share_estimate(right, groups, samples[:, 0])
    return AttributeMetrics(
        attribute,
        len(known),
        int((support > 0).sum()),
        int(frequent.sum()),
        accuracy,
        macro,
        macro_frequent,
        weighted,
        _per_class(matrix, labels),
        pd.DataFrame(matrix, labels, labels),
    )


def estimates(value: Sequence[float], samples: FloatArray) -> list[Estimate]:
    """One Estimate per figure: its value, and the percentiles of the column of ``samples`` (resamples, figures)."""
    tail = (1 - INTERVAL_LEVEL) / 2
    found = []
    for one, column in zip(value, samples.T, strict=True):
        counted = column[np.isfinite(column)]
        low, high = np.quantile(counted, [tail, 1 - tail]) if len(counted) else (np.nan, np.nan)
        found.append(Estimate(float(one), float(low), float(high)))
    return found


def share_estimate(right: npt.NDArray[np.bool_], groups: npt.NDArray[Any], samples: FloatArray) -> Estimate:
    """The share of ``right`` (n,) products and its interval; ``samples`` are the shares of the resampled ``groups``.

    A percentile bootstrap says 1.000-1.000 of 49 right of 49: no resample holds a fault. So where each product is a
    group of its own the interval is Wilson's (1927), which says .927-1 there. Where families have several products it
    stays the bootstrap of whole families, as only that sees how far a family's products are right or wrong together;
    but if fewer than ``ENOUGH_FAMILIES`` families hold a wrong product, or a right one, it reaches at least as far as
    Wilson's of the same share of as many items as there are families: the least that the products can tell, each
    family counted as one.
    """
    codes = pd.factorize(groups)[0]
    n_groups = int(codes.max()) + 1
    value = float(right.mean())
    low, high = (float(end) for end in wilson_interval(value * n_groups, n_groups))
    if n_groups < len(right):
        drawn = estimates([value], samples[:, None])[0]
        if min(len(np.unique(codes[right])), len(np.unique(codes[~right]))) >= ENOUGH_FAMILIES:
            return drawn
        low, high = min(low, drawn.low), max(high, drawn.high)
    return Estimate(value, low, high)


def _resampled_counts(
    cell_of: IntArray, n_cells: int, groups: npt.NDArray[Any], resamples: int, seed: int
) -> FloatArray:
    """(resamples, n_cells) counts of the confusion cells when groups of items are drawn with replacement."""
    codes = pd.factorize(groups)[0]
    n_groups = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    if n_groups == len(cell_of):
        # Drawing n items with replacement is drawing the counts of the cells from a multinomial.
        counts = np.bincount(cell_of, minlength=n_cells)
        return np.asarray(rng.multinomial(len(cell_of), counts / len(cell_of), size=resamples), np.float64)
    from scipy.sparse import coo_array

    by_group = coo_array((np.ones(len(codes)), (codes, cell_of)), shape=(n_groups, n_cells)).tocsr()
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=resamples)
    return np.asarray((by_group.T @ drawn.T).T, dtype=np.float64)


def _figures(
    filled: IntArray, counts: npt.NDArray[Any], k: int, frequent: npt.NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """``FIGURES`` of the confusion cells ``filled`` (flat indices into k x k) that hold ``counts`` items."""
    true, guess = np.divmod(filled, k)
    hits = np.bincount(true, np.where(true == guess, counts, 0), minlength=k)
    support, guessed = np.bincount(true, counts, minlength=k), np.bincount(guess, counts, minlength=k)
    # F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (support + predicted)
    f1 = 2 * hits / np.maximum(support + guessed, 1)
    present = support > 0
    both = present & frequent
    return (
        float(hits.sum() / support.sum()),
        float(f1[present].mean()),
        float(f1[both].mean()) if both.any() else float("nan"),
        float((f1 * support).sum() / support.sum()),
    )


def _per_class(matrix: IntArray, labels: npt.NDArray[np.object_]) -> pd.DataFrame:
    hits, support, guessed = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    table = pd.DataFrame(
        {
            "label": labels,
            "support": support,
            "precision": hits / np.maximum(guessed, 1),
            "recall": hits / np.maximum(support, 1),
            "f1": 2 * hits / np.maximum(support + guessed, 1),
        }
    )
    return table[table["support"] > 0].sort_values(
        ["support", "label"], ascending=[False, True], ignore_index=True
    )


def all_attributes_right(
    truth: Mapping[str, Labels],
    predicted: Mapping[str, Labels],
    *,
    families: npt.ArrayLike | None = None,
    resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 7,
) -> tuple[Estimate, int]:
    """(share of products with every attribute right and its `share_estimate`, how many products were counted).

    Counted are the products with a true label in every attribute. NaN and 0 if there is none.
    """
    names = list(truth)
    true = [[label_text(label) for label in truth[name]] for name in names]
    guessed = [[label_text(label) for label in predicted[name]] for name in names]
    labelled = np.array([all(label is not None for label in row) for row in zip(*true, strict=True)], bool)
    right = np.array(
        [a == b for a, b in zip(zip(*true, strict=True), zip(*guessed, strict=True), strict=True)]
    )
    if not labelled.any():
        return Estimate(float("nan"), float("nan"), float("nan")), 0
    right = right[labelled]
    groups = np.arange(len(right)) if families is None else np.asarray(families)[labelled]
    draws = _resampled_counts(right.astype(np.int64), 2, groups, resamples, seed)
    return share_estimate(right, groups, draws[:, 1] / draws.sum(axis=1)), len(right)
