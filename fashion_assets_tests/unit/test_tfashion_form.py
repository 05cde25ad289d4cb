"""What the form of a word says, and that no word is judged by its own entry in a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.dictionary import load_dictionary
from fashion_assets.tfashion.form import FEATURES, MAX_CHARS, form_features

NOTHING: frozenset[str] = frozenset()


def form(word: str, background: frozenset[str] = NOTHING) -> dict[str, float]:
    return dict(zip(FEATURES, form_features([word], background)[0].tolist(), strict=True))


def test_every_feature_has_one_name() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert form_features([], NOTHING).shape == (0, len(FEATURES))


def test_length_parts_and_frequency() -> None:
    known = form("已经")
    assert (known["length"], known["parts"], known["tag_d"], known["last_d"]) == (2, 1, 1, 1)
    assert known["frequency"] == known["least_frequency"]
    assert known["frequency"] == pytest.approx(np.log1p(load_dictionary()["已经"].frequency))
    joined = form("已经历史")
    assert joined["parts"] > 1
    assert (joined["tag_join"], joined["frequency"]) == (1, 0)
    assert joined["least_frequency"] > 0
    assert sum(joined[f"tag_{tag}"] for tag in ("n", "v", "d", "x")) == 0


def test_a_word_of_no_dictionary_is_unknown() -> None:
    strange = form("qzxw")
    assert (strange["tag_x"], strange["frequency"], strange["least_frequency"]) == (1, 0, 0)


def test_terms_inside_count_but_not_the_word_itself() -> None:
    term = form("连衣裙")
    assert term["term_share"] < 1
    longer = form("赫本连衣裙")
    assert (longer["head"], longer["head_character"], longer["term_inside"]) == (1, 0, 1)
    assert longer["term_share"] == pytest.approx(3 / 5)
    assert form("丙丁裙")["head_character"] == 1
    assert form("历史")["term_inside"] == 0


def test_the_background_inside_counts_but_not_the_word_itself() -> None:
    assert form("感觉", frozenset({"感觉"}))["background_inside"] == 0
    inside = form("好感觉啊", frozenset({"感觉"}))
    assert (inside["background_inside"], inside["background_share"]) == (1, 0.5)
    assert form("好感觉啊", frozenset({"历史"}))["background_inside"] == 0


def test_the_background_may_be_any_collection() -> None:
    as_list = form_features(["好感觉啊"], ["感觉"])
    np.testing.assert_array_equal(as_list, form_features(["好感觉啊"], frozenset({"感觉"})))


@pytest.mark.parametrize("word", ["", " ", "\x00", "裙\ufffd子", "a" * 6667, "裙" * 6667, "\U0001f457"])
def test_odd_words_have_a_form(word: str) -> None:
    assert np.isfinite(form_features([word], NOTHING)).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(alphabet="连衣裙感觉历史a 8", max_size=30), max_size=6))
def test_a_word_has_one_form_wherever_it_stands(words: list[str]) -> None:
    background = frozenset({"感觉", "历史"})
    together = form_features(words, background)
    assert np.isfinite(together).all()
    for row, word in enumerate(words):
        np.testing.assert_array_equal(together[row], form_features([word], background)[0])
        np.testing.assert_array_equal(together[row], form_features([word[:MAX_CHARS]], background)[0])
    of_type = together[:, [place for place, name in enumerate(FEATURES) if name.startswith("tag_")]]
    assert (of_type.sum(axis=1) <= 1).all()
    shares = together[:, [FEATURES.index("term_share"), FEATURES.index("background_share")]]
    assert ((shares >= 0) & (shares <= 1)).all()
