"""Least squares over a kernel, solved exactly: one factorisation for all attributes and all leading parts of products.

Weighted by class where that is asked for: products count w_i times, which is a ridge of lambda / w_i in place of lambda
(Suykens et al. 2002, "Weighted Least Squares Support Vector Machines", whose V is that diagonal).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: lambda, chosen on validation families of the real products: ``benchmarks/product_kernel.py`` prints others.
REGULARISATION = 0.1


class Factor:
    """K + D = L L' of products in a fixed order, factorised once for all attributes and all leading parts; D is
    ``REGULARISATION`` on the diagonal, or what ``class_ridge`` gives.

    L of the first m products is the leading block of L of all n. So one factorisation answers for the machine that
    knew training products only, and for the one that knew validation products too.
    """

    def __init__(self, kernel: Float32Array, ridge: FloatArray | float = REGULARISATION) -> None:
        """Takes ``kernel`` (n, n) float32 over: its memory holds the factor afterwards. ``ridge`` is D's diagonal (n,)
        or one number for all.
        """
        from scipy.linalg import cholesky

        kernel[np.diag_indices(len(kernel))] += np.asarray(ridge, np.float32)
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

    With A = (K + D)^-1 and U left out, the weights are A y - A_U (A_UU)^-1 (A y)_U: 0 on U, and a solution of
    the system of the others. In terms of L that is the projection of L^-1 y off the columns L^-1 e_U.
    """
    z, v = half[:count], units[:count]
    v = v[:, np.any(v != 0, axis=0)]
    if not v.shape[1]:
        return z
    corner = (v.T @ v).astype(np.float64)
    return np.asarray(z - v @ np.linalg.solve(corner, (v.T @ z).astype(np.float64)).astype(np.float32))


def class_ridge(codes: IntArray, n_classes: int, power: float, counted: slice) -> FloatArray:
    """(n,) ``REGULARISATION`` over the weight of each product: (m / (k * m of its class)) ** ``power``, 1 on average,
    after the m labelled products of ``counted`` and their k classes.

    ``power`` as in ``classifiers.base.class_weighted``. Products without a label have the weight 1, those of a class
    that ``counted`` lacks that of a class of one.
    """
    known = codes[counted][codes[counted] >= 0]
    counts = np.bincount(known, minlength=n_classes)
    present = max(1, np.count_nonzero(counts))
    louder = (len(known) / (present * np.maximum(counts, 1))) ** power
    mean = float(louder[known].mean()) if len(known) else 1.0
    return np.where(codes >= 0, REGULARISATION * mean / louder[codes], REGULARISATION)
