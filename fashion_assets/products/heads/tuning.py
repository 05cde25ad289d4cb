"""Options of a kind of head and ways against imbalance, chosen on validation products."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.heads.config import HEADS_VERSION, KERNEL, Candidate
from fashion_assets.products.heads.rows import RowClassifier
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.resampling import WEIGHT_POWERS, Resampling
from fashion_assets.products.search import SPACES, Choice, search

if TYPE_CHECKING:
    from fashion_assets.products.heads.unseen import Unseen

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tuned:
    """``params`` of the kind, ``resampling`` of its training rows (None: weights won), and what was tried."""

    params: dict[str, Any]
    resampling: Resampling | None
    trials: pd.DataFrame
    imbalance: pd.DataFrame


def tune(candidate: Candidate, unseen: Unseen) -> Tuned:
    """The options of a kind of ``products.classifiers`` with the highest macro-F1 on validation products after learning
    from training products: ``n_trials`` of a seeded search, then, for ``resampling`` "auto", imbalanced-learn's bounds
    against class weights.

    With ``unseen.journal`` a search that was killed goes on: trials of the same products, labels and vectors are kept
    there. It never ends below the kind's defaults.
    """
    kind, config = candidate.kind, unseen.config
    signals, codes = unseen.bench.signals, unseen.codes
    known = signals.take(unseen.train)
    plain = RowClassifier.unfitted(
        kind,
        known,
        codes[unseen.train],
        seed=config.seed,
        embedding_transform=candidate.embedding_transform,
    )
    x, y, weights = plain.training_rows(known, codes[unseen.train], config.seed)
    x_validation, truth = plain.rows(signals.take(unseen.validation)), codes[unseen.validation]
    fixed = {"random_state": config.seed} if "random_state" in plain.classifier.get_params() else {}

    def score(params: dict[str, Any]) -> float:
        fitted = CLASSIFIERS[kind](**fixed, **params).fit(x, y, sample_weight=weights)
        return macro_f1(truth, fitted.predict(x_validation))

    params: dict[str, Any] = {}
    trials = pd.DataFrame()
    if config.n_trials:
        first = searchable_defaults(kind)
        found = search(
            SPACES[kind],
            score,
            n_trials=config.n_trials,
            seed=config.seed,
            first=first,
            journal=unseen.journal,
            name=f"{unseen.attribute} {kind} {candidate.embedding_transform} {HEADS_VERSION} "
            f"{_digest(x, y, weights, x_validation, truth)}",
        )
        params, trials = found.params, found.history
        if first is None and score({}) >= found.value:
            params = {}
    if config.resampling == "none":
        return Tuned(params, None, trials, pd.DataFrame())
    from fashion_assets.products.resampling import bounds_grid, compare_resampling

    grid = bounds_grid(y, methods=("repeat", "smote"), seed=config.seed)
    table = compare_resampling(CLASSIFIERS[kind](**fixed, **params), x, y, x_validation, truth, grid=grid)
    best = table.iloc[0]
    resampling = None
    if "class_weight_power" in plain.classifier.get_params():
        params = params | {"class_weight_power": float(best["class_weight_power"])}
    if best["way"] == "resampling":
        bounds = [None if pd.isna(best[name]) else int(best[name]) for name in ("lower", "upper")]
        resampling = Resampling(bounds[0], bounds[1], best["method"], config.seed)
    return Tuned(params, resampling, trials, table)


def tune_kernel(unseen: Unseen) -> Tuned:
    """The class weights of the kernel machine with the highest macro-F1 on validation products; of equals the least.

    Drawing rows again would only repeat rows of its matrix, so weights are all that is compared. Each but none takes a
    factorisation of its own.
    """
    truth = unseen.codes[unseen.validation]
    records = []
    for power in WEIGHT_POWERS:
        began = time.process_time()
        unseen.weigh(power)
        guess = unseen.after(Candidate(KERNEL), second=False).argmax(axis=1)
        records.append(
            {
                "way": "weights",
                "class_weight_power": power,
                "lower": None,
                "upper": None,
                "method": "",
                "n_rows": len(unseen.train),
                "macro_f1": macro_f1(truth, guess),
                "accuracy": float(np.mean(truth == guess)),
                "seconds": time.process_time() - began,
            }
        )
    table = pd.DataFrame(records).sort_values("macro_f1", ascending=False, kind="stable", ignore_index=True)
    table["chosen"] = table.index == 0
    power = float(table["class_weight_power"].iloc[0])
    unseen.weigh(power)
    return Tuned({"class_weight_power": power} if power else {}, None, pd.DataFrame(), table)


def searchable_defaults(kind: str) -> Mapping[str, Any] | None:
    """The defaults of ``kind`` as a point of its space; None if one of them lies outside, such as "auto"."""
    options = CLASSIFIERS[kind]().get_params()
    for name, values in SPACES[kind].items():
        value = options[name]
        if isinstance(values, Choice):
            inside = value in values.options
        else:
            inside = isinstance(value, int | float) and values.low <= value <= values.high
        if not inside:
            return None
    return {name: options[name] for name in SPACES[kind]}


def _digest(*given: Any) -> str:
    """Of arrays and CSR matrices."""
    digest = hashlib.sha256()
    for one in given:
        for part in (one.data, one.indices, one.indptr) if hasattr(one, "indptr") else (one,):
            array = np.ascontiguousarray(part)
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]
