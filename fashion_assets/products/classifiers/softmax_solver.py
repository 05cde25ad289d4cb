"""The softmax regression's coefficients: L-BFGS in the precision of the rows.

Against scikit-learn's lbfgs it multiplies once each way per step (trial steps reuse the product), takes well-filled
columns of a CSR matrix as a dense block, and stops when a step no longer pays; ``benchmarks/classifier_speed.py``
compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

#: Pairs of steps that L-BFGS remembers; each costs 2 d x k numbers of memory.
MEMORY = 8
#: Armijo's share of the promised decrease that a step has to bring (Nocedal & Wright 2006, section 3.1).
SUFFICIENT = 1e-4
#: Halvings of a step before the search ends for want of precision.
MAX_TRIALS = 30
#: A column of a CSR matrix that more than this share of the rows fill is held dense.
DENSE_SHARE = 0.25


@dataclass(frozen=True)
class Solution:
    """Coefficients (d, k), intercepts (k,) and how the search ended."""

    coefficients: Array
    intercepts: FloatArray
    iterations: int
    converged: bool


class SplitRows:
    """Rows (n, d) to multiply with; the order of the coefficients is dense columns first."""

    def __init__(self, rows: Any) -> None:
        import scipy.sparse

        if scipy.sparse.issparse(rows):
            filled = np.bincount(rows.indices, minlength=rows.shape[1]) > DENSE_SHARE * rows.shape[0]
            by_column = rows.tocsc()
            self.dense = np.ascontiguousarray(by_column[:, np.flatnonzero(filled)].toarray())
            self.sparse = by_column[:, np.flatnonzero(~filled)].tocsr()
        else:
            filled, self.dense = np.ones(rows.shape[1], dtype=bool), np.asarray(rows)
            self.sparse = scipy.sparse.csr_matrix((len(rows), 0), dtype=rows.dtype)
        self.transposed = self.sparse.T.tocsr()
        self.order = np.concatenate([np.flatnonzero(filled), np.flatnonzero(~filled)])

    def forward(self, coefficients: Array) -> Array:
        """(n, k) rows times coefficients (d, k)."""
        out = self.dense @ coefficients[: self.dense.shape[1]]
        if self.sparse.shape[1]:
            out += self.sparse @ coefficients[self.dense.shape[1] :]
        return out

    def backward(self, residuals: Array) -> Array:
        """(d, k) transposed rows times residuals (n, k)."""
        return np.vstack([self.dense.T @ residuals, self.transposed @ residuals])


class SoftmaxLoss:
    """Mean log loss by row weights, plus ``strength`` / 2 times the squared length of the coefficients.

    Parameters are (d + 1, k): coefficients, then a row of intercepts, which go free.
    """

    def __init__(self, rows: Any, codes: npt.NDArray[np.intp], weights: FloatArray, strength: float) -> None:
        self.design = SplitRows(rows)
        self.dtype = self.design.dense.dtype
        self.codes, self.weights, self.strength = codes, weights / weights.sum(), strength
        self._row = np.arange(len(codes))

    def scores(self, parameters: Array) -> Array:
        """(n, k) of parameters (d + 1, k)."""
        return self.design.forward(parameters[:-1]) + parameters[-1]

    def value(self, scores: Array, squared: float) -> tuple[float, Array]:
        """(loss, probabilities (n, k)); ``squared`` is the squared length of the coefficients."""
        shifted = scores - scores.max(axis=1, keepdims=True)
        truth = shifted[self._row, self.codes].astype(np.float64)
        np.exp(shifted, out=shifted)
        total = shifted.sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0].astype(np.float64)) - truth
        shifted /= total
        return float(self.weights @ losses) + self.strength / 2 * squared, shifted

    def gradient(self, probabilities: Array, parameters: Array) -> Array:
        """(d + 1, k); eats ``probabilities``."""
        probabilities[self._row, self.codes] -= 1
        probabilities *= self.weights.astype(self.dtype)[:, None]
        out = np.empty_like(parameters)
        out[:-1] = self.design.backward(probabilities)
        out[:-1] += self.dtype.type(self.strength) * parameters[:-1]
        out[-1] = probabilities.sum(axis=0)
        return out

    def start(self, n_classes: int, begin: tuple[Array, FloatArray] | None) -> Array:
        """Zeros and the classes' shares, or the given coefficients (d, k) and intercepts (k,)."""
        if begin is not None:
            return np.vstack([begin[0][self.design.order], begin[1][None]]).astype(self.dtype)
        share = np.bincount(self.codes, weights=self.weights, minlength=n_classes)
        out = np.zeros((len(self.design.order) + 1, n_classes), dtype=self.dtype)
        out[-1] = np.log(share) - np.log(share).mean()
        return out

    def solution(self, parameters: Array, iterations: int, converged: bool) -> Solution:
        """The coefficients in the order of the given columns."""
        coefficients = np.empty_like(parameters[:-1])
        coefficients[self.design.order] = parameters[:-1]
        return Solution(coefficients, parameters[-1].astype(np.float64), iterations, converged)


