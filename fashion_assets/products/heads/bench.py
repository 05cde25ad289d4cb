"""What the heads of all attributes of the same products share: the split in order, spaces, factors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.kernel import KernelBench, KernelMachine, kernel_machines, thinned
from fashion_assets.products.heads.sides import shown_sides
from fashion_assets.products.heads.space import FeatureSpace, Signals
from fashion_assets.products.labels import label_codes

if TYPE_CHECKING:
    from fashion_assets.products.heads.kernel import Attribute

FloatArray = npt.NDArray[np.float64]
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


@dataclass(frozen=True)
class SideChances:
    """``rows`` (m,), ascending, are positions on a bench; ``chances`` attribute -> (m, k) probabilities."""

    rows: IntArray
    chances: dict[str, FloatArray]

    def of(self, attribute: str, rows: IntArray) -> FloatArray:
        """(len(rows), k) those of the positions ``rows``, all of which must be among its own."""
        return self.chances[attribute][np.searchsorted(self.rows, rows)]


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


def side_chances(
    bench: Bench, side: str, cuts: Sequence[int], features: ProductFeatures, products: pd.DataFrame
) -> SideChances | None:
    """What the one-sided machines of all attributes say of products on ``bench`` by ``side`` alone; None if such
    machines are not made: no product has the other side, or none of the first ``cuts[0]`` has this one.

    Products from one of the ascending ``cuts`` to the next are judged by all before them. Of test products only those
    that show nothing else. Made once for all label columns; the factor goes afterwards, as memory holds few.
    """
    names = label_columns_of(products)
    labels = {name.removeprefix("label_"): label_codes(products[name]) for name in names}
    key = (
        "side",
        side,
        _digest([*cuts, *bench.rows, *(text for _, codes in labels.values() for text in codes)]),
    )
    if key not in features.shared:
        shown = shown_sides(bench.signals)
        there = bench.signals.has_image if side == "image" else bench.signals.has_text
        other = bench.signals.has_text if side == "image" else bench.signals.has_image
        wanted = there & ((np.arange(len(there)) < bench.starts[1]) | (shown == side))
        rows = np.flatnonzero(wanted)
        ends = np.searchsorted(rows, [*cuts, len(there)])
        found = None
        if other.any() and ends[0]:
            kernel = KernelBench(bench.signals.take(rows).only(side))
            chances = {}
            for name, (classes, codes) in labels.items():
                own = codes[bench.rows]
                attribute = kernel.prepare(own[rows], len(classes))
                parts = [
                    attribute.held_out(at, slice(at, to), own[:cut])
                    for cut, (at, to) in zip(cuts, pairwise(ends.tolist()), strict=True)
                ]
                chances[name] = np.vstack(parts)
            found = SideChances(rows[ends[0] :], chances)
        features.shared[key] = found
    known: SideChances | None = features.shared[key]
    return known


def _digest(values: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(str, values)).encode()).hexdigest()
