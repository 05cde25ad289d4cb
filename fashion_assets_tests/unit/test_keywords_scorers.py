"""Reviewed terms over any scorer: certain, and told apart by the id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.scorers import KeywordScorer, LexiconScorer, UserTermScorer

WORDS = st.lists(st.sampled_from(["连衣裙", "丙丁裙", "美拉德", "历史", "", "ootd"]), max_size=8)
TERMS = st.dictionaries(st.sampled_from(["美拉德", "历史", "连衣裙"]), st.sampled_from(["", "style", "cut"]))


@pytest.fixture(scope="module")
def lexicon() -> LexiconScorer:
    return LexiconScorer()


def test_it_is_a_scorer(lexicon: LexiconScorer) -> None:
    scorer = UserTermScorer(lexicon, {"美拉德": "style"})
    assert isinstance(scorer, KeywordScorer)
    assert scorer.threshold == lexicon.threshold


def test_a_term_with_a_facet_is_certain_and_one_without_is_left_to_the_scorer(lexicon: LexiconScorer) -> None:
    scorer = UserTermScorer(lexicon, {"丙丁戊": "style", "庚辛壬": ""})
    scores = scorer.score(["丙丁戊", "庚辛壬", "连衣裙"])
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, [1, 0, 1])
    assert scorer.score([]).shape == (0,)


@settings(deadline=None, max_examples=50)
@given(WORDS, TERMS)
def test_all_other_words_score_as_before(
    lexicon: LexiconScorer, words: list[str], terms: dict[str, str]
) -> None:
    before = lexicon.score(words)
    after = UserTermScorer(lexicon, terms).score(words)
    sure = np.array([bool(terms.get(word)) for word in words], dtype=bool)
    np.testing.assert_array_equal(after[~sure], before[~sure])
    assert (after[sure] == 1).all()
    np.testing.assert_array_equal(lexicon.score(words), before)  # the scorer's own array is not written to


def test_the_scores_of_the_scorer_are_not_changed_in_place() -> None:
    kept = np.zeros(2, dtype=np.float32)

    class Fixed:
        model_id = "fixed"
        threshold = 0.3

        def score(self, words: list[str]) -> np.ndarray:
            return kept

    np.testing.assert_array_equal(
        UserTermScorer(Fixed(), {"美拉德": "style"}).score(["美拉德", "历史"]), [1, 0]
    )
    assert not kept.any()


def test_the_id_follows_the_terms_that_count(lexicon: LexiconScorer) -> None:
    def model_id(terms: dict[str, str]) -> str:
        return UserTermScorer(lexicon, terms).model_id

    assert model_id({}) == model_id({"美拉德": ""}) == lexicon.model_id
    one = model_id({"美拉德": "style"})
    assert one.startswith(f"{lexicon.model_id}+")
    # Which facet a term has does not change its score.
    assert one == model_id({"美拉德": "cut"}) == model_id({"历史": "", "美拉德": "style"})
    both = model_id({"美拉德": "style", "历史": "cut"})
    assert both not in (one, lexicon.model_id)
    assert both == model_id({"历史": "cut", "美拉德": "style"})
