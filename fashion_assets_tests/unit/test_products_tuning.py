"""The search of a head's options: it goes on where a kill stopped it, and never ends below the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.classifiers.lda import ShrinkageLda
from fashion_assets.products.classifiers.logistic import SoftmaxRegression
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.heads.tuning import searchable_defaults
from fashion_assets.products.search import SPACES
from fashion_assets.products.training import TrainedHead, train_attribute
from fashion_assets_tests.unit.products_made import made_products, made_split

N, TRIALS = 180, 6
Made = tuple[pd.DataFrame, ProductFeatures]


@pytest.fixture(scope="module")
def made() -> Made:
    return made_products(N, noise=2.0)


class Killed(BaseException):
    pass


class Fits:
    """Options of every logistic regression that is fitted; the one at ``dies_at`` is the end of the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.options: list[tuple[float, float]] = []
        self.dies_at = -1
        plain = SoftmaxRegression.fit

        def fit(classifier: SoftmaxRegression, *args: Any, **kwargs: Any) -> SoftmaxRegression:
            if len(self.options) == self.dies_at:
                raise Killed
            self.options.append((classifier.C, classifier.class_weight_power))
            return plain(classifier, *args, **kwargs)

        monkeypatch.setattr(SoftmaxRegression, "fit", fit)


def searched(
    made: Made, journal: Path | None, attribute: str = "season", n_trials: int = TRIALS
) -> TrainedHead:
    config = HeadConfig(kinds=("logistic",), n_trials=n_trials)
    return train_attribute(attribute, *made, made_split(N), config=config, journal=journal)


def test_a_killed_search_repeats_no_trial(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, journal = Fits(monkeypatch), tmp_path / "searches.journal"
    unbroken = searched(made, None)
    tried, rest = fits.options[:TRIALS], len(fits.options) - TRIALS
    fits.options.clear()
    fits.dies_at = 4
    with pytest.raises(Killed):
        searched(made, journal)
    assert fits.options == tried[:4]
    fits.options.clear()
    fits.dies_at = -1
    resumed = searched(made, journal)
    # The two that were left, then what comes after a search.
    assert fits.options[:2] == tried[4:] and len(fits.options) == 2 + rest
    pd.testing.assert_frame_equal(resumed.search, unbroken.search)
    assert resumed.head.params == unbroken.head.params
    fits.options.clear()
    searched(made, journal)
    assert len(fits.options) == rest


def test_other_labels_and_other_products_are_searched_anew(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, journal = Fits(monkeypatch), tmp_path / "searches.journal"
    searched(made, journal, n_trials=2)
    counted = len(fits.options)
    turned = made[0].assign(label_season=np.roll(made[0]["label_season"], 1))
    for other in ((turned, made[1]), made_products(N, seed=5, noise=2.0)):
        fits.options.clear()
        searched(other, journal, n_trials=2)
        assert len(fits.options) == counted
    fits.options.clear()
    searched(made, journal, "kind", n_trials=2)
    assert len(fits.options) == counted


def test_the_defaults_are_the_first_trial(made: Made) -> None:
    first = searched(made, None, n_trials=1)
    assert first.head.params == {"C": 1.0, "class_weight_power": 0.5} == searchable_defaults("logistic")


def test_defaults_outside_the_space_stand_against_what_was_found(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searchable_defaults("lda") is None and ShrinkageLda().shrinkage == "auto"
    monkeypatch.setitem(SPACES, "lda", {"shrinkage": SPACES["lda"]["shrinkage"].__class__(0.99, 1.0)})
    config = HeadConfig(kinds=("lda",), n_trials=1)
    products = made_products(N, noise=0.7)
    assert train_attribute("season", *products, made_split(N), config=config).head.params == {}
