"""What the heads of all attributes of the same products share: the split in order, spaces, factors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.kernel import KernelBench, KernelMachine, kernel_machines, thinned
from fashion_assets.products.heads.least_squares import REGULARISATION, class_ridge
from fashion_assets.products.heads.sides import shown_sides
from fashion_assets.products.heads.space import FeatureSpace, Signals
from fashion_assets.products.labels import label_codes

if TYPE_CHECKING:
    from fashion_assets.products.heads.kernel import Attribute

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: The training products between these shares are calibrated by as well, each part judged by all before it.
EVIDENCE_SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
#: Shares of the training products on the learning curve.
CURVE_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
#: Test products of the random split at most: beyond, its figures are sharp enough.
MAX_RANDOM_TEST = 2000


@dataclass
class Bench:
    """Products in an order and a space: ``rows`` (n,) are positions in the features, the first ``parts[0]`` training
    products, then ``parts[1]`` validation and ``parts[2]`` test products. ``drawn`` (m,), ascending, are positions on
    the bench of as many products as there are test products, drawn from all by chance: the random split.
    """

    rows: IntArray
    parts: tuple[int, int, int]
    space: FeatureSpace
    signals: Signals
    drawn: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _kernel: KernelBench | None = field(default=None, repr=False)

    @property
    def starts(self) -> tuple[int, int]:
        """Where validation and test products begin."""
        return self.parts[0], self.parts[0] + self.parts[1]

    @property
    def cuts(self) -> list[int]:
        """Where parts begin that are judged by all before them: later training, validation and test products."""
        first, second = self.starts
        return [*(round(share * first) for share in EVIDENCE_SHARES), second]

    @property
    def curve_counts(self) -> list[int]:
        """How many training products are known at the points of a learning curve, rising."""
        return sorted({max(1, round(share * self.parts[0])) for share in CURVE_SHARES})

    def kernel(self, codes: IntArray, n_classes: int, power: float = 0.0) -> Attribute:
        """The attribute of ``codes`` (n,), in the order of ``rows``, on the one factorisation of these products; with
        class weights of another ``power`` than 0, after the classes of training products, on one of its own.
        """
        if power:
            ridge = class_ridge(codes, n_classes, power, slice(self.parts[0]))
            return KernelBench(self.signals, ridge).prepare(codes, n_classes)
        if self._kernel is None:
            self._kernel = KernelBench(self.signals)
        return self._kernel.prepare(codes, n_classes)


@dataclass(frozen=True)
class SideChances:
    """What machines of one side say of products by that side alone; probabilities by attribute, positions ascending.

    ``rows`` (m,) are judged by all before the last of the cuts, ``drawn`` by all that are not drawn. ``curve`` count ->
    probabilities of ``validation`` by the first so many products. The last two are of products with nothing else.
    """

    rows: IntArray
    chances: dict[str, FloatArray]
    drawn: IntArray
    left_out: dict[str, FloatArray]
    validation: IntArray
    curve: dict[int, dict[str, FloatArray]]

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
        order = np.random.default_rng(seed).permutation(len(rows))
        drawn = np.sort(order[: min(len(test), MAX_RANDOM_TEST)])
        parts = (len(train), len(validation), len(test))
        features.shared[key] = Bench(rows, parts, space, signals, drawn)
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
    features: ProductFeatures, products: pd.DataFrame, attribute: str, seed: int, power: float = 0.0
) -> KernelMachine:
    """The machine of ``attribute`` over all products. Those of all label columns are made at once and kept, but for a
    machine with class weights of another ``power`` than 0.
    """
    labels = _labels(products)
    if power:
        bench = final_bench(features, seed)
        classes, codes = labels[attribute]
        own, k = codes[bench.rows], len(classes)
        ridge = class_ridge(own, k, power, slice(None))
        return kernel_machines(bench.signals, {attribute: own}, {attribute: k}, ridge)[attribute]
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
    bench: Bench, side: str, features: ProductFeatures, products: pd.DataFrame
) -> SideChances | None:
    """What the one-sided machines of all attributes say; None if such machines are not made: no product has the other
    side, or none of the products before the first cut has this one.

    Made once for all label columns; the factor goes afterwards, as memory holds few.
    """
    labels = _labels(products)
    key = (
        "side",
        side,
        _digest([*bench.cuts, *bench.rows, *(x for _, codes in labels.values() for x in codes)]),
    )
    if key not in features.shared:
        given = {name: (codes[bench.rows], len(classes)) for name, (classes, codes) in labels.items()}
        features.shared[key] = side_answers(bench, side, given)
    known: SideChances | None = features.shared[key]
    return known


def side_answers(
    bench: Bench, side: str, labels: Mapping[str, tuple[IntArray, int]], power: float = 0.0
) -> SideChances | None:
    """``side_chances`` of attribute -> (codes in the order of the bench, number of classes); with class weights of
    another ``power`` than 0 of one attribute alone.
    """
    signals, (first, second) = bench.signals, bench.starts
    shown = shown_sides(signals)
    there, other = signals.has_image, signals.has_text
    if side == "text":
        there, other = other, there
    drawn = bench.drawn[there[bench.drawn]]
    lone_drawn = shown[drawn] == side
    # Of test products those that show nothing else; all where a product of the random split has to be judged by them.
    wanted = there & ((np.arange(len(there)) < second) | (shown == side) | lone_drawn.any())
    rows = np.flatnonzero(wanted)
    ends = np.searchsorted(rows, [*bench.cuts, len(there)]).tolist()
    if not other.any() or not ends[0]:
        return None
    validation = rows[(rows >= first) & (rows < second) & (shown[rows] == side)]
    ridge: FloatArray | float = REGULARISATION
    if power:
        [(codes, k)] = labels.values()
        ridge = class_ridge(codes, k, power, slice(first))[rows]
    kernel = KernelBench(signals.take(rows).only(side), ridge)
    chances, left_out = {}, {}
    curve: dict[int, dict[str, FloatArray]] = {count: {} for count in bench.curve_counts}
    for name, (codes, k) in labels.items():
        attribute = kernel.prepare(codes[rows], k)
        chances[name] = np.vstack(
            [
                attribute.held_out(at, slice(at, to), codes[:cut])
                for cut, (at, to) in zip(bench.cuts, pairwise(ends), strict=True)
            ]
        )
        left_out[name] = np.zeros((0, k))
        if lone_drawn.any():
            known = np.delete(codes, bench.drawn)
            left_out[name] = attribute.left_out(np.searchsorted(rows, drawn), known)[lone_drawn]
        for count, said in curve.items() if len(validation) else ():
            at = int(np.searchsorted(rows, count))
            whole = attribute.held_out(at, slice(ends[-3], ends[-2]), codes[:count])
            said[name] = whole[np.searchsorted(rows, validation) - ends[-3]]
    return SideChances(rows[ends[0] :], chances, drawn[lone_drawn], left_out, validation, curve)


def _labels(products: pd.DataFrame) -> dict[str, tuple[npt.NDArray[np.object_], IntArray]]:
    """Attribute -> (its classes, the code of each product, -1 for none)."""
    names = label_columns_of(products)
    return {name.removeprefix("label_"): label_codes(products[name]) for name in names}


def _digest(values: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(str, values)).encode()).hexdigest()
