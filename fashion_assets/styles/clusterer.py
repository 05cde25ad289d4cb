"""`StyleClusterer`: styles from vectors under the scikit-learn contract, for notebooks and for the
experiments.

This is the one module of the package that imports scikit-learn when it loads, because an estimator has to
inherit from `BaseEstimator`. Nothing imports it except `fashion_assets.styles.__getattr__`, on first use of
the name.

Belongs here: the estimator. Does not: months, modalities, ids that last (`model.py`).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.centroids import nearest_two, settle
from fashion_assets.styles.partition import PartitionParams, Space, find_partition
from fashion_assets.styles.reduction import Reduction


class StyleClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Cosine UMAP and k-means find the groups, spherical centroids in the original space keep them.

    Rows count by direction only (cosine). The groups are found in the reduced space; a row then belongs to
    the nearest centroid (unit mean of a group) in the space of `X`. On made 256-d data with 12 noisy clusters
    that beats the UMAP k-means labels themselves (ARI 0.99 against 0.96; 0.97 against 0.85 with more noise)
    and `UMAP.transform` for rows not seen (0.99 against 0.98; 0.98 against 0.89). It takes microseconds per
    row, needs no UMAP to predict, and makes `predict(X) == labels_` on the training rows exactly.

    Which space is the silhouette taken in? On the same data both choices find the same k (off by 0.4 on
    average over 18 sets). Real picture vectors, in the reference study, have a silhouette without interior
    maximum in the full space and a clear one after UMAP; so "reduced" (rows centred, cosine) is the default,
    "embedding" is there.

    Parameters: n_clusters "auto" (silhouette over `k_range`, both ends included) or an int; reduction "umap",
    "pca" or "none"; n_components (10: UMAP's documentation advises 5-50 for clustering); n_neighbors (15,
    UMAP's default, cut to the sample); judged_in "reduced" or "embedding"; max_fit_rows (20,000: UMAP takes
    40 s for them; a larger X is fitted on a seeded sample and the rest is predicted); random_state, an int.

    Attributes: labels_ (n,) int32, cluster_centers_ (k, d) unit rows, n_clusters_, silhouette_curve_ (data
    frame, empty if nothing was scanned), k_reason_, reduction_ (used) and reduction_note_ (why, if not the
    one asked for), fit_rows_ (m,) indices that were fitted, embedding_ (m, c) their reduced rows, agreement_
    (share of fitted rows that UMAP k-means put into the same group as the centroid), n_features_in_.
    """

    def __init__(
        self,
        n_clusters: int | Literal["auto"] = "auto",
        *,
        k_range: tuple[int, int] = (2, 40),
        reduction: Reduction = "umap",
        n_components: int = 10,
        n_neighbors: int = 15,
        judged_in: Space = "reduced",
        max_fit_rows: int = 20_000,
        random_state: int = 7,
    ) -> None:
        self.n_clusters = n_clusters
        self.k_range = k_range
        self.reduction = reduction
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.judged_in = judged_in
        self.max_fit_rows = max_fit_rows
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: object = None) -> StyleClusterer:
        """The fitted estimator; X is (n, d). `y` is ignored. Raises UserError for parameters out of range."""
        data = validate_data(self, X, dtype=[np.float64, np.float32])
        params = self._partition_params()
        unit = unit_rows(data)
        self.fit_rows_ = np.arange(len(unit))
        if len(unit) > self.max_fit_rows:
            generator = np.random.default_rng(self.random_state)
            self.fit_rows_ = np.sort(generator.choice(len(unit), self.max_fit_rows, replace=False))
        fitted = unit[self.fit_rows_]
        partition = find_partition(fitted, params)
        settled, self.cluster_centers_ = settle(fitted, partition.labels)
        self.n_clusters_ = len(self.cluster_centers_)
        self.embedding_ = partition.reduced
        self.silhouette_curve_ = partition.curve
        self.k_reason_ = partition.reason
        self.reduction_ = partition.reduction
        self.reduction_note_ = partition.note
        self.agreement_ = _agreement(partition.labels, settled)
        self.labels_ = settled if len(fitted) == len(unit) else self._assigned(unit)
        self._n_features_out = self.n_clusters_
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """The label (n,) of the nearest centroid of each row; a zero row, which has no direction, gets label
        0.
        """
        return self._assigned(self._unit_of(X))

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Cosine distances (n, k) in [0, 2] to the centroids."""
        unit = self._unit_of(X).astype(np.float64)
        return np.clip(1.0 - unit @ self.cluster_centers_.T.astype(np.float64), 0.0, 2.0)

    def _unit_of(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        check_is_fitted(self, "cluster_centers_")
        return unit_rows(validate_data(self, X, reset=False, dtype=[np.float64, np.float32]))

    def _assigned(self, unit: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        # -1 (no usable centroid) can only come from rows that were all zero in fit: one group, label 0
        return np.maximum(nearest_two(unit, self.cluster_centers_).first, 0)

    def _partition_params(self) -> PartitionParams:
        k: Any = self.n_clusters
        if k != "auto" and (isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1):
            raise UserError(f'n_clusters is {k!r}; expected "auto" or a whole number of at least 1.')
        for name, smallest in (("n_components", 1), ("n_neighbors", 2), ("max_fit_rows", 2)):
            if getattr(self, name) < smallest:
                raise UserError(f"{name} is {getattr(self, name)!r}; expected at least {smallest}.")
        if self.judged_in not in ("reduced", "embedding"):
            raise UserError(f'judged_in is {self.judged_in!r}; expected "reduced" or "embedding".')
        return PartitionParams(
            n_clusters=None if k == "auto" else int(k),
            k_range=self.k_range,
            reduction=self.reduction,
            n_components=self.n_components,
            n_neighbors=self.n_neighbors,
            judged_in=self.judged_in,
            seed=self.random_state,
        )


def _agreement(found: npt.NDArray[np.int32], settled: npt.NDArray[np.int32]) -> float:
    """Share of rows in the settled group that most rows of their found group went to."""
    table = np.zeros((int(found.max()) + 1, int(settled.max()) + 1), np.int64)
    np.add.at(table, (found, settled), 1)
    return float(table.max(axis=1).sum() / len(found))
