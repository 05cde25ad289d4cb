"""What each kind of head says of products that it has not seen: one attribute on one bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.families import families_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.bench import judging_bench
from fashion_assets.products.heads.config import KERNEL, HeadConfig

if TYPE_CHECKING:
    from fashion_assets.products.heads.kernel import Attribute
    from fashion_assets.products.heads.tuning import Tuned

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Unseen:
    """Products of one attribute in the order of ``bench``: ``codes`` (n,), -1 for no label, of ``k`` classes.

    ``train``, ``validation`` and ``test`` are positions of labelled products; ``families`` (n,) of all ``products``.
    """

    def __init__(
        self,
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
        self.config, self.k = config, k
        self.bench = judging_bench(features, split, self.families, config.seed)
        self.codes = codes[self.bench.rows]
        first, second = self.bench.starts
        labelled = self.codes >= 0
        self.train = np.flatnonzero(labelled[:first])
        self.validation = first + np.flatnonzero(labelled[first:second])
        self.test = second + np.flatnonzero(labelled[second:])
        self._attribute: Attribute | None = None
        self.tuned: dict[str, Tuned] = {}

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
            return self.kernel.held_out(count, slice(count, end))[rows - count]
        known = np.concatenate([self.train, self.validation]) if second else self.train
        return self._by_rows(kind, known, rows)

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
        from fashion_assets.products.heads.rows import RowClassifier

        codes, signals = self.codes[known], self.bench.signals
        fitted = RowClassifier.fit(
            kind, signals.take(known), codes, seed=self.config.seed, **self.options(kind)
        )
        out = np.zeros((len(rows), self.k))
        out[:, np.unique(codes)] = fitted.predict_proba(signals.take(rows))
        return out
