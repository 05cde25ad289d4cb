"""How far the project's lists are trusted: the order of the four log-odds, and which words they go to."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.tfashion.known_words import (
    BACKGROUND,
    CONTEXT,
    CONTEXT_FACETS,
    LOOK,
    UNLISTED,
    known_log_odds,
)


def test_the_order_of_what_is_known() -> None:
    assert LOOK > CONTEXT > UNLISTED > BACKGROUND


@pytest.mark.parametrize("facet", load_lexicon().facets)
def test_every_term_of_the_lexicon_counts_by_its_facet(facet: str) -> None:
    terms = load_lexicon().terms(facet)[:50]
    expected = CONTEXT if facet in CONTEXT_FACETS else LOOK
    np.testing.assert_array_equal(known_log_odds(terms, load_background()), expected)


def test_context_facets_are_facets() -> None:
    assert set(load_lexicon().facets) > CONTEXT_FACETS


def test_the_lexicon_outvotes_the_background() -> None:
    term = load_lexicon().terms("garment")[0]
    given = known_log_odds([term, "感觉", "没有人说的话", ""], frozenset({term, "感觉"}))
    np.testing.assert_array_equal(given, [LOOK, BACKGROUND, UNLISTED, UNLISTED])


def test_a_headed_word_is_of_no_list() -> None:
    assert load_lexicon().facet("丙丁连衣裙") == "garment"
    np.testing.assert_array_equal(known_log_odds(["丙丁连衣裙"], ()), [UNLISTED])


def test_the_lists_do_not_contradict_each_other() -> None:
    lexicon = load_lexicon()
    assert [word for word in load_background() if word in lexicon] == []


def test_no_words_have_no_log_odds() -> None:
    assert known_log_odds([], frozenset()).shape == (0,)


def test_the_digest_of_what_is_known_changes_with_every_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from fashion_assets.tfashion import known_words

    before = known_words.knowledge_digest()
    assert known_words.knowledge_digest() == before
    for name in ("LOOK", "CONTEXT", "UNLISTED", "BACKGROUND"):
        with monkeypatch.context() as changed:
            changed.setattr(known_words, name, 9.0)
            assert known_words.knowledge_digest() != before
