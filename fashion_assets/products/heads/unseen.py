"""What each kind of head says of products that it has not seen: one attribute on one bench."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.families import families_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.bench import judging_bench, side_answers, side_chances
from fashion_assets.products.heads.config import KERNEL, Candidate, HeadConfig
from fashion_assets.products.heads.kernel import SIDES
from fashion_assets.products.heads.sides import shown_sides

if TYPE_CHECKING:
    from fashion_assets.products.heads.bench import SideChances
    from fashion_assets.products.heads.kernel import Attribute
    from fashion_assets.products.heads.rows import RowClassifier
    from fashion_assets.products.heads.space import Signals
    from fashion_assets.products.heads.tuning import Tuned

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Unseen:
    """Products of one attribute in the order of ``bench``: ``codes`` (n,), -1 for no label, of ``k`` classes.

    ``train``, ``validation`` and ``test`` are positions of labelled products; ``families`` (n,) of all ``products``,
    ``shown`` (n,) by position as ``shown_sides`` gives it.
    """

    def __init__(
        self,
        attribute: str,
        codes: IntArray,
        k: int,
        features: ProductFeatures,
        split: npt.NDArray[np.object_],
        config: HeadConfig,
        products: pd.DataFrame,
        journal: Path | None = None,
    ) -> None:
        if "families" not in features.shared:
            features.shared["families"] = families_of(products)
        self.families: IntArray = features.shared["families"]
        self.attribute, self.config, self.k = attribute, config, k
        self.features, self.products, self.journal = features, products, journal
        self.bench = judging_bench(features, split, self.families, config.seed)
        self.codes = codes[self.bench.rows]
        self.shown = shown_sides(self.bench.signals)
        first, second = self.bench.starts
        labelled = self.codes >= 0
        self.train = np.flatnonzero(labelled[:first])
        self.validation = first + np.flatnonzero(labelled[first:second])
        self.test = second + np.flatnonzero(labelled[second:])
        self._power = 0.0
        self._attribute: Attribute | None = None
        self.tuned: dict[Candidate, Tuned] = {}
        self._of_training: dict[Candidate, RowClassifier] = {}
        self._by_side: dict[str, SideChances | None] = {}

    def weigh(self, power: float) -> None:
        """Class weights of the kernel machine (see ``class_ridge``); what it said with others is forgotten."""
        if power != self._power:
            self._power, self._attribute = power, None
            self._by_side.clear()

    @property
    def kernel(self) -> Attribute:
        """The attribute on the kernel machine's factor."""
        if self._attribute is None:
            self._attribute = self.bench.kernel(self.codes, self.k, self._power)
        return self._attribute

    def after(self, candidate: Candidate, *, second: bool) -> FloatArray:
        """Probabilities of the validation products by what knew training products, or (``second``) of the test
        products by what knew those and the validation products.
        """
        rows = self.test if second else self.validation
        count = self.bench.starts[int(second)]
        if candidate.kind == KERNEL:
            end = self.bench.starts[1] if not second else len(self.codes)
            return self._one_sided(rows, self.kernel.held_out(count, slice(count, end))[rows - count])
        if second:
            return self._by_rows(candidate, np.concatenate([self.train, self.validation]), rows)
        return self._said(self._trained(candidate), self.train, self.bench.signals.take(rows))

    def evidence(self, candidate: Candidate, validation: FloatArray) -> tuple[IntArray, FloatArray]:
        """(positions, probabilities) to calibrate by: the validation products, and for the kernel machine the later
        training families, which the factor gives for next to nothing.
        """
        rows, chances = [self.validation], [validation]
        if candidate.kind == KERNEL:
            for start, end in pairwise(self.bench.cuts[:-1]):
                if (self.codes[:start] >= 0).any():
                    known = start + np.flatnonzero(self.codes[start:end] >= 0)
                    found = self.kernel.held_out(start, slice(start, end))[known - start]
                    rows.append(known)
                    chances.append(self._one_sided(known, found))
        return np.concatenate(rows), np.vstack(chances)

    def alone(self, candidate: Candidate, side: str) -> tuple[IntArray, FloatArray] | None:
        """As ``evidence``, of all products that have ``side`` and judged by it alone; None if no product has it, or
        there is no kernel machine of this side beside the whole one, as the products show nothing else.
        """
        if candidate.kind == KERNEL:
            found = self._side(side)
            if found is None:
                return None
            rows = found.rows[found.rows < self.bench.starts[1]]
            rows = rows[self.codes[rows] >= 0]
            return rows, found.of(self.attribute, rows)
        signals = self.bench.signals.take(self.validation)
        there = np.flatnonzero(signals.has_image if side == "image" else signals.has_text)
        if not len(there):
            return None
        said = self._said(self._trained(candidate), self.train, signals.take(there).only(side))
        return self.validation[there], said

    def _side(self, side: str) -> SideChances | None:
        if side not in self._by_side and self._power:
            own = {self.attribute: (self.codes, self.k)}
            self._by_side[side] = side_answers(self.bench, side, own, self._power)
        elif side not in self._by_side:
            self._by_side[side] = side_chances(self.bench, side, self.features, self.products)
        return self._by_side[side]

    def _one_sided(self, rows: IntArray, chances: FloatArray) -> FloatArray:
        """``chances`` of ``rows`` by the kernel machine, with one-sided products judged by the machine of their side,
        as ``KernelMachine`` does it.
        """
        for at, found in self._shown_alone(rows):
            chances[at] = found.of(self.attribute, rows[at])
        return chances

    def _shown_alone(self, rows: IntArray) -> Iterator[tuple[IntArray, SideChances]]:
        """For each side: which of ``rows`` show nothing else, and what its machines say, if there are such."""
        for side in SIDES:
            at = np.flatnonzero(self.shown[rows] == side)
            found = self._side(side) if len(at) else None
            if found is not None:
                yield at, found

    def left_out(self, candidate: Candidate) -> tuple[IntArray, IntArray, FloatArray]:
        """(labelled products of the random split, ascending, all other labelled products, probabilities of the first
        by what knew the second).
        """
        drawn = self.bench.drawn
        rows = drawn[self.codes[drawn] >= 0]
        others = np.setdiff1d(np.flatnonzero(self.codes >= 0), drawn)
        if not len(rows) or len(np.unique(self.codes[others])) < 2:
            return rows[:0], others, np.zeros((0, self.k))
        if candidate.kind != KERNEL:
            return rows, others, self._by_rows(candidate, others, rows)
        chances = self.kernel.left_out(drawn)[self.codes[drawn] >= 0]
        for at, found in self._shown_alone(rows):
            chances[at] = found.left_out[self.attribute][np.searchsorted(found.drawn, rows[at])]
        return rows, others, chances

    def learning_curve(self, candidate: Candidate) -> list[tuple[int, FloatArray]]:
        """(number of labelled training products, probabilities of the validation products by what knew no more) for
        growing parts of the training families; none of a part of one class.

        The kernel machine has them with its factor; another kind is fitted anew for each point, with the options that
        were found for it on all training products.
        """
        first, second = self.bench.starts
        found = []
        for count in self.bench.curve_counts if len(self.validation) else ():
            known = self.train[self.train < count]
            if len(np.unique(self.codes[known])) < 2:
                continue
            if candidate.kind == KERNEL:
                chances = self.kernel.held_out(count, slice(first, second))[self.validation - first]
                for at, side in self._shown_alone(self.validation):
                    places = np.searchsorted(side.validation, self.validation[at])
                    chances[at] = side.curve[count][self.attribute][places]
            elif count == first:
                chances = self.after(candidate, second=False)
            else:
                chances = self._by_rows(candidate, known, self.validation)
            found.append((len(known), chances))
        return found

    def options(self, candidate: Candidate) -> dict[str, Any]:
        """``params`` and ``resampling`` that ``tune`` found for ``candidate``; nothing if it was not tuned."""
        found = self.tuned.get(candidate)
        return {} if found is None else {"params": found.params, "resampling": found.resampling}

    def tune(self, candidate: Candidate) -> None:
        """Search options and ways against imbalance for ``candidate`` on the validation products, if that is asked
        for.
        """
        from fashion_assets.products.heads.tuning import tune, tune_kernel

        if candidate.kind == KERNEL:
            if self.config.resampling == "auto":
                self.tuned[candidate] = tune_kernel(self)
        elif self.config.n_trials or self.config.resampling == "auto":
            self.tuned[candidate] = tune(candidate, self)

    def _by_rows(self, candidate: Candidate, known: IntArray, rows: IntArray) -> FloatArray:
        """Probabilities of ``rows`` by a classifier of the ``known``; 0 for a class that it has not met.

        Where they are of one class, or none, nothing is fitted: that class is certain, or all are equally likely.
        """
        met = np.unique(self.codes[known])
        if len(met) < 2:
            certain = np.eye(self.k)[met].sum(axis=0) if len(met) else np.full(self.k, 1 / self.k)
            return np.tile(certain, (len(rows), 1))
        return self._said(self._fitted(candidate, known), known, self.bench.signals.take(rows))

    def _trained(self, candidate: Candidate) -> RowClassifier:
        """The classifier of the training products, kept."""
        if candidate not in self._of_training:
            self._of_training[candidate] = self._fitted(candidate, self.train)
        return self._of_training[candidate]

    def _fitted(self, candidate: Candidate, known: IntArray) -> RowClassifier:
        from fashion_assets.products.heads.rows import RowClassifier

        return RowClassifier.fit(
            candidate.kind,
            self.bench.signals.take(known),
            self.codes[known],
            seed=self.config.seed,
            embedding_transform=candidate.embedding_transform,
            **self.options(candidate),
        )

    def _said(self, fitted: RowClassifier, known: IntArray, signals: Signals) -> FloatArray:
        out = np.zeros((len(signals), self.k))
        out[:, np.unique(self.codes[known])] = fitted.predict_proba(signals)
        return out
