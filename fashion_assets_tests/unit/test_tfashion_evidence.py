"""Log-odds of character n-grams: counted by hand, summarised per word, and never from the word itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.tfashion.evidence import MAX_N, N_FEATURES, CharEvidence, out_of_fold_evidence

WORD = st.text(alphabet="裙子大衣历史a 8", max_size=8)
LABELLED = st.lists(st.tuples(WORD, st.booleans(), st.integers(0, 3)), min_size=1, max_size=20)


def log_odds(evidence: CharEvidence, gram: str) -> float:
    return float(evidence.log_odds[evidence.grams.index(gram)])


def test_log_odds_by_hand() -> None:
    evidence = CharEvidence.fit(["裙裙", "裙"], [True, False], smoothing=0.5)
    # 裙裙 holds 裙, ^裙, 裙裙, 裙$, ^裙裙, 裙裙$, each once; 裙 holds 裙, ^裙, 裙$, ^裙$.
    assert len(evidence.grams) == 7
    assert log_odds(evidence, "裙") == pytest.approx(math.log((1.5 / 6) / (1.5 / 4)), abs=1e-6)
    assert log_odds(evidence, "裙裙") == pytest.approx(math.log((1.5 / 6) / (0.5 / 4)), abs=1e-6)
    assert log_odds(evidence, "\x02裙\x03") == pytest.approx(math.log((0.5 / 6) / (1.5 / 4)), abs=1e-6)


def test_features_by_hand() -> None:
    evidence = CharEvidence(
        ["裙", "衣", "裙衣", "衣\x03"], np.array([2.0, -1.0, 0.5, 0.25], dtype=np.float32)
    )
    row = evidence.features(["裙衣"])[0]
    # 衣 with the mark of the end counts as one character.
    np.testing.assert_allclose(row[:3], [2.0 - 1.0 + 0.25, 2.0, -1.0], atol=1e-6)
    np.testing.assert_allclose(row[3:6], [0.5, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(row[6:9], 0)
    assert row[9] == pytest.approx(1.75)
    # 裙, 衣, ^裙, 裙衣, 衣$, ^裙衣, 裙衣$: four of the seven are known.
    assert row[10] == pytest.approx(4 / 7)


def test_the_end_of_a_word_is_told_from_its_inside() -> None:
    evidence = CharEvidence.fit(["红裙", "蓝裙", "裙下", "裙边"], [True, True, False, False])
    assert log_odds(evidence, "裙") == pytest.approx(0, abs=0.2)
    assert log_odds(evidence, "裙\x03") > 1
    assert log_odds(evidence, "\x02裙") < -1


def test_strange_words_and_no_words_have_zeros() -> None:
    evidence = CharEvidence.fit(["裙子", "历史"], [True, False])
    strange = evidence.features(["ｗ", "8"])
    assert strange.shape == (2, N_FEATURES)
    assert not strange.any()
    assert evidence.features([]).shape == (0, N_FEATURES)
    nothing = CharEvidence.fit([], [])
    assert nothing.grams == []
    assert not nothing.features(["裙子", ""]).any()
    again = CharEvidence.from_tensors(nothing.tensors())
    assert again.grams == []


def test_trust_counts_as_repeats() -> None:
    words, labels = ["裙子", "大衣", "历史", "裙史"], [True, True, False, False]
    trusted = CharEvidence.fit(words, labels, trust=[2, 1, 1, 3])
    repeated = CharEvidence.fit(
        ["裙子", "裙子", "大衣", "历史", "裙史", "裙史", "裙史"], [True] * 3 + [False] * 4
    )
    assert trusted.grams == repeated.grams
    np.testing.assert_allclose(trusted.log_odds, repeated.log_odds, atol=1e-6)


def test_a_word_is_judged_by_the_other_folds_alone() -> None:
    words, folds = ["裙子", "裙摆", "历史", "历来"], [0, 1, 0, 1]
    labels = np.array([True, True, False, False])
    judged = out_of_fold_evidence(words, labels, folds)
    expected = CharEvidence.fit(["裙摆", "历来"], [True, False]).features(["裙子", "历史"])
    np.testing.assert_array_equal(judged[[0, 2]], expected)
    turned = labels.copy()
    turned[[0, 2]] = ~turned[[0, 2]]
    np.testing.assert_array_equal(out_of_fold_evidence(words, turned, folds)[[0, 2]], expected)


def test_of_one_fold_nothing_is_known() -> None:
    assert not out_of_fold_evidence(["裙子", "历史"], [True, False], [0, 0]).any()


@settings(deadline=None, max_examples=60)
@given(LABELLED, st.permutations(range(20)))
def test_what_holds_of_all_words(rows: list[tuple[str, bool, int]], order: list[int]) -> None:
    words, labels = [row[0] for row in rows], [row[1] for row in rows]
    evidence = CharEvidence.fit(words, labels)
    features = evidence.features(words)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    by_length = features[:, : 3 * MAX_N].reshape(-1, MAX_N, 3)
    np.testing.assert_allclose(by_length[:, :, 0].sum(axis=1), features[:, -2], atol=1e-3)
    assert (by_length[:, :, 1] >= by_length[:, :, 2]).all()
    np.testing.assert_allclose(features[:, -1], 1)  # every n-gram of a word that was counted is known
    order = [place for place in order if place < len(words)]
    shuffled = CharEvidence.fit([words[row] for row in order], [labels[row] for row in order])
    assert shuffled.grams == evidence.grams
    np.testing.assert_array_equal(shuffled.log_odds, evidence.log_odds)
    turned = CharEvidence.fit(words, [not label for label in labels])
    np.testing.assert_allclose(turned.log_odds, -evidence.log_odds, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(LABELLED, st.lists(WORD, max_size=6))
def test_tensors_hold_all_of_it(rows: list[tuple[str, bool, int]], words: list[str]) -> None:
    evidence = CharEvidence.fit([row[0] for row in rows], [row[1] for row in rows])
    again = CharEvidence.from_tensors(evidence.tensors())
    assert again.grams == evidence.grams
    np.testing.assert_array_equal(again.features(words), evidence.features(words))


@settings(deadline=None, max_examples=40)
@given(LABELLED)
def test_folds_are_those_of_hand_made_fits(rows: list[tuple[str, bool, int]]) -> None:
    words, labels, folds = ([row[place] for row in rows] for place in range(3))
    judged = out_of_fold_evidence(words, labels, folds)
    for fold in set(folds):
        others = [row for row in rows if row[2] != fold]
        fitted = CharEvidence.fit([row[0] for row in others], [row[1] for row in others])
        inside = [place for place, row in enumerate(rows) if row[2] == fold]
        np.testing.assert_array_equal(judged[inside], fitted.features([words[place] for place in inside]))
