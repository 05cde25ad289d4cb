"""Local Fisher discriminant analysis: a linear map that separates classes and keeps the groups inside them.

Sugiyama 2007, "Dimensionality Reduction of Multimodal Labeled Data by Local Fisher Discriminant Analysis" (JMLR 8),
below as [S]. metric-learn 0.7.0, which has it, does not run with scikit-learn 1.9; names of options are its own.

An estimator has to inherit from scikit-learn's bases, so this module loads it; import it inside functions only.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fashion_assets.storage.errors import UserError

FloatArray = npt.NDArray[np.float64]

EMBEDDINGS = ("weighted", "orthonormalized", "plain")
#: Affinities held at a time: 8 million float64 are 64 MB.
BLOCK_NUMBERS = 8_000_000


class LocalFisherDiscriminant(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pairs of one class count by how near they are, so a class of several groups is not pressed into one.

    Parameters: n_components (None: as many as columns); k, the neighbour whose distance is a row's scale ([S]
    section 3.1 takes 7), cut to the class; embedding_type, "weighted" (directions times the root of their
    eigenvalue, [S] section 3.4), "orthonormalized" or "plain"; regularization, share of the mean within-class
    variance that is added to each direction's, so that more columns than rows can be solved.

    Attributes: components_ (n_components, d), eigenvalues_ (n_components,) falling, classes_, n_features_in_.
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        k: int = 7,
        embedding_type: Literal["weighted", "orthonormalized", "plain"] = "weighted",
        regularization: float = 1e-3,
    ) -> None:
        self.n_components = n_components
        self.k = k
        self.embedding_type = embedding_type
        self.regularization = regularization

    def fit(self, X: Any, y: Any) -> Self:
        """Itself, fitted on rows (n, d) and labels (n,). Raises UserError for options out of range or one class."""
        rows, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        width = rows.shape[1]
        wanted = width if self.n_components is None else self.n_components
        if not 1 <= wanted <= width:
            raise UserError(
                f"n_components is {self.n_components!r}; expected None or 1 to {width}, the columns"
            )
        if self.k < 1 or self.embedding_type not in EMBEDDINGS or not self.regularization > 0:
            raise UserError(
                f"k {self.k!r}, embedding_type {self.embedding_type!r}, regularization {self.regularization!r}; "
                f"expected at least 1, one of {', '.join(EMBEDDINGS)}, and a number above 0"
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(f"LFDA needs at least two classes, the {len(rows)} rows hold 1 class")
        between, within = local_scatters(rows, codes, self.k)
        self.components_, self.eigenvalues_ = self._directions(between, within, wanted)
        self._n_features_out = wanted
        return self

    def _directions(
        self, between: FloatArray, within: FloatArray, wanted: int
    ) -> tuple[FloatArray, FloatArray]:
        """([S] eq. 18: generalised eigenvectors of the largest eigenvalues as rows, eigenvalues)."""
        from scipy.linalg import eigh, qr

        width = len(within)
        # Classes whose rows are all equal have no spread within: then any unit will do.
        level = float(np.trace(within)) / width or 1.0
        regular = within + self.regularization * level * np.eye(width)
        values, vectors = eigh(between, regular, subset_by_index=(width - wanted, width - 1))
        values, vectors = values[::-1].copy(), vectors[:, ::-1]
        if self.embedding_type == "weighted":
            vectors = vectors * np.sqrt(np.maximum(values, 0.0))
        elif self.embedding_type == "orthonormalized":
            vectors = qr(vectors, mode="economic")[0]
        # An eigenvector's sign is arbitrary: its largest entry is made positive.
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
        return np.ascontiguousarray((vectors * np.where(largest < 0, -1.0, 1.0)).T), values

    def transform(self, X: Any) -> FloatArray:
        """(n, n_components) rows times the directions."""
        check_is_fitted(self, "components_")
        return np.asarray(validate_data(self, X, reset=False, dtype=np.float64) @ self.components_.T)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def local_scatters(rows: FloatArray, codes: npt.NDArray[np.intp], k: int) -> tuple[FloatArray, FloatArray]:
    """(between, within), each (d, d): the local scatter matrices of rows (n, d) with classes ``codes`` (n,), of [S]
    eq. 13 to 16 in the form of its appendix, which never holds all pairs.

    A row's scale is its distance to the k-th nearest row of its own class, as in the author's published code: only
    affinities inside classes are used.
    """
    n, width = rows.shape
    # Scatters do not feel where the origin is; near it, sums lose the fewest digits.
    rows = rows - rows.mean(axis=0)
    between, within = np.zeros((width, width)), np.zeros((width, width))
    for code in range(int(codes.max()) + 1):
        own = rows[codes == code]
        weighted, degree = _affinity_products(own, k)
        local = own.T @ (own * degree[:, None]) - own.T @ weighted
        total = own.sum(axis=0)
        within += local / len(own)
        between += local / n + (1 - len(own) / n) * (own.T @ own) + np.outer(total, total) / n
    total = rows.sum(axis=0)
    between -= np.outer(total, total) / n + within
    return (between + between.T) / 2, (within + within.T) / 2


def _affinity_products(own: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """(A own (m, d), row sums of A (m,)) of one class, A_ij = exp(-|x_i - x_j|^2 / (s_i s_j)) ([S] eq. 12)."""
    from scipy.spatial.distance import cdist

    place = min(k, len(own) - 1)
    size = max(1, BLOCK_NUMBERS // len(own))
    blocks = [slice(first, first + size) for first in range(0, len(own), size)]
    scale = np.concatenate(
        [np.partition(cdist(own[block], own), place, axis=1)[:, place] for block in blocks]
    )
    weighted, degree = np.empty_like(own), np.empty(len(own))
    for block in blocks:
        units = np.outer(scale[block], scale)
        # k equal rows have no scale: they are near to nothing but themselves, where the distance is 0 anyway.
        exponent = np.divide(
            cdist(own[block], own, "sqeuclidean"), units, out=np.full_like(units, np.inf), where=units > 0
        )
        affinity = np.exp(-exponent)
        weighted[block], degree[block] = affinity @ own, affinity.sum(axis=1)
    return weighted, degree
