"""The kernel machine: regularised least squares over the similarity of products; few rows of a class suffice.

One-against-rest targets with the class means taken off; scores f(x) = sum_i a_i K(x, x_i) + mean with
a = (K + lambda I)^-1 (Y - mean) (Rifkin & Lippert 2007, "Notes on Regularized Least Squares", section 2). With class
weights lambda becomes one number per product (``least_squares``); the class means stay those of the products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.heads.least_squares import REGULARISATION, Factor, without
from fashion_assets.products.heads.similarity import similarity
from fashion_assets.products.heads.space import Signals
from fashion_assets.products.vectors import BLOCKS

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: See ``link``: how soon a score counts as next to nothing, times ln k, as of many classes most are near 0; and a power
#: that leaves little to the temperature, which changes the same power.
SHARPNESS, POWER = 4.0, 2.5
#: More training products than this are thinned out by chance: memory grows with the square (16,000: 1 GB).
MAX_PRODUCTS = 16_000
#: Products that are compared with the support at a time when they are predicted (4,096 with 13,000: 220 MB).
BLOCK = 4096
SIDES = ("image", "text")


@dataclass
class KernelMachine:
    """Scores of k classes from similarity to ``support`` products.

    ``weights`` (m, k); ``side_weights`` side -> (rows of ``support``, weights) for products with that side only;
    ``mean`` (k,) class shares.
    """

    support: Signals
    weights: Float32Array
    mean: Float32Array
    side_weights: dict[str, tuple[IntArray, Float32Array]]

    def predict_proba(self, signals: Signals) -> FloatArray:
        """(n, k) probabilities, before any calibration; class shares for a product with neither side."""
        starts = range(0, len(signals), BLOCK)
        parts = [self._scores(signals.take(np.arange(at, min(at + BLOCK, len(signals))))) for at in starts]
        scores = np.vstack(parts) if parts else np.zeros((0, self.weights.shape[1]), np.float32)
        return link(scores + self.mean)

    def _scores(self, signals: Signals) -> Float32Array:
        """(n, k) scores less the class shares."""
        scores = np.zeros((len(signals), self.weights.shape[1]), np.float32)
        image, text = signals.has_image, signals.has_text
        whole = image & text
        for side, there in (("image", image & ~text), ("text", text & ~image)):
            if side not in self.side_weights:
                whole |= there
            elif there.any():
                rows, weights = self.side_weights[side]
                support = self.support.take(rows).only(side)
                scores[there] = similarity(signals.take(np.flatnonzero(there)).only(side), support) @ weights
        if whole.any():
            scores[whole] = similarity(signals.take(np.flatnonzero(whole)), self.support) @ self.weights
        return scores

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """(arrays, card). Support vectors and weights are kept in half precision, columns in the least width."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "weights": self.weights.astype(np.float16),
            "mean": self.mean,
        }
        for name, block in self.support.dense.items():
            arrays[f"support.dense.{name}"] = block.astype(np.float16)
        for name, matrix in self.support.ngrams.items():
            arrays[f"support.ngrams.{name}.data"] = matrix.data.astype(np.float16)
            arrays[f"support.ngrams.{name}.indices"] = matrix.indices.astype(
                np.uint16 if matrix.shape[1] <= np.iinfo(np.uint16).max else np.uint32
            )
            arrays[f"support.ngrams.{name}.indptr"] = matrix.indptr.astype(np.int64)
        for side, (rows, weights) in self.side_weights.items():
            arrays |= {f"side.{side}.rows": rows, f"side.{side}.weights": weights.astype(np.float16)}
        widths = {name: int(matrix.shape[1]) for name, matrix in self.support.ngrams.items()}
        return arrays, {"ngram_widths": widths}

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> KernelMachine:
        """What ``state`` described."""
        import scipy.sparse

        # A safetensors file has no order of its own, and the similarity adds up the blocks in theirs.
        dense = {
            name: arrays[f"support.dense.{name}"].astype(np.float32)
            for name in BLOCKS
            if f"support.dense.{name}" in arrays
        }
        count = len(arrays["weights"])
        ngrams = {}
        for name, width in card["ngram_widths"].items():
            data, indices, indptr = (
                arrays[f"support.ngrams.{name}.{part}"] for part in ("data", "indices", "indptr")
            )
            ngrams[name] = scipy.sparse.csr_matrix(
                (data.astype(np.float32), indices.astype(np.int32), indptr), (count, width)
            )
        side_weights = {
            side: (arrays[f"side.{side}.rows"], arrays[f"side.{side}.weights"].astype(np.float32))
            for side in SIDES
            if f"side.{side}.rows" in arrays
        }
        weights = arrays["weights"].astype(np.float32)
        return cls(Signals(dense, ngrams), weights, arrays["mean"], side_weights)


