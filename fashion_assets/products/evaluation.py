"""Figures of a classifier on one attribute, with intervals, and the flattering split beside the hard one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.families import family_split
from fashion_assets.products.heads import label_text
from fashion_assets.storage.errors import UserError

# Resamples for a 95 % percentile interval; the ends are stable to about a tenth of the interval's width from
# here on.
BOOTSTRAP_RESAMPLES = 500
INTERVAL_LEVEL = 0.95

IntArray = npt.NDArray[np.int64]
FitPredict = Callable[[IntArray, IntArray], Sequence[object] | npt.NDArray[Any]]


@dataclass(frozen=True)
class Estimate:
    """A figure and its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AttributeMetrics:
    """What ``evaluate_attribute`` found: ``per_class`` has label, support, precision, recall, f1;
    ``confusion`` has the true labels as rows and the predicted ones as columns.
    """

    attribute: str
    n_items: int
    accuracy: Estimate
    macro_f1: Estimate
    weighted_f1: Estimate
    per_class: pd.DataFrame
    confusion: pd.DataFrame

    def summary(self) -> dict[str, object]:
        """Flat figures, for a table row or asset metadata."""
        row: dict[str, object] = {"attribute": self.attribute, "n_items": self.n_items}
        for name in ("accuracy", "macro_f1", "weighted_f1"):
            estimate: Estimate = getattr(self, name)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return row


def evaluate_attribute(
    truth: Sequence[object] | npt.NDArray[Any],
    predicted: Sequence[object] | npt.NDArray[Any],
    *,
    attribute: str = "",
    min_support: int = 1,
    resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 7,
) -> AttributeMetrics:
    """Accuracy, macro-F1 and weighted F1 with seeded 95 % bootstrap intervals over items.

    Items without a true label are left out. Macro-F1 is the plain mean over true classes with at least
    ``min_support`` items; an abstention (None) counts as wrong. Raises UserError if no item has a label or
    lengths differ.
    """
    if len(truth) != len(predicted):
        raise UserError(
            f"{attribute}: {len(truth)} true labels and {len(predicted)} predictions; give one each per "
            "product"
        )
    pairs = [
        (label_text(true), label_text(guess) or "(abstained)")
        for true, guess in zip(truth, predicted, strict=True)
    ]
    known = [(true, guess) for true, guess in pairs if true is not None]
    if not known:
        raise UserError(
            f"{attribute}: none of the {len(pairs)} products has a true label, so nothing can be measured"
        )
    labels = np.array(sorted({name for pair in known for name in pair}), dtype=object)
    position = {name: index for index, name in enumerate(labels)}
    k = len(labels)
    cells = np.array([position[true] * k + position[guess] for true, guess in known], dtype=np.int64)
    matrix = np.bincount(cells, minlength=k * k).reshape(k, k)
    support = matrix.sum(axis=1)
    counted = support >= max(1, min_support)
    # Drawing n items with replacement is drawing the counts of the filled cells from a multinomial.
    filled = np.flatnonzero(matrix.reshape(-1))
    draws = np.random.default_rng(seed).multinomial(
        len(cells), matrix.reshape(-1)[filled] / len(cells), size=resamples
    )
    samples = np.array([_figures(filled, draw, k, counted) for draw in draws])
    value = _figures(filled, matrix.reshape(-1)[filled], k, counted)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail], axis=0)
    accuracy, macro, weighted = (Estimate(float(value[i]), float(low[i]), float(high[i])) for i in range(3))
    return AttributeMetrics(
        attribute,
        len(known),
        accuracy,
        macro,
        weighted,
        _per_class(matrix, labels),
        pd.DataFrame(matrix, labels, labels),
    )


def _figures(
    filled: IntArray, counts: IntArray, k: int, counted: npt.NDArray[np.bool_]
) -> tuple[float, float, float]:
    """(accuracy, macro-F1, weighted F1) of the confusion cells ``filled`` (flat indices into k x k)."""
    true, guess = np.divmod(filled, k)
    hits = np.bincount(true, np.where(true == guess, counts, 0), minlength=k)
    support, guessed = np.bincount(true, counts, minlength=k), np.bincount(guess, counts, minlength=k)
    # F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (support + predicted)
    f1 = 2 * hits / np.maximum(support + guessed, 1)
    present = counted & (support > 0)
    macro = float(f1[present].mean()) if present.any() else float("nan")
    return float(hits.sum() / support.sum()), macro, float((f1 * support).sum() / support.sum())


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


def compare_splits(
    labels: Sequence[object] | npt.NDArray[Any],
    families: npt.ArrayLike,
    fit_predict: FitPredict,
    *,
    attribute: str = "",
    test_share: float = 0.2,
    min_support: int = 1,
    seed: int = 7,
) -> pd.DataFrame:
    """Two rows, ``split`` = "rows" and "families": the same classifier judged on a random split and on unseen
    families.

    ``fit_predict(train, test)`` gets positions into ``labels`` and returns labels of ``test``. Columns:
    split, n_train, n_test and those of ``AttributeMetrics.summary``. The gap between the rows is what
    near-duplicates lend.
    """
    names = [label_text(label) for label in labels]
    known = np.flatnonzero([name is not None for name in names])
    values = np.array(names, dtype=object)
    every = {"rows": np.arange(len(known)), "families": np.asarray(families)[known]}
    found = []
    for split, groups in every.items():
        side = family_split(groups, list(values[known]), test_share=test_share, seed=seed)
        train, test = known[side == "train"], known[side == "test"]
        metrics = evaluate_attribute(
            values[test], fit_predict(train, test), attribute=attribute, min_support=min_support, seed=seed
        )
        found.append({"split": split, "n_train": len(train), "n_test": len(test), **metrics.summary()})
    return pd.DataFrame(found)
