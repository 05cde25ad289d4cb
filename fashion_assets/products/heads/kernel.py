"""Regularised least squares over the similarity of products: few rows of a class suffice, and it is solved exactly.

One-against-rest targets with the class means taken off; scores f(x) = sum_i a_i K(x, x_i) + mean with
a = (K + lambda I)^-1 (Y - mean) (Rifkin & Lippert 2007, "Notes on Regularized Least Squares", section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.classifiers.base import softmax
from fashion_assets.products.heads.similarity import similarity
from fashion_assets.products.heads.space import Signals

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: lambda, chosen on validation families of the real products, where it matters little from 0.05 to 0.3.
REGULARISATION = 0.1
#: Scores lie around 0 and 1; a softmax of so many times the score is near calibrated before the temperature.
SHARPNESS = 10.0
#: More training products than this are thinned out by chance: memory grows with the square (16,000: 1 GB).
MAX_PRODUCTS = 16_000
#: Products that are compared with the support at a time when they are predicted (4,096 with 13,000: 220 MB).
BLOCK = 4096
SIDES = ("image", "text")


class Factor:
    """K + lambda I = L L' of products in a fixed order, factorised once for all attributes and all leading parts.

    L of the first m products is the leading block of L of all n. So one factorisation answers for the machine that
    knew training products only, and for the one that knew validation products too.
    """

    def __init__(self, kernel: Float32Array) -> None:
        """Takes ``kernel`` (n, n) float32 over: its memory holds the factor afterwards."""
        from scipy.linalg import cholesky

        kernel[np.diag_indices(len(kernel))] += np.float32(REGULARISATION)
        # Symmetric, so the transpose is the Fortran order that LAPACK overwrites in place.
        self._lower: Float32Array = cholesky(kernel.T, lower=True, overwrite_a=True, check_finite=False)

    def half(self, right: Float32Array) -> Float32Array:
        """(n, k) L^-1 ``right``; its first m rows are those of the first m products alone."""
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self._lower, right, lower=True, check_finite=False))

    def units(self, rows: IntArray) -> Float32Array:
        """(n, len(rows)) L^-1 of the unit vectors at ``rows``: what leaving these products out takes."""
        unit = np.zeros((len(self._lower), len(rows)), np.float32)
        unit[rows, np.arange(len(rows))] = 1
        return self.half(unit) if len(rows) else unit

    def held_out(self, half: Float32Array, count: int, rows: slice) -> Float32Array:
        """Scores of later products ``rows`` by the machine of the first ``count``; ``half`` as ``without`` gave it."""
        return np.asarray(self._lower[rows, :count] @ half[:count])

    def weights(self, half: Float32Array) -> Float32Array:
        """(n, k) L'^-1 ``half``: the weights of all products."""
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self._lower, half, lower=True, trans="T", check_finite=False))


def without(half: Float32Array, units: Float32Array, count: int) -> Float32Array:
    """The first ``count`` rows of ``half`` as if the products of ``units`` had not been there, exactly.

    With A = (K + lambda I)^-1 and U left out, the weights are A y - A_U (A_UU)^-1 (A y)_U: 0 on U, and a solution of
    the system of the others. In terms of L that is the projection of L^-1 y off the columns L^-1 e_U.
    """
    z, v = half[:count], units[:count]
    v = v[:, np.any(v != 0, axis=0)]
    if not v.shape[1]:
        return z
    corner = (v.T @ v).astype(np.float64)
    return np.asarray(z - v @ np.linalg.solve(corner, (v.T @ z).astype(np.float64)).astype(np.float32))


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
        return softmax(SHARPNESS * (scores + self.mean))

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

        dense = {
            key.removeprefix("support.dense."): values.astype(np.float32)
            for key, values in arrays.items()
            if key.startswith("support.dense.")
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

    def __init__(self, signals: Signals) -> None:
        self.factor = Factor(similarity(signals, signals))
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

    def left_out(self, rows: IntArray) -> FloatArray:
        """(rows, k) probabilities of the products at ``rows``, ascending, by the machine of all others."""
        others = self.codes.copy()
        others[rows] = -1
        # Products that have no label are left out as well; those of both kinds once.
        unlabelled = np.flatnonzero(self.codes < 0)
        gone = np.concatenate([rows, unlabelled[~np.isin(unlabelled, rows)]])
        units = np.hstack([self.bench.units(rows), self.units[:, ~np.isin(unlabelled, rows)]])
        corner = (units.T @ units).astype(np.float64)
        # f_R = y_R - (A_RR)^-1 (A y)_R: the residual that a product would have had, had it not been known.
        residual = np.linalg.solve(corner, (units.T @ self.half).astype(np.float64))
        found = (self.targets[gone] - residual)[: len(rows)]
        return _probabilities(found, _shares(others, self.targets.shape[1] - 1))


def kernel_machines(
    signals: Signals, codes: Mapping[str, IntArray], n_classes: Mapping[str, int]
) -> dict[str, KernelMachine]:
    """Attribute -> the machine of its labelled products, with those for products that come with one side only.

    ``codes`` attribute -> (n,) classes of ``signals``, -1 for none. Machines share one support; a product without the
    label weighs 0 in it. One factor is made after the other, answers for all attributes and goes: memory holds one.
    """
    everywhere = np.arange(len(signals))
    found = {"": (everywhere, _solved(signals, codes, n_classes))}
    if signals.has_image.any() and signals.has_text.any():
        for side, there in (("image", signals.has_image), ("text", signals.has_text)):
            rows = everywhere[there]
            alone = signals.take(rows).only(side)
            found[side] = rows, _solved(alone, {name: own[rows] for name, own in codes.items()}, n_classes)
    machines = {}
    for name, own in codes.items():
        shares = _shares(own, n_classes[name])
        weights = {side: (rows, _centred(solved[name], shares)) for side, (rows, solved) in found.items()}
        machines[name] = KernelMachine(signals, weights.pop("")[1], shares, weights)
    return machines


def _solved(
    signals: Signals, codes: Mapping[str, IntArray], n_classes: Mapping[str, int]
) -> dict[str, Float32Array]:
    """Attribute -> (n, k + 1) weights for its targets, those of products without its label 0."""
    factor = Factor(similarity(signals, signals))
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
    return softmax(SHARPNESS * (_centred(np.asarray(found, np.float32), shares) + shares))


def thinned(rows: IntArray, seed: int) -> IntArray:
    """At most ``MAX_PRODUCTS`` of ``rows``, drawn by chance, in order."""
    if len(rows) <= MAX_PRODUCTS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_PRODUCTS, replace=False))
