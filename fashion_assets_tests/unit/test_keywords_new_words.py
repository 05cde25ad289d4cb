"""New words: what is counted, what holds together and stands free, what is left out."""

from __future__ import annotations

import csv
import math
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.han_ngrams import BREAK, count_strings, read_han_corpus
from fashion_assets.keywords.new_words import (
    MIN_ENTROPY,
    MIN_PMI,
    PART_SHARE,
    boundary_entropy,
    discover_new_words,
    weakest_pmi,
)
from fashion_assets.keywords.schemas import NEW_WORDS
from fashion_assets.keywords.segmenters import PURE_HAN, RjiebaSegmenter, Segmenter
from fashion_assets.storage.errors import UserError

#: Made of characters that stand in no filler.
WORD = "霓裳朵"
#: Common characters; filler posts draw from them at random, so that nothing in them holds together.
FILLER = "天地人山水火木金土日月星云风雨花草树鸟鱼"

POSTS = st.lists(st.text(st.sampled_from("天地人山 #a"), max_size=12), max_size=8)


@pytest.fixture(scope="module")
def plain() -> Segmenter:
    return RjiebaSegmenter(())


def filler(draw: random.Random, chars: int) -> str:
    return "".join(draw.choices(FILLER, k=chars))


def posts_with(word: str, times: int, *, noise: int = 200, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    held = [filler(draw, 6) + word + filler(draw, 6) for _ in range(times)]
    return held + [filler(draw, 12) for _ in range(noise)]


@given(POSTS)
def test_strings_are_counted_by_post_and_by_place(texts: list[str]) -> None:
    different = {tuple(PURE_HAN.findall(text)) for text in texts} - {()}
    posts: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for runs in different:
        found = [run[a : a + n] for run in runs for n in (1, 2, 3) for a in range(len(run) - n + 1)]
        places.update(found)
        posts.update(set(found))
    corpus = read_han_corpus(texts)
    assert (corpus.n_read, corpus.n_posts) == (len(texts), len(different))
    counted = {}
    for strings, at in count_strings(corpus, 2, 3):
        names = [corpus.text(first, first + strings.length) for first in strings.first.tolist()]
        assert len(at) == strings.frequency.sum()
        counted.update(
            zip(names, zip(strings.n_posts.tolist(), strings.frequency.tolist(), strict=True), strict=True)
        )
    assert counted == {word: (n, places[word]) for word, n in posts.items() if n >= 2}


def test_pmi_is_that_of_the_weakest_split_by_hand() -> None:
    # 霓裳 in 3 posts, 霓 in 3, 裳 in 4: 霓裳朵 is weakest between 霓裳 and 朵 (2 of 5 posts with 朵).
    corpus = read_han_corpus(["霓裳朵天", "地霓裳朵", "霓裳人", "裳", "山朵", "水朵", "火朵"])
    lengths = [strings for strings, _ in count_strings(corpus, 2, 3)]
    votes = 3 + 4 + 5
    want = math.log(2 * votes / (3 * 5)) / -math.log(2 / votes)
    assert weakest_pmi(lengths) == pytest.approx([want])
    want_of_two = math.log(3 * votes / (3 * 4)) / -math.log(3 / votes)
    names = [corpus.text(first, first + 2) for first in lengths[1].first.tolist()]
    assert weakest_pmi(lengths[:2])[names.index("霓裳")] == pytest.approx(want_of_two)


def test_boundary_entropy_by_hand() -> None:
    # Before 霓裳: 天 in two posts, 地 in one, and a break in two posts, each its own neighbour.
    texts = ["天霓裳a天霓裳", "天霓裳山", "地霓裳", "霓裳", "#霓裳 水"]
    corpus = read_han_corpus(texts)
    (_, _), (pairs, places) = count_strings(corpus, 2, 2)
    assert len(pairs.n_posts) == 2  # 天霓, 霓裳
    owners = np.repeat(np.arange(2), pairs.frequency)
    row = int(np.argmax(pairs.n_posts))
    entropy, breaks = boundary_entropy(corpus, owners, places, -1, 2)
    shares = [2 / 5, 1 / 5, 1 / 5, 1 / 5]
    assert entropy[row] == pytest.approx(-sum(p * math.log(p) for p in shares))
    assert breaks[row] == pytest.approx(2 / 5)
    assert entropy[1 - row] == pytest.approx(math.log(2))  # 天霓 begins a run in both of its posts


def test_a_made_word_is_found_and_scraps_of_it_are_not(plain: Segmenter) -> None:
    found = discover_new_words(posts_with(WORD, 20), known=(), segmenter=plain)
    assert found["word"].tolist() == [WORD]
    row = found.iloc[0]
    assert (row["n_posts"], row["frequency"]) == (20, 20)
    assert row["pmi"] > MIN_PMI and min(row["left_entropy"], row["right_entropy"]) > MIN_ENTROPY
    assert row["score"] == pytest.approx(row["pmi"] * min(row["left_entropy"], row["right_entropy"]))
    assert WORD in row["example"] and "".join(row["parts"]) == WORD


def test_noise_alone_proposes_nothing(plain: Segmenter) -> None:
    assert discover_new_words(posts_with("", 0, noise=400), known=(), segmenter=plain).empty


def test_what_is_known_is_not_new(plain: Segmenter) -> None:
    posts = posts_with(WORD, 20)
    assert discover_new_words(posts, known=[WORD], segmenter=plain).empty
    assert discover_new_words(posts, known=(), segmenter=RjiebaSegmenter([(WORD, 3_000)])).empty
    # Known in traditional characters, and as the dictionary's own word.
    assert discover_new_words(posts_with("裙襬兒", 20), known=["裙摆儿"], segmenter=plain).empty
    assert "连衣裙" not in set(
        discover_new_words(posts_with("连衣裙", 20), known=(), segmenter=plain)["word"]
    )


def test_a_traditional_word_is_proposed_in_normal_form(plain: Segmenter) -> None:
    assert discover_new_words(posts_with("裙襬兒", 20), known=(), segmenter=plain)["word"].tolist() == [
        "裙摆儿"
    ]


def test_repeats_do_not_vote(plain: Segmenter) -> None:
    draw = random.Random(3)
    noise = [filler(draw, 12) for _ in range(200)]
    in_one_post = [" ".join(f"#{filler(draw, 2)}{WORD}{filler(draw, 2)}" for _ in range(50))]
    assert discover_new_words(in_one_post + noise, known=(), segmenter=plain).empty
    one_post_again = [f"{text} {n} 😀" for n, text in enumerate(in_one_post * 50)]
    assert discover_new_words(one_post_again + noise, known=(), segmenter=plain).empty
    # The same tags in different posts do: 20 posts, 40 places.
    tagged = [f"{filler(draw, 8)} #{WORD} #{WORD}" for _ in range(20)]
    found = discover_new_words(tagged + noise, known=(), segmenter=plain)
    assert found[["word", "n_posts", "frequency"]].to_numpy().tolist() == [[WORD, 20, 40]]


@pytest.mark.parametrize(("alone", "kept"), [(4, False), (40, True)])
def test_a_part_is_proposed_if_it_often_stands_alone(plain: Segmenter, alone: int, kept: bool) -> None:
    longer, inner = "朵缦绫霓", "朵缦"
    assert (PART_SHARE * (20 + alone) > 20) == kept
    draw = random.Random(5)
    posts = posts_with(longer, 20) + [filler(draw, 5) + inner + filler(draw, 5) for _ in range(alone)]
    found = set(discover_new_words(posts, known=(), segmenter=plain, min_entropy=0.5)["word"])
    assert longer in found
    assert (inner in found) == kept


def test_joins_of_known_words_are_new_and_grammar_is_not(plain: Segmenter) -> None:
    draw = random.Random(9)
    joins = [f"{filler(draw, 4)} #多巴胺毛衣 {filler(draw, 4)}" for _ in range(30)]
    grammar = [f"{filler(draw, 4)} 我的毛线 {filler(draw, 4)}" for _ in range(30)]
    found = discover_new_words(posts_with("", 0) + joins + grammar, known=(), segmenter=plain)
    assert found["word"].tolist() == ["多巴胺毛衣"]
    assert found["parts"].tolist() == [["多巴胺", "毛衣"]]


def test_a_scrap_that_never_begins_a_run_is_left_out(plain: Segmenter) -> None:
    draw = random.Random(4)
    before = ["裳霓" + c for c in FILLER]
    posts = [f"#{draw.choice(before)}感毛衣 {filler(draw, 6)}" for _ in range(80)] + posts_with("", 0)
    assert "感毛衣" not in set(discover_new_words(posts, known=(), segmenter=plain)["word"])
    begins = [f"#感毛衣 {filler(draw, 6)}" for _ in range(10)]
    assert "感毛衣" in set(discover_new_words(posts + begins, known=(), segmenter=plain)["word"])


def test_the_parts_of_a_guessed_word_are_those_of_its_example(plain: Segmenter) -> None:
    # Standing alone the segmenter guesses 老钱风 whole; before 真 it cuts 老钱|风真.
    assert plain.cut_runs(["老钱风", "老钱风真好看"]) == [["老钱风"], ["老钱", "风真", "好看"]]
    posts = [f"老钱风真好看{text}" for text in posts_with("", 0, noise=1)] + [
        f"{c}老钱风{d}" for c, d in zip(FILLER, FILLER[::-1], strict=True)
    ]
    found = discover_new_words(posts, known=(), segmenter=plain).set_index("word")
    assert found.loc["老钱风", "parts"] == ["老钱", "风"]


def test_the_table_keeps_its_schema_limit_and_order(plain: Segmenter) -> None:
    posts = posts_with(WORD, 20) + posts_with("缦纱绫", 40, noise=0, seed=2)
    found = discover_new_words(posts, known=(), segmenter=plain)
    assert found["word"].tolist() == ["缦纱绫", WORD] and found["score"].is_monotonic_decreasing
    assert discover_new_words(posts, known=(), segmenter=plain, limit=1)["word"].tolist() == ["缦纱绫"]
    for table in (found, discover_new_words([], known=()), discover_new_words([None, "", "a 1"], known=())):
        assert pa.Table.from_pandas(table, schema=NEW_WORDS, preserve_index=False).num_rows == len(table)


def test_one_by_one_and_in_any_order_gives_the_same(plain: Segmenter) -> None:
    posts = posts_with(WORD, 20)
    once = discover_new_words(iter(posts), known=(), segmenter=plain)
    shuffled = random.Random(0).sample(posts, k=len(posts))
    again = discover_new_words(shuffled, known=(), segmenter=plain)
    pd.testing.assert_frame_equal(once.drop(columns="example"), again.drop(columns="example"))


def test_beyond_the_bound_an_even_sample_is_kept_whatever_the_order() -> None:
    draw = random.Random(8)
    posts = [filler(draw, 12) for _ in range(4_000)]
    corpus = read_han_corpus(posts, 16_000)
    assert len(corpus.codes) <= 16_000
    assert corpus.share == 0.25 and corpus.n_read == 4_000
    assert 0.2 < corpus.n_posts / len(set(posts)) < 0.3
    other = read_han_corpus(posts[::-1], 16_000)
    cut = [set(" ".join(c.text(0, len(c.codes)).split()).split()) for c in (corpus, other)]
    assert cut[0] == cut[1]
    # One post that is longer than everything is cut, not lost.
    assert len(read_han_corpus(["天" * 100_000], 1_000).codes) <= 1_000


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_becomes_runs_and_single_breaks(texts: list[str]) -> None:
    corpus = read_han_corpus(texts)
    codes = corpus.codes.tolist()
    assert codes[0] == codes[-1] == BREAK and len(corpus.posts) == len(codes)
    assert all(a or b for a, b in pairwise(codes))
    runs = {run for text in texts for run in PURE_HAN.findall(text)}
    assert set(corpus.text(0, len(codes)).split()) == runs


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"min_posts": 1}, "min_posts is 1; new words need 2 or more"),
        ({"max_chars": 1}, "max_chars is 1; new words need from 2 to 12"),
        ({"limit": 0}, "limit is 0"),
        ({"max_characters": 1 << 25}, "max_characters is 33554432"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        discover_new_words([], known=(), **setting)  # type: ignore[arg-type]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UserError, match="texts is one string"):
        discover_new_words("穿搭", known=())
    with pytest.raises(UserError, match="text 1 is a int"):
        discover_new_words(["穿搭", 3], known=())  # type: ignore[list-item]


@pytest.mark.real_data
def test_trend_words_that_jieba_splits_are_among_the_first(real_data: Path, plain: Segmenter) -> None:
    with (real_data / "xhs" / "post_texts_dated.csv").open(encoding="utf-8", newline="") as file:
        posts = [row["text"] for row in csv.DictReader(file)]
    first = discover_new_words(posts, known=(), segmenter=plain, limit=200)
    # 多巴胺 is in jieba's own dictionary and so never new.
    assert {"美拉德", "新中式", "松弛感", "氛围感", "穿搭", "小香风", "微胖穿搭"} <= set(first["word"])
    assert not {"拉德", "的裤子", "感穿搭", "真的很"} & set(first["word"])