def solve_softmax(
    rows: Any,
    codes: npt.NDArray[np.intp],
    weights: FloatArray,
    n_classes: int,
    *,
    strength: float,
    tol: float,
    max_iterations: int,
    begin: tuple[Array, FloatArray] | None = None,
) -> Solution:
    """The lowest point of ``SoftmaxLoss`` over rows (n, d), dense or CSR.

    It has settled when the next step promises less than ``tol`` of the loss (nats a row). ``begin`` is a
    solution to start from, of a neighbouring strength, say.
    """
    problem = SoftmaxLoss(rows, codes, weights, strength)
    number = problem.dtype.type
    point = problem.start(n_classes, begin)
    scores = problem.scores(point)
    squared = _dot(point[:-1], point[:-1])
    loss, probabilities = problem.value(scores, squared)
    gradient = problem.gradient(probabilities, point)
    memory: list[tuple[Array, Array, float]] = []
    for iteration in range(max_iterations):
        step = _two_loops(gradient, memory)
        slope = _dot(gradient, step)
        if slope / 2 < tol:
            return problem.solution(point, iteration, True)
        np.negative(step, out=step)
        moved = problem.scores(step)
        cross, length = _dot(point[:-1], step[:-1]), _dot(step[:-1], step[:-1])
        size = 1.0
        for _ in range(MAX_TRIALS):
            new_squared = squared + 2 * size * cross + size * size * length
            new_loss, probabilities = problem.value(scores + number(size) * moved, new_squared)
            if new_loss <= loss - SUFFICIENT * size * slope:
                break
            # The lowest point of the parabola through both losses and the slope, not too near either end.
            bent = size * size * slope / (2 * (new_loss - loss + size * slope))
            size = float(np.clip(bent, 0.1 * size, 0.5 * size))
        else:
            # No step brings anything in this precision: as settled as it gets.
            return problem.solution(point, iteration, True)
        step *= number(size)
        moved *= number(size)
        point += step
        scores += moved
        loss, squared = new_loss, new_squared
        new_gradient = problem.gradient(probabilities, point)
        change = new_gradient - gradient
        gradient = new_gradient
        curved = _dot(step, change)
        if curved > 0:
            memory.append((step, change, curved))
            del memory[:-MEMORY]
    return problem.solution(point, max_iterations, False)


def _two_loops(gradient: Array, memory: list[tuple[Array, Array, float]]) -> Array:
    """L-BFGS's estimate of the Newton step, to be taken away (Nocedal & Wright 2006, algorithm 7.4)."""
    out = gradient.copy()
    number = out.dtype.type
    shares = []
    for step, change, curved in reversed(memory):
        share = _dot(step, out) / curved
        shares.append(share)
        out -= number(share) * change
    if memory:
        _, change, curved = memory[-1]
        out *= number(curved / _dot(change, change))
    for (step, change, curved), share in zip(memory, reversed(shares), strict=True):
        out += number(share - _dot(change, out) / curved) * step
    return out


def _dot(a: Array, b: Array) -> float:
    return float(np.vdot(a, b))
