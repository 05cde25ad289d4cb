"""What the heads of all attributes of the same products share: the split in order, spaces, factors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.kernel import KernelBench, KernelMachine, kernel_machines, thinned
from fashion_assets.products.heads.space import FeatureSpace, Signals
from fashion_assets.products.labels import label_codes

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
    _kernel: KernelBench | None = field(default=None, repr=False)

    @property
    def starts(self) -> tuple[int, int]:
        """Where validation and test products begin."""
        return self.parts[0], self.parts[0] + self.parts[1]

    def kernel(self, codes: IntArray, n_classes: int) -> Attribute:
        """The attribute of ``codes`` (n,), in the order of ``rows``, on the one factorisation of these products."""
        if self._kernel is None:
            self._kernel = KernelBench(self.signals)
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
        features.shared[key] = Bench(rows, (len(train), len(validation), len(test)), space, signals)
    found: Bench = features.shared[key]
    return found


def final_bench(features: ProductFeatures, seed: int) -> Bench:
    """All products, in a space of all of them: what is deployed learns from the test products too."""
    key = ("final", seed)
    if key not in features.shared:
        rows = thinned(np.arange(len(features)), seed)
        chosen = features.take(rows)
        space = FeatureSpace().fit(chosen)
        features.shared[key] = Bench(rows, (len(rows), 0, 0), space, space.transform(chosen))
    found: Bench = features.shared[key]
    return found


def final_machine(
    features: ProductFeatures, products: pd.DataFrame, attribute: str, seed: int
) -> KernelMachine:
    """The machine of ``attribute`` over all products. Those of all label columns are made at once and kept."""
    names = label_columns_of(products)
    labels = {name.removeprefix("label_"): label_codes(products[name]) for name in names}
    key = ("machines", seed, _digest([text for _, codes in labels.values() for text in codes]))
    if key not in features.shared:
        bench = final_bench(features, seed)
        several = {name: found for name, found in labels.items() if len(found[0]) > 1}
        features.shared[key] = kernel_machines(
            bench.signals,
            {name: codes[bench.rows] for name, (_, codes) in several.items()},
            {name: len(classes) for name, (classes, _) in several.items()},
        )
    found: dict[str, KernelMachine] = features.shared[key]
    return found[attribute]


def _digest(values: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(str, values)).encode()).hexdigest()
