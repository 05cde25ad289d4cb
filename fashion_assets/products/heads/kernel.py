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
#: Landmarks of the machines for products with one side only; 5,000 are no better on real pictures.
LANDMARKS = 3000
#: More training products than this are thinned out by chance: memory grows with the square (16,000: 1 GB).
MAX_PRODUCTS = 16_000
SIDES = ("image", "text")


class Factor:
    """K + lambda I = L L' of products in a fixed order, factorised once for all attributes and all leading parts.

    L of the first m products is the leading block of L of all n. So one factorisation answers for the machine that
    knew training products only, for the one that knew validation products too, and for the final one.
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


class SideFactor:
    """Least squares on ``side`` alone over landmarks: (K_mn K_nm + lambda K_mm) a = K_mn y (subset of regressors,
    Rasmussen & Williams 2006, eq. 8.14), for products that have only that side.
    """

    def __init__(self, signals: Signals, side: str, seed: int) -> None:
        there = signals.has_image if side == "image" else signals.has_text
        self.rows = np.flatnonzero(there)
        order = np.random.default_rng(seed).permutation(len(self.rows))
        self._marks = np.sort(order[:LANDMARKS])
        alone = signals.take(self.rows).only(side)
        self._cross = similarity(alone, alone.take(self._marks))
        self._normal = (self._cross.T @ self._cross).astype(np.float64)

    def solve(self, targets: Float32Array, labelled: npt.NDArray[np.bool_]) -> tuple[IntArray, Float32Array]:
        """(landmarks as rows of ``targets``, their weights (m, k)) learnt from the ``labelled`` rows of ``targets``."""
        from scipy.linalg import solve

        known = labelled[self.rows]
        marks = known[self._marks]
        unlabelled = self._cross[~known]
        system = (self._normal - unlabelled.T @ unlabelled)[np.ix_(marks, marks)]
        system += REGULARISATION * self._cross[self._marks[marks]][:, marks]
        # The jitter keeps equal landmarks apart.
        system[np.diag_indices(len(system))] += 1e-5 * np.trace(system) / len(system)
        right = self._cross[known][:, marks].T @ targets[self.rows[known]]
        found = solve(system, right.astype(np.float64), assume_a="pos", overwrite_a=True)
        return self.rows[self._marks[marks]], np.asarray(found, dtype=np.float32)


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
        scores = np.zeros((len(signals), self.weights.shape[1]), np.float32)
        image, text = signals.has_image, signals.has_text
        whole = image & text
        for side, there in (("image", image & ~text), ("text", text & ~image)):
            if side not in self.side_weights:
                whole |= there
            elif there.any():
                rows, weights = self.side_weights[side]
                marks = self.support.take(rows).only(side)
                scores[there] = similarity(signals.take(np.flatnonzero(there)).only(side), marks) @ weights
        if whole.any():
            scores[whole] = similarity(signals.take(np.flatnonzero(whole)), self.support) @ self.weights
        return softmax(SHARPNESS * (scores + self.mean))

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """(arrays, card). Support vectors are kept in half precision."""
        arrays: dict[str, npt.NDArray[Any]] = {"weights": self.weights, "mean": self.mean}
        for name, block in self.support.dense.items():
            arrays[f"support.dense.{name}"] = block.astype(np.float16)
        for name, matrix in self.support.ngrams.items():
            arrays[f"support.ngrams.{name}.data"] = matrix.data.astype(np.float16)
            arrays[f"support.ngrams.{name}.indices"] = matrix.indices.astype(np.int32)
            arrays[f"support.ngrams.{name}.indptr"] = matrix.indptr.astype(np.int64)
        for side, (rows, weights) in self.side_weights.items():
            arrays |= {f"side.{side}.rows": rows, f"side.{side}.weights": weights}
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
            ngrams[name] = scipy.sparse.csr_matrix((data.astype(np.float32), indices, indptr), (count, width))
        side_weights = {
            side: (arrays[f"side.{side}.rows"], arrays[f"side.{side}.weights"])
            for side in SIDES
            if f"side.{side}.rows" in arrays
        }
        return cls(Signals(dense, ngrams), arrays["weights"], arrays["mean"], side_weights)


class KernelBench:
    """Products in order, factorised: machines and held-out probabilities of any attribute over them.

    ``codes`` (n,) are the classes of one attribute, -1 where a product has no label.
    """

    def __init__(self, signals: Signals, *, seed: int) -> None:
        self.signals, self.seed = signals, seed
        self.factor = Factor(similarity(signals, signals))
        self._sides: dict[str, SideFactor] | None = None
        self._units: dict[bytes, Float32Array] = {}

    def prepare(self, codes: IntArray, n_classes: int) -> Attribute:
        """The attribute of ``codes``, ready for all questions."""
        labelled = codes >= 0
        targets = np.zeros((len(codes), n_classes + 1), np.float32)
        targets[np.flatnonzero(labelled), codes[labelled]] = 1
        # The last column is 1 for labelled products: means are taken off afterwards, each machine its own.
        targets[labelled, n_classes] = 1
        return Attribute(
            self, codes, targets, self.factor.half(targets), self.units(np.flatnonzero(~labelled))
        )

    def units(self, rows: IntArray) -> Float32Array:
        """``Factor.units``, kept: attributes mostly lack the labels of the same products."""
        key = rows.tobytes()
        if key not in self._units:
            self._units[key] = self.factor.units(rows)
        return self._units[key]

    def side_factors(self) -> dict[str, SideFactor]:
        """By side; none if the products have but one, since the machine itself is that of the side then."""
        if self._sides is None:
            both = self.signals.has_image.any() and self.signals.has_text.any()
            self._sides = {side: SideFactor(self.signals, side, self.seed) for side in SIDES} if both else {}
        return self._sides


@dataclass(frozen=True)
class Attribute:
    """One attribute on a bench: see ``KernelBench.prepare``."""

    bench: KernelBench
    codes: IntArray
    targets: Float32Array
    half: Float32Array
    units: Float32Array

    def held_out(self, count: int, rows: slice) -> FloatArray:
        """(rows, k) probabilities of products after the first ``count`` by the machine of the first ``count``."""
        found = self.bench.factor.held_out(without(self.half, self.units, count), count, rows)
        return _probabilities(found, _shares(self.codes[:count], self.targets.shape[1] - 1))

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

    def machine(self) -> KernelMachine:
        """The machine of all labelled products, with those for products of one side only."""
        shares = _shares(self.codes, self.targets.shape[1] - 1)
        kept = np.flatnonzero(self.codes >= 0)
        weights = self.bench.factor.weights(without(self.half, self.units, len(self.half)))[kept]
        place = np.full(len(self.codes), -1)
        place[kept] = np.arange(len(kept))
        side_weights = {}
        for side, factor in self.bench.side_factors().items():
            rows, found = factor.solve(self.targets, self.codes >= 0)
            side_weights[side] = (place[rows].astype(np.int64), _centred(found, shares))
        return KernelMachine(self.bench.signals.take(kept), _centred(weights, shares), shares, side_weights)


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
