"""Words of the general dictionary that are learned from as the other side."""

from __future__ import annotations

import pytest

from fashion_assets.keywords.dictionary import load_dictionary
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.tfashion.word_lists import N_FREQUENT, N_RARER, dictionary_terms


@pytest.mark.slow
def test_everyday_words_that_the_lexicon_does_not_know() -> None:
    lexicon, dictionary = load_lexicon(), load_dictionary()
    terms = dictionary_terms(1)
    assert terms == sorted(set(terms))
    assert len(terms) == N_FREQUENT + N_RARER
    assert all(word in dictionary and lexicon.facet(word) is None for word in terms)
    assert {"已经", "历史"} <= set(terms)
    # The seed chooses among the rarer words, and among them alone.
    assert terms == dictionary_terms(1)
    assert len(set(terms) & set(dictionary_terms(2))) >= N_FREQUENT
    assert terms != dictionary_terms(2)