class KernelBench:
    """Products in order, factorised: machines and held-out probabilities of any attribute over them.

    ``codes`` (n,) are the classes of one attribute, -1 where a product has no label.
    """

    def __init__(self, signals: Signals, ridge: FloatArray | float = REGULARISATION) -> None:
        """``ridge`` is that of ``Factor``: weighted by the classes of an attribute, it answers for no other."""
        self.factor = Factor(similarity(signals, signals), ridge)
        self._units: dict[bytes, Float32Array] = {}

    def prepare(self, codes: IntArray, n_classes: int) -> Attribute:
        """The attribute of ``codes``, ready for all questions."""
        targets = _targets(codes, n_classes)
        return Attribute(
            self, codes, targets, self.factor.half(targets), self.units(np.flatnonzero(codes < 0))
        )

    def units(self, rows: IntArray) -> Float32Array:
        """``Factor.units``, kept: attributes mostly lack the labels of the same products."""
        key = rows.tobytes()
        if key not in self._units:
            self._units[key] = self.factor.units(rows)
        return self._units[key]


@dataclass(frozen=True)
class Attribute:
    """One attribute on a bench: see ``KernelBench.prepare``."""

    bench: KernelBench
    codes: IntArray
    targets: Float32Array
    half: Float32Array
    units: Float32Array

    def held_out(self, count: int, rows: slice, known: IntArray | None = None) -> FloatArray:
        """(rows, k) probabilities of products after the first ``count`` by the machine of the first ``count``.

        ``known`` are the codes that class shares are of, left out those of the first ``count``: a machine of one side
        takes shares of all products, also of those without the side.
        """
        found = self.bench.factor.held_out(without(self.half, self.units, count), count, rows)
        shares = _shares(self.codes[:count] if known is None else known, self.targets.shape[1] - 1)
        return _probabilities(found, shares)

    def left_out(self, rows: IntArray, known: IntArray | None = None) -> FloatArray:
        """(rows, k) probabilities of the products at ``rows``, ascending, by the machine of all others.

        ``known`` as in ``held_out``, left out the codes of the others.
        """
        # Products that have no label are left out as well; those of both kinds once.
        unlabelled = np.flatnonzero(self.codes < 0)
        gone = np.concatenate([rows, unlabelled[~np.isin(unlabelled, rows)]])
        units = np.hstack([self.bench.units(rows), self.units[:, ~np.isin(unlabelled, rows)]])
        corner = (units.T @ units).astype(np.float64)
        # f_R = y_R - (A_RR)^-1 (A y)_R: the residual that a product would have had, had it not been known.
        residual = np.linalg.solve(corner, (units.T @ self.half).astype(np.float64))
        found = (self.targets[gone] - residual)[: len(rows)]
        if known is None:
            known = np.delete(self.codes, rows)
        return _probabilities(found, _shares(known, self.targets.shape[1] - 1))


