"""Gradient-boosted trees by CatBoost, of the extra ``boost``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from fashion_assets.products.classifiers.base import Array, FloatArray, StatefulClassifier, class_weighted
from fashion_assets.storage.errors import UserError


class BoostedTrees(StatefulClassifier):
    """CatBoost's multinomial trees. With a hundred classes and a thousand columns they take minutes.

    Parameters: iterations (trees), depth, learning_rate (None: CatBoost chooses by the rows), l2_leaf_reg,
    class_weight_power as in ``SoftmaxRegression``, random_state, thread_count (-1: all cores; more than one may change
    the last digits).

    Attributes: model_ (CatBoostClassifier), classes_, n_features_in_. UserError where CatBoost is missing.
    """

    kind = "catboost"

    def __init__(
        self,
        iterations: int = 200,
        *,
        depth: int = 6,
        learning_rate: float | None = None,
        l2_leaf_reg: float = 3.0,
        class_weight_power: float = 0.5,
        random_state: int = 7,
        thread_count: int = -1,
    ) -> None:
        self.iterations = iterations
        self.depth = depth
        self.learning_rate = learning_rate
        self.l2_leaf_reg = l2_leaf_reg
        self.class_weight_power = class_weight_power
        self.random_state = random_state
        self.thread_count = thread_count

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See ``Classifier.fit``."""
        model = _catboost()(
            iterations=self.iterations,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2_leaf_reg,
            loss_function="MultiClass",
            random_seed=self.random_state,
            thread_count=self.thread_count,
            verbose=False,
            allow_writing_files=False,
        )
        rows, codes, weights = self._training_rows(X, y, sample_weight)
        k = len(self.classes_)
        weights = class_weighted(codes, weights, k, self.class_weight_power)
        self.model_ = model.fit(_readable(rows), codes, sample_weight=weights)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """See ``Classifier.predict_proba``."""
        rows = _readable(self._new_rows(X))
        return np.asarray(self.model_.predict_proba(rows), dtype=np.float64)

    def _arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            self.model_.save_model(str(path), format="cbm")
            return {"cbm": np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()}, {}

    def _restore(self, arrays: Mapping[str, Array], fitted: Mapping[str, Any]) -> None:
        self.model_ = _catboost()()
        self.model_.load_model(blob=arrays["cbm"].tobytes())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _readable(rows: Any) -> Any:
    """Rows as CatBoost takes them: of the sparse kinds only csr_matrix, with 32-bit places."""
    import scipy.sparse

    if not scipy.sparse.issparse(rows):
        return rows
    places = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    return scipy.sparse.csr_matrix((rows.data, *places), shape=rows.shape)


def _catboost() -> Any:
    try:
        from catboost import CatBoostClassifier
    except ImportError as error:
        raise UserError(
            "the classifier catboost needs CatBoost, which is not installed; "
            "pip install 'fashion-assets[boost]', or choose another kind"
        ) from error
    return CatBoostClassifier
