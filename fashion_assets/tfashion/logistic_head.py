"""The lightest head: a logistic regression with an L2 penalty on standardised features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.tfashion.epochs import EpochFigures, log_loss, validated_epoch
from fashion_assets.tfashion.heads import (
    CHUNK_ROWS,
    Array,
    Float32Array,
    Float64Array,
    Standardisation,
    Validation,
    by_chunks,
    feature_rows,
    not_trained,
    require_options,
    require_tensors,
    training_rows,
    validation_rows,
)


@dataclass(kw_only=True)
class LogisticHead:
    """scikit-learn's lbfgs learns it, numpy runs it.

    ``C`` is the inverse strength of the penalty: the sum of the weighted losses (weights of mean 1) times C
    stands against half the squared length of the coefficients. ``seed`` draws nothing here.
    After ``fit``, ``converged`` says whether lbfgs settled within ``max_iterations``; None before.
    """

    name: ClassVar[str] = "logistic"

    dim: int
    seed: int
    # Some ten thousand words against some hundred standardised features: at 1.0 the penalty hardly binds.
    C: float = 0.1
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        require_options(
            self.name,
            dim=(self.dim, self.dim >= 1, "1 or more"),
            C=(self.C, 0 < self.C < np.inf, "a number above 0"),
            max_iterations=(self.max_iterations, self.max_iterations >= 1, "1 or more"),
        )
        self.converged: bool | None = None
        self._scaler: Standardisation | None = None
        self._coefficients: Float64Array = np.zeros(self.dim)
        self._intercept = 0.0

    def fit(
        self,
        features: Array,
        labels: Array,
        weights: Array | None = None,
        validation: Validation | None = None,
    ) -> list[EpochFigures]:
        """See ``Head.fit``; one row of figures, since lbfgs knows no epochs. The training loss leaves the
        penalty out.
        """
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        rows = training_rows(self, features, labels, weights)
        held_out = validation_rows(self, validation)
        self._scaler = Standardisation.of(rows.features)
        model = LogisticRegression(C=self.C, max_iter=self.max_iterations)
        # The model's digest must not change with the number of threads.
        with one_blas_thread(), warnings.catch_warnings():
            # ``converged`` says it to the caller, who can do more about it than a line on the screen.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(self._scaler.as_float32(rows.features), rows.labels, sample_weight=rows.weights)
        self.converged = bool(model.n_iter_.max() < self.max_iterations)
        self._coefficients = np.asarray(model.coef_[0], dtype=np.float64)
        self._intercept = float(model.intercept_[0])
        train_loss = log_loss(self.decision(rows.features), rows.labels, rows.weights)
        if held_out is None:
            return [EpochFigures(1, train_loss)]
        decision = self.decision(held_out[0])
        return [validated_epoch(1, train_loss, log_loss(decision, held_out[1]), decision, held_out[1])]

    def decision(self, features: Array) -> Float32Array:
        """See ``Head.decision``."""
        scaler = self._scaler
        if scaler is None:
            raise not_trained(self)
        # In float64, so that no row depends on how the matrix product is cut into blocks.
        return by_chunks(
            lambda rows: scaler(rows) @ self._coefficients + self._intercept,
            feature_rows(self, features),
            CHUNK_ROWS,
        )

    def tensors(self) -> dict[str, Array]:
        """``mean``, ``scale``, ``coefficients`` float64 (dim,) and ``intercept`` float64 (1,)."""
        if self._scaler is None:
            raise not_trained(self)
        return {
            "mean": self._scaler.mean,
            "scale": self._scaler.scale,
            "coefficients": self._coefficients,
            "intercept": np.array([self._intercept]),
        }

    def config(self) -> dict[str, Any]:
        """The options."""
        return asdict(self)

    @classmethod
    def from_tensors(cls, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> LogisticHead:
        """See ``Head.from_tensors``."""
        head = cls(**config)
        wide = (head.dim,)
        arrays = require_tensors(
            head, tensors, {"mean": wide, "scale": wide, "coefficients": wide, "intercept": (1,)}
        )
        head._scaler = Standardisation(arrays["mean"], arrays["scale"])
        head._coefficients, head._intercept = arrays["coefficients"], float(arrays["intercept"][0])
        return head
