"""Search of a classifier's options with Optuna: seeded, and carried on after a kill as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

#: Trials drawn at random before the estimator has anything to go by.
RANDOM_TRIALS = 8


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``log``: evenly by order of magnitude; ``whole`` ones only."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some values that JSON can hold."""

    options: tuple[Any, ...]


Space = Mapping[str, Range | Choice]

#: What is searched for each kind of ``classifiers.CLASSIFIERS``, for rows of about unit spread or length.
SPACES: Mapping[str, Space] = {
    "logistic": {"C": Range(1e-3, 100, log=True), "class_weight_power": Range(0, 1)},
    "mlp": {
        "hidden": Choice(((128,), (256,), (512,), (256, 128))),
        "dropout": Range(0, 0.7),
        "learning_rate": Range(2e-4, 5e-3, log=True),
        "weight_decay": Range(1e-4, 1e-1, log=True),
        "class_weight_power": Range(0, 1),
    },
    "lda": {"shrinkage": Range(1e-3, 1, log=True)},
    "knn": {
        "n_neighbors": Range(1, 50, log=True, whole=True),
        "weights": Choice(("distance", "uniform")),
    },
    "catboost": {
        "depth": Range(3, 7, whole=True),
        "learning_rate": Range(0.03, 0.3, log=True),
        "l2_leaf_reg": Range(1, 30, log=True),
        "class_weight_power": Range(0, 1),
    },
}


@dataclass(frozen=True)
class SearchResult:
    """``params`` of the highest ``value``, and ``history``: trial (from 1), value, best (so far), and a column per
    option.
    """

    params: dict[str, Any]
    value: float
    history: pd.DataFrame


def search(
    space: Space,
    score: Callable[[dict[str, Any]], float],
    *,
    n_trials: int,
    seed: int = 7,
    first: Mapping[str, Any] | None = None,
    journal: Path | None = None,
    name: str = "search",
    on_trial: Callable[[int, float], None] | None = None,
) -> SearchResult:
    """The options of ``space`` with the highest ``score`` (macro-F1 on validation rows, say) after ``n_trials``.

    Tree-structured Parzen estimator (Bergstra et al. 2011), seeded per trial. ``first`` is tried before anything
    else (the defaults, so that a search never ends below them). With ``journal``, a file, each finished trial is kept
    there: a search that was killed goes on and finds what it would have found, and one with more trials adds only
    those; ``name`` keeps studies of other data apart, other spaces and seeds are apart anyway.

    Of equal scores the earlier trial wins. Raises UserError without a trial or an option to search.
    """
    if n_trials < 1 or not space:
        raise UserError(
            f"a search of {len(space)} options in {n_trials} trials finds nothing; give n_trials of at least 1 and an "
            "option"
        )
    study = _study(space, seed, first, journal, name)
    while (done := len(_finished(study))) < n_trials:
        # Seeded by what is done, not once: a search that goes on draws what an unbroken one draws.
        study.sampler = _sampler(seed, done)
        trial = study.ask()
        params = _drawn(trial, space)
        value = float(score(params))
        if not np.isfinite(value):
            raise UserError(f"the score of {params} is {value}; a search needs finite numbers")
        study.tell(trial, value)
        if on_trial is not None:
            on_trial(done + 1, value)
    history = _history(study, space, n_trials)
    best = int(history["value"].to_numpy().argmax())
    params = {option: _plain(history[option].iloc[best]) for option in space}
    return SearchResult(params, float(history["value"].iloc[best]), history)


def _study(
    space: Space, seed: int, first: Mapping[str, Any] | None, journal: Path | None, name: str
) -> Study:
    import logging

    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # A line per trial on the screen is the caller's to write (``on_trial``).
    logging.getLogger("optuna").setLevel(logging.WARNING)
    described = {option: [type(values).__name__, asdict(values)] for option, values in space.items()}
    told = json.dumps([described, seed, dict(first or {})], sort_keys=True)
    storage = None
    if journal is not None:
        journal.parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(
        study_name=f"{name} {hashlib.sha256(told.encode()).hexdigest()[:12]}",
        storage=storage,
        direction="maximize",
        load_if_exists=True,
    )
    # A kill leaves its trial open, and the first one may have been it.
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if first is not None and not _finished(study) and not waiting:
        chosen = {option: _as_label(first[option], space[option]) for option in space if option in first}
        study.enqueue_trial(chosen)
    return study


def _sampler(seed: int, done: int) -> Any:
    from optuna.samplers import TPESampler

    drawn = int(np.random.SeedSequence([seed, done]).generate_state(1)[0])
    return TPESampler(seed=drawn, n_startup_trials=RANDOM_TRIALS)


def _finished(study: Study) -> list[Any]:
    from optuna.trial import TrialState

    return list(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _drawn(trial: Trial, space: Space) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for option, values in space.items():
        if isinstance(values, Choice):
            label = trial.suggest_categorical(option, [json.dumps(value) for value in values.options])
            params[option] = _of_label(label, values)
        elif values.whole:
            params[option] = trial.suggest_int(option, int(values.low), int(values.high), log=values.log)
        else:
            params[option] = trial.suggest_float(option, values.low, values.high, log=values.log)
    return params


def _as_label(value: Any, values: Range | Choice) -> Any:
    # Optuna's journal holds plain values only, so a choice goes by its JSON text.
    return json.dumps(value) if isinstance(values, Choice) else value


def _of_label(label: str, values: Choice) -> Any:
    return next(option for option in values.options if json.dumps(option) == label)


def _history(study: Study, space: Space, n_trials: int) -> pd.DataFrame:
    trials = _finished(study)[:n_trials]
    value = [float(trial.value) for trial in trials]
    columns: dict[str, Any] = {
        "trial": range(1, len(trials) + 1),
        "value": value,
        "best": np.maximum.accumulate(value),
    }
    for option, values in space.items():
        found = [trial.params[option] for trial in trials]
        columns[option] = (
            [_of_label(label, values) for label in found] if isinstance(values, Choice) else found
        )
    return pd.DataFrame(columns)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
