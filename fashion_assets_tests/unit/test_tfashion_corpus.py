"""What posts say of words without labels: occurrences, contrast with general text, and words mined from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.dictionary import load_dictionary, total_frequency
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.post_words import PostWords
from fashion_assets.tfashion.corpus import (
    FEATURES,
    MIN_POSTS,
    SMOOTHING,
    CorpusContrast,
    Occurrences,
    mined_background,
)

POSTS = st.lists(
    st.builds(
        PostWords,
        st.lists(st.sampled_from(["裙子", "今天", "ootd", "裙", "new balance"]), max_size=4).map(tuple),
        st.lists(st.sampled_from(["裙子", "穿搭", "今天"]), max_size=3).map(tuple),
        st.sampled_from(["", "2023-01", "2023-02"]),
    ),
    max_size=8,
)


def feature(contrast: CorpusContrast, word: str, name: str) -> float:
    return float(contrast.features([word])[0, FEATURES.index(name)])


def test_a_post_counts_once_wherever_it_has_the_word() -> None:
    contrast = CorpusContrast.count(
        [
            PostWords(["裙子", "裙子", "今天"], ["裙子"]),
            PostWords(["今天"], ["穿搭", "穿搭"]),
        ]
    )
    assert dict(contrast.words.count) == {"裙子": 1, "今天": 2, "穿搭": 1}
    assert contrast.words.total == 4
    assert dict(contrast.tagged.count) == {"裙子": 1, "穿搭": 1}
    assert dict(contrast.characters.count) == {"裙": 1, "子": 1, "今": 2, "天": 2, "穿": 1, "搭": 1}
    assert dict(contrast.pairs.count) == {"裙子": 1, "今天": 2, "穿搭": 1}
    assert (contrast.characters.total, contrast.pairs.total) == (8, 4)


def test_what_is_left_out_stays_in_the_total() -> None:
    kept = Occurrences({"乙": 2.0, "甲": 2.0, "丙": 5.0, "丁": 1.0}, 10.0).kept(2)
    assert list(kept.count.items()) == [("丙", 5.0), ("乙", 2.0)]  # of equals the first by its text
    assert kept.total == 10.0


def test_log_odds_by_hand() -> None:
    contrast = CorpusContrast.count([PostWords(["显瘦"], []), PostWords(["显瘦", "已经"], [])])
    odds = contrast.word_log_odds(["显瘦", "已经", "没有人说的话"])
    dictionary = load_dictionary()
    for word, times, found in zip(["显瘦", "已经", "没有人说的话"], [2, 1, 0], odds, strict=True):
        general = dictionary[word].frequency if word in dictionary else 0
        expected = np.log((times + SMOOTHING) / 4) - np.log((general + SMOOTHING) / (total_frequency() + 1))
        assert found == pytest.approx(expected)
    assert odds[0] > odds[1]


def test_features_of_a_word() -> None:
    posts = [PostWords(["裙子", "今天"], ["裙子"]), PostWords(["裙子"], []), PostWords(["天气"], [])]
    contrast = CorpusContrast.count(posts)
    assert feature(contrast, "裙子", "posts") == pytest.approx(np.log(3))
    assert feature(contrast, "裙子", "tag_share") == 0.5
    assert feature(contrast, "裙子", "word") == pytest.approx(contrast.word_log_odds(["裙子"])[0])
    # 短裙 was never seen, but its 裙 was: what is known of a word comes from its characters then.
    for name in ("posts", "tag_share", "word"):
        assert feature(contrast, "短裙", name) == 0
    assert feature(contrast, "短裙", "character_max") == pytest.approx(
        feature(contrast, "裙", "character_max")
    )
    assert feature(contrast, "短裙", "character_min") == pytest.approx(
        feature(contrast, "短", "character_max")
    )
    assert feature(contrast, "裙", "pair_max") == 0  # one character has no pair


def test_without_posts_it_says_nothing() -> None:
    contrast = CorpusContrast.count([])
    assert not contrast.features(["裙子", "", "ootd"]).any()
    assert contrast.features([]).shape == (0, len(FEATURES))
    again = CorpusContrast.from_tensors(contrast.tensors())
    assert not again.features(["裙子"]).any()
    assert mined_background([], contrast) == []


@settings(deadline=None, max_examples=30)
@given(POSTS, st.lists(st.text(alphabet="裙子今天a ", max_size=6), max_size=5))
def test_tensors_hold_all_of_it(posts: list[PostWords], words: list[str]) -> None:
    contrast = CorpusContrast.count(posts)
    again = CorpusContrast.from_tensors(contrast.tensors())
    for name in ("words", "tagged", "characters", "pairs"):
        before, after = getattr(contrast, name), getattr(again, name)
        assert list(before.count.items()) == list(after.count.items())
        assert before.total == after.total
    features = contrast.features(words)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(again.features(words), features)


@settings(deadline=None, max_examples=30)
@given(POSTS)
def test_the_order_of_posts_does_not_matter(posts: list[PostWords]) -> None:
    one, other = CorpusContrast.count(posts), CorpusContrast.count(posts[::-1])
    for name, tensor in one.tensors().items():
        np.testing.assert_array_equal(tensor, other.tensors()[name])


#: Everyday words, and one that the general dictionary does not hold.
FILLER, TOPIC, SEASONAL, RARE, UNKNOWN = "已经", "问题", "一个", "他们", "已经啦哦"


def mining_posts() -> list[PostWords]:
    """40 fashion words of lexicon and dictionary in every post, over four months; and words of each kind."""
    dictionary, lexicon = load_dictionary(), load_lexicon()
    fashion = [word for word in lexicon.terms() if word in dictionary][:40]
    posts = []
    for number in range(40):
        month = f"2023-0{number % 4 + 1}"
        text = [*fashion, FILLER, UNKNOWN, "而且"]
        if number % 4 == 0:
            text.append(SEASONAL)
        if number < MIN_POSTS - 1:
            text.append(RARE)
        posts.append(PostWords(text, [TOPIC], month))
    return posts


def test_fillers_are_mined_and_nothing_else() -> None:
    posts = mining_posts()
    assert FILLER in load_dictionary()
    found = mined_background(posts, CorpusContrast.count(posts))
    assert found == sorted([FILLER, "而且"])
    lexicon = load_lexicon()
    assert all(lexicon.facet(word) is None for word in found)


@pytest.mark.parametrize(
    ("word", "where"),
    [(TOPIC, "in hashtags"), (SEASONAL, "in one month of four"), (RARE, "in too few posts")],
)
def test_what_keeps_a_word_from_being_mined(word: str, where: str) -> None:
    posts = mining_posts()
    assert word not in mined_background(posts, CorpusContrast.count(posts)), where
    # The same word in the text of posts of every month is mined.
    usual = [PostWords([*post.text, word], [], post.month) for post in posts]
    assert word in mined_background(usual, CorpusContrast.count(usual))


def test_posts_without_a_month_are_one_month() -> None:
    posts = [post._replace(month="") for post in mining_posts()]
    assert FILLER in mined_background(posts, CorpusContrast.count(posts))
    assert SEASONAL in mined_background(posts, CorpusContrast.count(posts))


def test_a_crawl_about_something_else_mines_nothing() -> None:
    posts = [PostWords(["已经", "而且", "历史"], [], "2023-01") for _ in range(50)]
    assert mined_background(posts, CorpusContrast.count(posts)) == []
