"""Reliability diagram and expected calibration error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.reliability import expected_calibration_error, reliability
from fashion_assets.storage.errors import UserError

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


@given(ANSWERS)
def test_every_answer_is_in_one_bin_and_the_error_is_that_of_the_definition(
    answers: list[tuple[float, bool]],
) -> None:
    confidence = np.array([sure for sure, _ in answers])
    right = np.array([hit for _, hit in answers])
    table = reliability(confidence, right)
    assert table["count"].sum() == len(answers)
    assert (table["confidence"] * table["count"]).sum() == pytest.approx(confidence.sum())
    assert (table["accuracy"] * table["count"]).sum() == pytest.approx(right.sum())
    expected = 0.0
    for low, high in zip(table["low"], table["high"], strict=True):
        inside = (confidence > low) & (confidence <= high) | ((low == 0) & (confidence == 0))
        expected += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    assert expected_calibration_error(table) == pytest.approx(expected)


def test_a_hand_made_case() -> None:
    table = reliability([0.95, 0.95, 0.55, 0.55], [True, False, True, True], bins=10)
    assert table["count"].tolist() == [2, 2]
    assert table["accuracy"].tolist() == [1.0, 0.5]
    assert expected_calibration_error(table) == pytest.approx((0.45 * 2 + 0.45 * 2) / 4)


def test_what_is_no_probability_is_a_sentence() -> None:
    with pytest.raises(UserError, match="not between 0 and 1"):
        reliability([1.2], [True])
    with pytest.raises(UserError, match="one each per answer"):
        reliability([0.5, 0.5], [True])
    assert np.isnan(expected_calibration_error(reliability([], [])))
