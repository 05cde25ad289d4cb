"""The search of options: seeded, resumed after a kill as if unbroken, never below the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.search import SPACES, Choice, Range, search
from fashion_assets.storage.errors import UserError

SPACE = {
    "x": Range(1e-3, 10, log=True),
    "n": Range(1, 9, whole=True),
    "shape": Choice(((8,), (8, 4), "none")),
}


def hill(params: dict[str, Any]) -> float:
    return -abs(params["x"] - 0.5) - abs(params["n"] - 4) / 4 + (params["shape"] == (8, 4))


def test_a_search_finds_the_hill_and_repeats_itself() -> None:
    found = search(SPACE, hill, n_trials=40)
    assert found.value > 0.4
    assert found.params["shape"] == (8, 4)
    assert isinstance(found.params["n"], int)
    assert found.value == pytest.approx(hill(found.params))
    assert found.history["best"].is_monotonic_increasing
    assert found.history["best"].iloc[-1] == found.value
    assert search(SPACE, hill, n_trials=40).history.equals(found.history)
    assert not search(SPACE, hill, n_trials=40, seed=8).history.equals(found.history)


def test_the_defaults_come_first() -> None:
    first = {"x": 0.5, "n": 4, "shape": (8, 4)}
    found = search(SPACE, hill, n_trials=3, first=first)
    assert found.history.loc[0, ["x", "n", "shape"]].to_dict() == first
    assert found.value == 1.0


class Killed(BaseException):
    pass


@pytest.mark.parametrize("dies_at", [0, 1, 11])
def test_a_killed_search_goes_on_as_if_unbroken(tmp_path: Path, dies_at: int) -> None:
    journal = tmp_path / "deep" / "search.journal"
    first = {"x": 1.0}
    unbroken = search(SPACE, hill, n_trials=14, first=first)
    calls: list[dict[str, Any]] = []

    def dying(params: dict[str, Any]) -> float:
        calls.append(params)
        if len(calls) == dies_at + 1:
            raise Killed
        return hill(params)

    with pytest.raises(Killed):
        search(SPACE, dying, n_trials=14, first=first, journal=journal)
    resumed = search(SPACE, dying, n_trials=14, first=first, journal=journal)
    assert resumed.history.equals(unbroken.history)
    assert resumed.params == unbroken.params
    assert len(calls) == 15
    # Finished: nothing is scored again; more trials add theirs; other data has its own study.
    search(SPACE, dying, n_trials=14, first=first, journal=journal)
    assert len(calls) == 15
    search(SPACE, dying, n_trials=16, first=first, journal=journal)
    assert len(calls) == 17
    search(SPACE, dying, n_trials=2, first=first, journal=journal, name="other data")
    assert len(calls) == 19


@pytest.mark.parametrize("kind", list(SPACES))
def test_every_space_holds_the_defaults_of_its_kind(kind: str) -> None:
    options = CLASSIFIERS[kind]().get_params()
    assert set(SPACES[kind]) <= set(options)
    for option, values in SPACES[kind].items():
        if isinstance(values, Choice):
            assert options[option] in values.options
        elif isinstance(options[option], int | float):
            assert values.low <= options[option] <= values.high


def test_what_cannot_be_searched_is_a_sentence() -> None:
    with pytest.raises(UserError, match="n_trials of at least 1"):
        search(SPACE, hill, n_trials=0)
    with pytest.raises(UserError, match="finite numbers"):
        search(SPACE, lambda params: float("nan"), n_trials=1)
