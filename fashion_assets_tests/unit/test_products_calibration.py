"""Temperature scaling, the adaptive calibration error, logit adjustment and the macro-F1 that tunes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from fashion_assets.products.calibration import COLDEST, WARMEST, Temperature
from fashion_assets.products.logit_adjustment import LogitAdjustment
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.reliability import expected_calibration_error, reliability
from fashion_assets.storage.errors import UserError

scores = arrays(np.float64, (6, 4), elements=st.floats(-8, 8))


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def drawn(n: int = 6000, k: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the truth's distribution, and a truth drawn from it."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, k)) * 2
    codes = (softmax(logits).cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return logits, np.minimum(codes, k - 1)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_temperature_finds_the_factor_that_was_put_in(factor: float) -> None:
    logits, codes = drawn()
    found = Temperature.fit(softmax(logits * factor), codes)
    assert found.value == pytest.approx(factor, rel=0.05)
    given_ = softmax(logits * factor)
    calibrated = found.apply(given_)
    right = calibrated.argmax(axis=1) == codes
    before = expected_calibration_error(reliability(given_.max(axis=1), right))
    after = expected_calibration_error(reliability(calibrated.max(axis=1), right))
    assert after < 0.03
    assert after < before or factor == 1.0


def test_temperature_is_the_lowest_log_loss() -> None:
    logits, codes = drawn(300)
    given_ = softmax(2.5 * logits)

    def loss(value: float) -> float:
        return -np.log(Temperature(value).apply(given_)[np.arange(300), codes]).mean()

    found = Temperature.fit(given_, codes).value
    assert loss(found) <= min(loss(value) for value in np.geomspace(0.1, 10, 60)) + 1e-9


def test_temperature_weights_are_repetitions() -> None:
    logits, codes = drawn(60)
    twice = np.repeat(np.arange(60), np.arange(60) % 3)
    weighted = Temperature.fit(softmax(logits), codes, np.arange(60) % 3)
    assert weighted.value == pytest.approx(Temperature.fit(softmax(logits[twice]), codes[twice]).value)


def test_temperature_stays_in_bounds() -> None:
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert Temperature.fit(sure, [0, 1]).value == COLDEST
    assert Temperature.fit(sure, [1, 0]).value == WARMEST
    assert np.isfinite(Temperature(COLDEST).apply([[1.0, 0.0]])).all()


@given(scores, st.floats(COLDEST, WARMEST))
def test_temperature_keeps_order_and_sum(logits: np.ndarray, value: float) -> None:
    rows = softmax(logits)
    warmed = Temperature(value).apply(rows)
    np.testing.assert_allclose(warmed.sum(axis=1), 1)
    order = np.argsort(rows, axis=1)
    assert (np.diff(np.take_along_axis(warmed, order, axis=1), axis=1) >= -1e-12).all()
    np.testing.assert_allclose(Temperature(1.0).apply(rows), rows, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "codes", "said"),
    [
        ([[0.5, 0.5]], [0, 1], "one label per row"),
        ([[np.nan, 0.5]], [0], "negative, NaN"),
        ([[0.5, 0.5]], [2], "there are 2 classes"),
        (np.zeros((0, 2)), [], "and a row"),
    ],
)
def test_shapes_that_do_not_fit_are_sentences(rows: object, codes: list[int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Temperature.fit(rows, codes)
    with pytest.raises(UserError, match=said):
        LogitAdjustment.fit(rows, codes, [0.5, 0.5])


def test_a_temperature_of_nought_is_refused() -> None:
    with pytest.raises(UserError, match="a temperature is a number above 0"):
        Temperature(0.0)
    with pytest.raises(UserError, match="shares above 0"):
        LogitAdjustment(1.0, np.array([0.0, 1.0]))
    with pytest.raises(UserError, match="2 classes and"):
        LogitAdjustment.fit([[0.5, 0.5]], [0], [1.0])


@given(scores, st.floats(-2, 2), st.integers(0, 50))
@settings(max_examples=60)
def test_adjustment_is_a_shift_of_the_logits(logits: np.ndarray, strength: float, seed: int) -> None:
    prior = np.random.default_rng(seed).dirichlet(np.ones(4)) + 1e-6
    prior /= prior.sum()
    found = LogitAdjustment(strength, prior).apply(softmax(logits))
    np.testing.assert_allclose(found, softmax(logits - strength * np.log(prior)), atol=1e-9)


def test_adjustment_is_tuned_by_macro_f1_on_rare_classes() -> None:
    generator = np.random.default_rng(0)
    prior = np.array([0.9, 0.07, 0.03])
    codes = generator.choice(3, size=4000, p=prior)
    evidence = np.eye(3)[codes] + generator.normal(size=(4000, 3))
    # The posterior of that Gaussian model: prior times exp(evidence).
    probabilities = softmax(evidence + np.log(prior))
    found, table = LogitAdjustment.fit(probabilities[:2000], codes[:2000], prior)
    assert found.strength > 0
    assert table["strength"].is_monotonic_increasing
    assert table["macro_f1"].max() == table.loc[table["strength"] == found.strength, "macro_f1"].item()
    plain = macro_f1(codes[2000:], probabilities[2000:].argmax(axis=1))
    assert macro_f1(codes[2000:], found.apply(probabilities[2000:]).argmax(axis=1)) > plain + 0.03


def test_adjustment_that_does_not_help_is_not_done() -> None:
    sure = np.eye(3)[[0, 1, 2, 0]] * 0.94 + 0.02
    assert LogitAdjustment.fit(sure, [0, 1, 2, 0], [0.5, 0.3, 0.2])[0].strength == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_macro_f1_is_scikit_learns_over_the_true_classes(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    theirs = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(theirs)


def test_macro_f1_wants_rows() -> None:
    with pytest.raises(UserError, match="one each per row"):
        macro_f1(["a"], ["a", "b"])
