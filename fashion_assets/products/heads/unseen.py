"""What each kind of head says of products that it has not seen: one attribute on one bench."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.families import families_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.bench import judging_bench, side_chances
from fashion_assets.products.heads.config import KERNEL, HeadConfig
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

#: The training products between these shares are calibrated by as well, each part judged by all before it.
EVIDENCE_SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)


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
    ) -> None:
        if "families" not in features.shared:
            features.shared["families"] = families_of(products)
        self.families: IntArray = features.shared["families"]
        self.attribute, self.config, self.k = attribute, config, k
        self.features, self.products = features, products
        self.bench = judging_bench(features, split, self.families, config.seed)
        self.codes = codes[self.bench.rows]
        self.shown = shown_sides(self.bench.signals)
        first, second = self.bench.starts
        labelled = self.codes >= 0
        self.train = np.flatnonzero(labelled[:first])
        self.validation = first + np.flatnonzero(labelled[first:second])
        self.test = second + np.flatnonzero(labelled[second:])
        self._attribute: Attribute | None = None
        self.tuned: dict[str, Tuned] = {}
        self._of_training: dict[str, RowClassifier] = {}
        self._by_side: dict[str, SideChances | None] = {}

    @property
    def kernel(self) -> Attribute:
        """The attribute on the kernel machine's factor."""
        if self._attribute is None:
            self._attribute = self.bench.kernel(self.codes, self.k)
        return self._attribute

    def after(self, kind: str, *, second: bool) -> FloatArray:
        """Probabilities of the validation products by what knew training products, or (``second``) of the test
        products by what knew those and the validation products.
        """
        rows = self.test if second else self.validation
        count = self.bench.starts[int(second)]
        if kind == KERNEL:
            end = self.bench.starts[1] if not second else len(self.codes)
            return self._one_sided(rows, self.kernel.held_out(count, slice(count, end))[rows - count])
        if second:
            return self._by_rows(kind, np.concatenate([self.train, self.validation]), rows)
        return self._said(self._trained(kind), self.train, self.bench.signals.take(rows))

    @property
    def cuts(self) -> list[int]:
        """Where parts begin that are judged by all before them: later training, validation and test products."""
        first, second = self.bench.starts
        return [*(round(share * first) for share in EVIDENCE_SHARES), second]

    def evidence(self, kind: str, validation: FloatArray) -> tuple[IntArray, FloatArray]:
        """(positions, probabilities) to calibrate by: the validation products, and for the kernel machine the later
        training families, which the factor gives for next to nothing.
        """
        rows, chances = [self.validation], [validation]
        if kind == KERNEL:
            for start, end in pairwise(self.cuts[:-1]):
                if (self.codes[:start] >= 0).any():
                    known = start + np.flatnonzero(self.codes[start:end] >= 0)
                    found = self.kernel.held_out(start, slice(start, end))[known - start]
                    rows.append(known)
                    chances.append(self._one_sided(known, found))
        return np.concatenate(rows), np.vstack(chances)

    def alone(self, kind: str, side: str) -> tuple[IntArray, FloatArray] | None:
        """As ``evidence``, of all products that have ``side`` and judged by it alone; None if no product has it, or
        there is no kernel machine of this side beside the whole one, as the products show nothing else.
        """
        if kind == KERNEL:
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
        said = self._said(self._trained(kind), self.train, signals.take(there).only(side))
        return self.validation[there], said

    def _side(self, side: str) -> SideChances | None:
        if side not in self._by_side:
            self._by_side[side] = side_chances(self.bench, side, self.cuts, self.features, self.products)
        return self._by_side[side]

    def _one_sided(self, rows: IntArray, chances: FloatArray) -> FloatArray:
        """``chances`` of ``rows`` by the kernel machine, with one-sided products judged by the machine of their side,
        as ``KernelMachine`` does it.
        """
        for side in SIDES:
            at = np.flatnonzero(self.shown[rows] == side)
            found = self._side(side) if len(at) else None
            if found is not None:
                chances[at] = found.of(self.attribute, rows[at])
        return chances

    def left_out(self, kind: str, drawn: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """(labelled products of ``drawn``, ascending, all other labelled products, probabilities of the first by what
        knew the second).
        """
        rows = drawn[self.codes[drawn] >= 0]
        others = np.setdiff1d(np.flatnonzero(self.codes >= 0), drawn)
        if not len(rows) or len(np.unique(self.codes[others])) < 2:
            return rows[:0], others, np.zeros((0, self.k))
        if kind == KERNEL:
            return rows, others, self.kernel.left_out(drawn)[self.codes[drawn] >= 0]
        return rows, others, self._by_rows(kind, others, rows)

    def options(self, kind: str) -> dict[str, Any]:
        """``params`` and ``resampling`` that ``tune`` found for ``kind``; nothing if it was not tuned."""
        found = self.tuned.get(kind)
        return {} if found is None else {"params": found.params, "resampling": found.resampling}

    def tune(self, kind: str) -> None:
        """Search options and ways against imbalance for ``kind`` on the validation products, if that is asked for."""
        if kind == KERNEL or not (self.config.n_trials or self.config.resampling == "auto"):
            return
        from fashion_assets.products.heads.tuning import tune

        self.tuned[kind] = tune(
            kind, self.bench.signals, self.train, self.validation, self.codes, self.config
        )

    def _by_rows(self, kind: str, known: IntArray, rows: IntArray) -> FloatArray:
        """Probabilities of ``rows`` by a classifier of the ``known``; 0 for a class that it has not met."""
        return self._said(self._fitted(kind, known), known, self.bench.signals.take(rows))

    def _trained(self, kind: str) -> RowClassifier:
        """The classifier of the training products, kept."""
        if kind not in self._of_training:
            self._of_training[kind] = self._fitted(kind, self.train)
        return self._of_training[kind]

    def _fitted(self, kind: str, known: IntArray) -> RowClassifier:
        from fashion_assets.products.heads.rows import RowClassifier

        return RowClassifier.fit(
            kind,
            self.bench.signals.take(known),
            self.codes[known],
            seed=self.config.seed,
            **self.options(kind),
        )

    def _said(self, fitted: RowClassifier, known: IntArray, signals: Signals) -> FloatArray:
        out = np.zeros((len(signals), self.k))
        out[:, np.unique(self.codes[known])] = fitted.predict_proba(signals)
        return out
