"""Rows of rare classes repeated, rows of large classes left out, and whether that beats class weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.classifiers.protocol import Classifier
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.storage.errors import UserError

Array = npt.NDArray[Any]

#: Bounds of rows per class that a grid tries, where they bind: between a handful and a well-known class.
LOWERS, UPPERS = (10, 50, 200), (300, 1000)
#: Powers of class weights that stand against them (see ``classifiers.base.class_weighted``).
WEIGHT_POWERS = (0.0, 0.5, 1.0)
#: SMOTE draws between a row and one of this many nearest rows of its class (Chawla et al. 2002 take 5).
SMOTE_NEIGHBOURS = 5


@dataclass(frozen=True)
class Resampling:
    """A class of fewer than ``lower`` rows is brought up to ``lower``, one of more than ``upper`` down to ``upper``
    (None: no bound).

    ``method`` says what is added: "repeat" draws rows again, "smote" draws points between neighbours (Chawla et al.
    2002, "SMOTE"); a class of one row has no neighbour and is repeated either way.
    """

    lower: int | None = None
    upper: int | None = None
    method: Literal["repeat", "smote"] = "repeat"
    seed: int = 7

    def __post_init__(self) -> None:
        low, high = self.lower or 1, np.inf if self.upper is None else self.upper
        if not 1 <= low <= high or self.method not in ("repeat", "smote"):
            raise UserError(
                f"resampling from {self.lower!r} to {self.upper!r} rows a class by {self.method!r}: expected bounds of "
                'at least 1, the lower one first, and "repeat" or "smote"'
            )

    def counts(self, y: npt.ArrayLike) -> dict[Any, int]:
        """Rows of each class after resampling labels ``y`` (n,)."""
        names, before = np.unique(np.asarray(y), return_counts=True)
        after = np.clip(before, self.lower or 1, self.upper)
        return {name: int(count) for name, count in zip(names.tolist(), after, strict=True)}

    def apply(self, x: Any, y: npt.ArrayLike) -> tuple[Any, Array]:
        """(rows, labels) resampled from ``x`` (n, d), dense or CSR, and ``y`` (n,); seeded."""
        from imblearn.over_sampling import SMOTE, RandomOverSampler
        from imblearn.under_sampling import RandomUnderSampler

        rows, labels = x, np.asarray(y)
        if len(np.unique(labels)) < 2:
            raise UserError("resampling needs at least two classes; these labels hold one")
        wanted, before = self.counts(labels), Resampling().counts(labels)
        fewer = {name: count for name, count in wanted.items() if count < before[name]}
        if fewer:
            rows, labels = RandomUnderSampler(sampling_strategy=fewer, random_state=self.seed).fit_resample(
                rows, labels
            )
        more = {name: count for name, count in wanted.items() if count > before[name]}
        drawn = {name: count for name, count in more.items() if self.method == "smote" and before[name] > 1}
        # One neighbour count serves all classes of a call, so classes are drawn in groups that can have it.
        for neighbours in sorted({min(SMOTE_NEIGHBOURS, before[name] - 1) for name in drawn}):
            group = {
                name: count
                for name, count in drawn.items()
                if min(SMOTE_NEIGHBOURS, before[name] - 1) == neighbours
            }
            sampler = SMOTE(sampling_strategy=group, k_neighbors=neighbours, random_state=self.seed)
            rows, labels = sampler.fit_resample(rows, labels)
        repeated = {name: count for name, count in more.items() if name not in drawn}
        if repeated:
            rows, labels = RandomOverSampler(sampling_strategy=repeated, random_state=self.seed).fit_resample(
                rows, labels
            )
        return rows, np.asarray(labels)


def bounds_grid(
    y: npt.ArrayLike,
    *,
    lowers: Sequence[int] = LOWERS,
    uppers: Sequence[int] = UPPERS,
    methods: Sequence[Literal["repeat", "smote"]] = ("repeat",),
    seed: int = 7,
) -> list[Resampling]:
    """Every pair of bounds that changes the classes of ``y`` (n,), each once: lower, upper and both."""
    plain = Resampling().counts(y)
    found: dict[tuple[tuple[int, ...], str], Resampling] = {}
    for lower in (None, *lowers):
        for upper in (None, *uppers):
            if lower is not None and upper is not None and lower > upper:
                continue
            for method in methods if lower else methods[:1]:
                candidate = Resampling(lower, upper, method, seed)
                counts = candidate.counts(y)
                added = any(counts[name] > plain[name] for name in plain)
                if counts != plain:
                    # Where nothing is added, the ways to add are one.
                    found.setdefault((tuple(counts.values()), method if added else ""), candidate)
    return list(found.values())


def compare_resampling(
    classifier: Classifier,
    x: Any,
    y: npt.ArrayLike,
    x_validation: Any,
    y_validation: npt.ArrayLike,
    *,
    grid: Sequence[Resampling] | None = None,
    weight_powers: Sequence[float] = WEIGHT_POWERS,
) -> pd.DataFrame:
    """What wins against imbalance by macro-F1 on the validation rows, best first: class weights of
    ``weight_powers`` on the rows as they are, or each resampling of ``grid`` (None: ``bounds_grid``) without weights.

    Columns: way ("weights" or "resampling"), class_weight_power, lower, upper, method, n_rows, macro_f1, accuracy,
    seconds (CPU), chosen (True once). ``classifier`` is copied for each, without class weights of its own.
    """
    truth = np.asarray(y_validation)
    records = []
    for way, rows, labels, weights, seconds in _ways(x, np.asarray(y), grid, weight_powers):
        began = time.process_time()
        fitted = _unweighted(classifier).fit(rows, labels, sample_weight=weights)
        predicted = fitted.predict(x_validation)
        records.append(
            way
            | {
                "n_rows": len(labels),
                "macro_f1": macro_f1(truth, predicted),
                "accuracy": float(np.mean(predicted == truth)),
                "seconds": seconds + time.process_time() - began,
            }
        )
    table = pd.DataFrame(records)
    # Of equally good ways the first tried wins: weights before rows made up.
    table = table.sort_values("macro_f1", ascending=False, kind="stable", ignore_index=True)
    table["chosen"] = table.index == 0
    return table


def _ways(
    x: Any, y: Array, grid: Sequence[Resampling] | None, weight_powers: Sequence[float]
) -> Iterator[tuple[dict[str, Any], Any, Array, Array | None, float]]:
    """(what it is, rows, labels, weights, CPU seconds) of everything to compare."""
    from fashion_assets.products.classifiers.base import class_weighted

    names, codes = np.unique(y, return_inverse=True)
    none = {"class_weight_power": 0.0, "lower": None, "upper": None, "method": ""}
    for power in weight_powers:
        weights = class_weighted(codes, np.ones(len(y)), len(names), power)
        yield none | {"way": "weights", "class_weight_power": power}, x, y, weights, 0.0
    for resampling in bounds_grid(y) if grid is None else grid:
        began = time.process_time()
        rows, labels = resampling.apply(x, y)
        way = {
            "way": "resampling",
            "lower": resampling.lower,
            "upper": resampling.upper,
            "method": resampling.method,
        }
        yield none | way, rows, labels, None, time.process_time() - began


def _unweighted(classifier: Classifier) -> Classifier:
    from sklearn.base import clone

    copy: Classifier = clone(classifier)
    return copy.set_params(class_weight_power=0.0) if "class_weight_power" in copy.get_params() else copy
