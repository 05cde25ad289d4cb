"""What the heads of all attributes of the same products share: the split in order, spaces, factors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.kernel import KernelBench, thinned
from fashion_assets.products.heads.space import FeatureSpace, Signals

if TYPE_CHECKING:
    from fashion_assets.products.heads.kernel import Attribute

IntArray = npt.NDArray[np.int64]


@dataclass
class Bench:
    """Products in an order and a space: ``rows`` (n,) are positions in the features, the first ``parts[0]`` training
    products, then ``parts[1]`` validation and ``parts[2]`` test products.
    """

    rows: IntArray
    parts: tuple[int, int, int]
    space: FeatureSpace
    signals: Signals
    seed: int
    _kernel: KernelBench | None = field(default=None, repr=False)

    @property
    def starts(self) -> tuple[int, int]:
        """Where validation and test products begin."""
        return self.parts[0], self.parts[0] + self.parts[1]

    def kernel(self, codes: IntArray, n_classes: int) -> Attribute:
        """The attribute of ``codes`` (n,), in the order of ``rows``, on the one factorisation of these products."""
        if self._kernel is None:
            self._kernel = KernelBench(self.signals, seed=self.seed)
        return self._kernel.prepare(codes, n_classes)


def judging_bench(
    features: ProductFeatures, split: npt.NDArray[np.object_], families: npt.NDArray[np.int64], seed: int
) -> Bench:
    """Training products, family after family by chance, then validation, then test; the space knows no test product.

    So any leading part of the training products has no family in common with what follows but at the cut. Made once
    per features and split.
    """
    key = ("judging", _digest(split), seed)
    if key not in features.shared:
        rng = np.random.default_rng(seed)
        train = thinned(np.flatnonzero(split == "train"), seed)
        place = rng.permutation(int(families.max(initial=0)) + 1)
        train = train[np.argsort(place[families[train]], kind="stable")]
        validation, test = np.flatnonzero(split == "validation"), np.flatnonzero(split == "test")
        rows = np.concatenate([train, validation, test]).astype(np.int64)
        space = FeatureSpace().fit(features.take(rows[: len(train) + len(validation)]))
        signals = space.transform(features.take(rows))
        features.shared[key] = Bench(rows, (len(train), len(validation), len(test)), space, signals, seed)
    found: Bench = features.shared[key]
    return found


def final_bench(features: ProductFeatures, seed: int) -> Bench:
    """All products, in a space of all of them: what is deployed learns from the test products too."""
    key = ("final", seed)
    if key not in features.shared:
        rows = thinned(np.arange(len(features)), seed)
        chosen = features.take(rows)
        space = FeatureSpace().fit(chosen)
        features.shared[key] = Bench(rows, (len(rows), 0, 0), space, space.transform(chosen), seed)
    found: Bench = features.shared[key]
    return found


def _digest(split: npt.NDArray[np.object_]) -> str:
    return hashlib.sha256("\n".join(map(str, split)).encode()).hexdigest()
