"""Options of a classifier and ways against imbalance, chosen on validation products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.heads.config import HeadConfig
from fashion_assets.products.heads.rows import RowClassifier
from fashion_assets.products.heads.space import Signals
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.resampling import Resampling

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tuned:
    """``params`` of the classifier, ``resampling`` of its training rows (None: weights won), and what was tried."""

    params: dict[str, Any]
    resampling: Resampling | None
    trials: pd.DataFrame
    imbalance: pd.DataFrame


def tune(
    kind: str, signals: Signals, train: IntArray, validation: IntArray, codes: IntArray, config: HeadConfig
) -> Tuned:
    """The options of ``kind`` with the highest macro-F1 on ``validation`` after learning from ``train`` (positions in
    ``signals`` and ``codes``): ``config.n_trials`` of a seeded search, then, for ``config.resampling`` "auto",
    imbalanced-learn's bounds against class weights.
    """
    from fashion_assets.products.search import SPACES, search

    known = signals.take(train)
    plain = RowClassifier.unfitted(kind, known, seed=config.seed)
    x, y, weights = plain.training_rows(known, codes[train], config.seed)
    x_validation, truth = plain.rows(signals.take(validation)), codes[validation]
    fixed = {"random_state": config.seed} if "random_state" in plain.classifier.get_params() else {}

    def score(params: dict[str, Any]) -> float:
        fitted = CLASSIFIERS[kind](**fixed, **params).fit(x, y, sample_weight=weights)
        return macro_f1(truth, fitted.predict(x_validation))

    params: dict[str, Any] = {}
    trials = pd.DataFrame()
    if config.n_trials:
        found = search(SPACES[kind], score, n_trials=config.n_trials, seed=config.seed)
        params, trials = found.params, found.history
    if config.resampling == "none":
        return Tuned(params, None, trials, pd.DataFrame())
    from fashion_assets.products.resampling import compare_resampling

    table = compare_resampling(CLASSIFIERS[kind](**fixed, **params), x, y, x_validation, truth)
    best = table.iloc[0]
    resampling = None
    if "class_weight_power" in plain.classifier.get_params():
        params = params | {"class_weight_power": float(best["class_weight_power"])}
    if best["way"] == "resampling":
        bounds = [None if pd.isna(best[name]) else int(best[name]) for name in ("lower", "upper")]
        resampling = Resampling(bounds[0], bounds[1], best["method"], config.seed)
    return Tuned(params, resampling, trials, table)