def kernel_machines(
    signals: Signals,
    codes: Mapping[str, IntArray],
    n_classes: Mapping[str, int],
    ridge: FloatArray | None = None,
) -> dict[str, KernelMachine]:
    """Attribute -> the machine of its labelled products, with those for products that come with one side only.

    ``codes`` attribute -> (n,) classes of ``signals``, -1 for none. Machines share one support; a product without the
    label weighs 0 in it. One factor is made after the other, answers for all attributes and goes: memory holds one.
    ``ridge`` (n,) is that of ``class_ridge``, for the one attribute that it was made for.
    """
    if ridge is None:
        ridge = np.full(len(signals), REGULARISATION)
    everywhere = np.arange(len(signals))
    found = {"": (everywhere, _solved(signals, codes, n_classes, ridge))}
    if signals.has_image.any() and signals.has_text.any():
        for side, there in (("image", signals.has_image), ("text", signals.has_text)):
            rows = everywhere[there]
            shown = signals.take(rows).only(side)
            own_codes = {name: own[rows] for name, own in codes.items()}
            found[side] = rows, _solved(shown, own_codes, n_classes, ridge[rows])
    machines = {}
    for name, own in codes.items():
        shares = _shares(own, n_classes[name])
        weights = {side: (rows, _centred(solved[name], shares)) for side, (rows, solved) in found.items()}
        machines[name] = KernelMachine(signals, weights.pop("")[1], shares, weights)
    return machines


def _solved(
    signals: Signals, codes: Mapping[str, IntArray], n_classes: Mapping[str, int], ridge: FloatArray
) -> dict[str, Float32Array]:
    """Attribute -> (n, k + 1) weights for its targets, those of products without its label 0."""
    factor = Factor(similarity(signals, signals), ridge)
    blanks = np.flatnonzero(np.any([own < 0 for own in codes.values()], axis=0))
    units = factor.weights(factor.units(blanks))
    out = {}
    for name, own in codes.items():
        weights = factor.weights(factor.half(_targets(own, n_classes[name])))
        blank = np.flatnonzero(own[blanks] < 0)
        if len(blank):
            # The weights of the others when the blank ones are held at 0 (see ``without``).
            rows, columns = blanks[blank], units[:, blank]
            corner = columns[rows].astype(np.float64)
            weights -= columns @ np.linalg.solve(corner, weights[rows].astype(np.float64)).astype(np.float32)
            weights[rows] = 0
        out[name] = weights
    return out


def _targets(codes: IntArray, n_classes: int) -> Float32Array:
    """(n, k + 1) 1 at the class; the last column is 1 for labelled products, so that means are taken off afterwards,
    each machine its own.
    """
    labelled = np.flatnonzero(codes >= 0)
    targets = np.zeros((len(codes), n_classes + 1), np.float32)
    targets[labelled, codes[labelled]] = 1
    targets[labelled, n_classes] = 1
    return targets


def _centred(found: Float32Array, shares: Float32Array) -> Float32Array:
    """(m, k) what targets less the class shares would have given: the last column answers for the constant."""
    return np.asarray(found[:, :-1] - found[:, -1:] * shares, dtype=np.float32)


def _shares(codes: IntArray, n_classes: int) -> Float32Array:
    counts = np.bincount(codes[codes >= 0], minlength=n_classes)
    return np.asarray(counts / max(1, counts.sum()), dtype=np.float32)


def _probabilities(found: npt.NDArray[Any], shares: Float32Array) -> FloatArray:
    return link(_centred(np.asarray(found, np.float32), shares) + shares)


def link(scores: npt.NDArray[Any]) -> FloatArray:
    """(n, k) probabilities in proportion to ln(1 + exp(``sharpness`` score)) ** ``POWER``.

    Least squares on targets of 0 and 1 estimates probabilities as they are, but shrunk by the ridge, and with noise
    that goes below 0: what is clearly above 0 counts by a power of it, and order is kept. A softmax of scores would be
    driven by the many classes near 0.
    """
    given = np.asarray(scores, dtype=np.float64)
    positive = np.logaddexp(0.0, sharpness(given.shape[1]) * given) ** POWER
    return np.asarray(positive / positive.sum(axis=1, keepdims=True))


def sharpness(n_classes: int) -> float:
    """What ``link`` multiplies scores of so many classes by."""
    return float(SHARPNESS * np.log(max(2, n_classes)))


def thinned(rows: IntArray, seed: int) -> IntArray:
    """At most ``MAX_PRODUCTS`` of ``rows``, drawn by chance, in order."""
    if len(rows) <= MAX_PRODUCTS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_PRODUCTS, replace=False))
