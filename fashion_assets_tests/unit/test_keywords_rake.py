"""RAKE phrases: boundaries, scores by hand, caps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.rake import (
    MAX_PHRASE_CHARS,
    MAX_WORDS,
    join_words,
    rake_many,
    rake_phrases,
    rake_scores,
)
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.keywords.tokens import tokenize

POST_TEXT = st.lists(
    st.one_of(
        st.sampled_from(load_lexicon().terms()),
        st.sampled_from(sorted(load_stopwords())),
        st.sampled_from(["，", "。", "\n", " ", "#", "!", "😀", "165cm", "-", "'", "_"]),
        st.text(max_size=5),
    ),
    max_size=40,
).map("".join)


def test_scores_are_degree_over_frequency_summed() -> None:
    # Candidates: deep learning model | deep learning | model. frequency 2 each; degree 5, 5, 4.
    scores = rake_scores("deep learning model, deep learning. model", stopwords=frozenset())
    assert scores == pytest.approx(
        {"deep learning model": 2.5 + 2.5 + 2.0, "deep learning": 5.0, "model": 2.0}
    )
    assert list(scores) == ["deep learning model", "deep learning", "model"]


@pytest.mark.parametrize(
    "boundary", ["，", "。", "\n", "\r\n", " ", "#", " #", "😀", "/", "|", "的", "和", "_", "~"]
)
def test_boundaries_end_a_phrase(boundary: str) -> None:
    assert set(rake_scores(f"美拉德{boundary}阔腿裤")) == {"美拉德", "阔腿裤"}


def test_chinese_is_joined_without_spaces_and_latin_with() -> None:
    assert join_words(["oversize", "white", "shirt"]) == "oversize white shirt"
    assert join_words(["高腰", "阔腿", "牛仔裤"]) == "高腰阔腿牛仔裤"
    assert join_words(["vintage", "夹克", "ootd"]) == "vintage夹克ootd"
    assert list(rake_scores("oversize white shirt")) == ["oversize white shirt"]
    assert "高腰阔腿裤" in rake_scores("今天的高腰阔腿裤")


def test_a_space_separates_chinese_but_not_latin_words() -> None:
    assert list(rake_scores("复古 穿搭")) == ["复古", "穿搭"]
    assert list(rake_scores("ivory wool coat")) == ["ivory wool coat"]


def test_latin_words_keep_their_inner_marks() -> None:
    assert list(rake_scores("levi's mom-jeans - fit")) == ["levi's mom-jeans", "fit"]


def test_a_run_of_more_words_than_the_cap_is_no_phrase() -> None:
    post = "复古慵懒焦糖色大衣阔腿裤短靴贝雷帽"
    assert len(tokenize([post])[0]) > MAX_WORDS
    assert rake_scores(post) == {}
    assert rake_phrases(post, max_words=20) == [post]
    assert rake_phrases("x" * 50) == []


def test_a_stopword_that_the_segmenter_cuts_is_no_phrase() -> None:
    assert "原相机" in load_stopwords()
    assert rake_phrases("原相机，法式碎花连衣裙") == ["法式碎花连衣裙"]


@settings(max_examples=200, deadline=None)
@given(POST_TEXT, st.integers(1, 5))
def test_phrases_are_short_distinct_and_best_first(text: str, max_words: int) -> None:
    scores = rake_scores(text, max_words=max_words)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    for phrase, score in scores.items():
        assert 1 < len(phrase) <= MAX_PHRASE_CHARS
        assert score >= 1
        assert phrase not in load_stopwords()
    phrases = rake_phrases(text, max_words=max_words)
    assert phrases == list(scores)[: len(phrases)]
    assert bool(phrases) == bool(scores)


def test_a_third_of_the_words_is_kept_unless_told() -> None:
    text = "，".join(["美拉德", "阔腿裤", "短靴", "大衣", "围巾", "贝雷帽"])
    assert rake_phrases(text) == ["美拉德", "阔腿裤"]
    assert len(rake_phrases(text, top=5)) == 5
    assert rake_phrases(text, top=0) == []


def test_each_text_is_scored_on_its_own() -> None:
    texts = ["复古大衣，大衣", "", "大衣"]
    assert rake_many(texts, top=9) == [rake_phrases(text, top=9) for text in texts]


def test_markup_is_only_marks() -> None:
    phrases = rake_phrases("<img src=x onerror=alert(1)>复古大衣</img>", top=99)
    assert "复古大衣" in phrases
    assert not set("<>()=/") & set("".join(phrases))


def test_a_phrase_needs_a_word() -> None:
    with pytest.raises(ValueError, match="max_words is 0"):
        rake_phrases("穿搭", max_words=0)
