"""Figures of a classifier: against scikit-learn, and with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.products.evaluation import all_attributes_right, evaluate_attribute
from fashion_assets.storage.errors import UserError

LABELS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=60)


@settings(deadline=None)
@given(LABELS)
def test_the_figures_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    truth, guess = [true for true, _ in pairs], [guessed for _, guessed in pairs]
    found = evaluate_attribute(truth, guess, resamples=20)
    present = sorted(set(truth))
    assert found.accuracy.value == pytest.approx(accuracy_score(truth, guess))
    macro = f1_score(truth, guess, labels=present, average="macro", zero_division=0)
    weighted = f1_score(truth, guess, labels=present, average="weighted", zero_division=0)
    assert found.macro_f1.value == pytest.approx(macro) and found.weighted_f1.value == pytest.approx(weighted)
    assert found.per_class["support"].sum() == found.n_items == len(pairs)
    assert found.confusion.to_numpy().sum() == len(pairs)


def test_intervals_hold_the_value_narrow_with_more_items_and_are_seeded() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (50, 500, 5000):
        truth = rng.choice(["a", "b"], n)
        guess = np.where(rng.random(n) < 0.8, truth, "a")
        found = evaluate_attribute(truth, guess)
        assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
        assert found.summary() == evaluate_attribute(truth, guess).summary()
        widths.append(found.accuracy.high - found.accuracy.low)
    assert widths[0] > widths[1] > widths[2]
    # 5,000 items at 90 %: the textbook interval is +- 0.0083
    assert widths[2] == pytest.approx(0.0166, abs=0.004)


def test_unlabelled_items_are_left_out_and_abstentions_are_wrong() -> None:
    found = evaluate_attribute(["a", "a", None, "b"], ["a", None, "a", "b"], attribute="kind")
    assert found.n_items == 3 and found.accuracy.value == pytest.approx(2 / 3)
    assert found.confusion.loc["a", "(abstained)"] == 1


def test_small_classes_can_be_left_out_of_the_macro_mean() -> None:
    found = evaluate_attribute(["a"] * 9 + ["b"], ["a"] * 10)
    assert found.macro_f1.value == pytest.approx((18 / 19) / 2)
    assert found.macro_f1_frequent.value == pytest.approx(18 / 19)
    assert (found.n_classes, found.n_frequent) == (2, 1)
    few = evaluate_attribute(["a"] * 4, ["a"] * 4)
    assert np.isnan(few.macro_f1_frequent.value) and np.isnan(few.macro_f1_frequent.low)


def test_families_are_drawn_whole_so_the_interval_is_wider() -> None:
    families = np.repeat(np.arange(40), 25)
    truth = np.array(["a", "b"])[np.arange(1000) % 2]
    guess = np.where(families % 4 == 0, "a", truth)
    alone, whole = (evaluate_attribute(truth, guess, families=groups).accuracy for groups in (None, families))
    assert alone.value == whole.value
    assert whole.high - whole.low > 2 * (alone.high - alone.low)
    # 10 of 40 families are half wrong: one deviates by .5 * sqrt(.25 * .75), the mean of 40 by that / sqrt(40)
    assert whole.high - whole.low == pytest.approx(2 * 1.96 * 0.5 * np.sqrt(0.1875 / 40), rel=0.15)


def test_all_right_is_not_certain() -> None:
    # 49 of 49: Wilson's lower end is n / (n + 1.96^2)
    least = 49 / (49 + 1.959964**2)
    found = evaluate_attribute(["a"] * 49, ["a"] * 49).accuracy
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(least)
    never = evaluate_attribute(["a"] * 49, ["b"] * 49).accuracy
    assert (never.value, never.low) == (0.0, 0.0) and never.high == pytest.approx(1 - least)
    share, _ = all_attributes_right({"x": ["a"] * 49}, {"x": ["a"] * 49})
    assert share.low == pytest.approx(least) and share.high == 1.0


def test_families_that_are_all_right_tell_no_more_than_their_number() -> None:
    families = np.repeat(np.arange(7), 7)
    least = 7 / (7 + 1.959964**2)
    found = evaluate_attribute(["a"] * 49, ["a"] * 49, families=families).accuracy
    share, _ = all_attributes_right({"x": ["a"] * 49}, {"x": ["a"] * 49}, families=families)
    assert found == share and found.low == pytest.approx(least) and found.high == 1.0
    # one fault among 40 families of 25: 1,000 products, but the interval is not narrower than that of 40
    families, guess = np.repeat(np.arange(40), 25), ["b"] + ["a"] * 999
    found = evaluate_attribute(["a"] * 1000, guess, families=families).accuracy
    assert found.low < 0.92 and found.high == 1.0


@settings(deadline=None)
@given(LABELS)
def test_all_right_is_the_share_of_rows_without_a_fault(pairs: list[tuple[str, str]]) -> None:
    truth = {"x": [a for a, _ in pairs], "y": ["1"] * len(pairs)}
    guess = {"x": [b for _, b in pairs], "y": ["1"] * len(pairs)}
    share, counted = all_attributes_right(truth, guess, resamples=20)
    assert counted == len(pairs)
    assert share.value == pytest.approx(np.mean([a == b for a, b in pairs]))
    assert 0 <= share.low <= share.high <= 1


def test_products_that_lack_a_label_do_not_count_for_all_right() -> None:
    share, counted = all_attributes_right(
        {"x": ["a", None], "y": ["b", "b"]}, {"x": ["a", "a"], "y": ["b", "c"]}
    )
    assert (share.value, counted) == (1.0, 1)
    nothing, none = all_attributes_right({"x": [None]}, {"x": ["a"]})
    assert np.isnan(nothing.value) and none == 0


def test_nothing_to_measure_is_a_sentence() -> None:
    with pytest.raises(UserError, match="none of the 1 products has a true label"):
        evaluate_attribute([None], ["a"], attribute="kind")
    with pytest.raises(UserError, match="1 true labels and 2 predictions"):
        evaluate_attribute(["a"], ["a", "b"])


def test_a_series_is_read_in_its_order_whatever_its_index() -> None:
    truth = pd.Series(["a", None, "b", "a"], index=[9, 7, 5, 3])
    guess = pd.Series(["a", "b", "a", "a"], index=["w", "x", "y", "z"])
    found = evaluate_attribute(truth, guess, families=pd.Series([1, 1, 2, 3], index=[3, 2, 1, 0]))
    assert found.n_items == 3 and found.accuracy.value == pytest.approx(2 / 3)
    plain = evaluate_attribute(list(truth), list(guess), families=[1, 1, 2, 3])
    assert found.confusion.equals(plain.confusion) and found.accuracy == plain.accuracy
