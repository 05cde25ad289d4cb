"""Normal form, tokens, content tokens; rjieba and jieba give the same."""

from __future__ import annotations

import csv
import re
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.segmenters import (
    CACHED_USER_SEGMENTERS,
    HAN,
    PURE_HAN,
    load_segmenter,
    user_words,
)
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.keywords.tokens import MAX_WORD_CHARS, content_tokens, tokenize
from fashion_assets.storage.errors import UserError

POSTS = [
    "今天的美拉德穿搭和多巴胺穿搭，新中式yyds！",
    "焦糖色大衣搭配棕色短靴，慵懒又高级。\n内搭 oversize T恤 #美拉德 #秋冬穿搭",
    "小个子女生的一周穿搭｜165cm 52kg，M码刚好",
    "lululemon 的瑜伽裤配 new  balance，Y2K风格 vs 老钱风",
    "<script>alert('穿搭')</script> & '; DROP TABLE posts; --",
    "",
    " \n\t",
    "😀😀✨",
]

#: Han of the lexicon and from everywhere, Latin, digits, marks, spaces, emoji, rare Han.
POST_TEXT = st.text(
    st.one_of(
        st.sampled_from("".join(load_lexicon().terms())),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FD5),
        st.sampled_from("aZ09 \n#，。！&'-_.恤字々〇㐀😀é\u200bの"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(POST_TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_word(text)
    assert normalise_word(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("word", "normal"),
    [
        (" ＯＯＴＤ ", "ootd"),
        ("裙襬", "裙摆"),
        ("𝑁𝑒𝑤 𝑣𝑖𝑛𝑡𝑎𝑔𝑒", "new vintage"),
        ("new  Balance\n", "new balance"),
        ("穿\u200b搭\ufeff", "穿搭"),
        ("", ""),
        ("\u200b ", ""),
    ],
)
def test_normal_form(word: str, normal: str) -> None:
    assert normalise_word(word) == normal


def test_a_word_of_10000_characters_is_only_long() -> None:
    assert normalise_word("馬" * 10_000) == "马" * 10_000
    for word in ("a" * 10_000, "穿" * 10_000, "鿏" * 10_000):
        assert "".join(tokenize([word])[0]) == word
    assert content_tokens(["a" * 10_000]) == [[]]
    assert all(len(token) <= MAX_WORD_CHARS for token in content_tokens(["裙" * 10_000])[0])


@settings(max_examples=150)
@given(st.lists(POST_TEXT, max_size=5))
def test_tokens_give_the_text_back_but_for_white_space(texts: list[str]) -> None:
    tokens = tokenize(texts)
    assert len(tokens) == len(texts)
    for text, line in zip(texts, tokens, strict=True):
        assert without_space("".join(line)) == without_space(text)
        assert all(token.strip() for token in line)


@settings(max_examples=100)
@given(st.lists(POST_TEXT, max_size=4), POST_TEXT)
def test_a_text_is_cut_the_same_in_any_company(others: list[str], text: str) -> None:
    assert tokenize([*others, text])[-1] == tokenize([text])[0]


def test_a_later_batch_knows_the_terms_that_an_earlier_one_left_over() -> None:
    # "t" is first met in a text that is read twice; 33 texts make a second batch.
    texts = ["new balance-t"] + ["好看"] * 40 + ["一件t恤"]
    assert tokenize(texts)[-1] == ["一件", "t恤"]


@pytest.mark.parametrize("word", ["穿搭", "美拉德", "多巴胺穿搭", "新中式"])
@pytest.mark.parametrize("frame", ["{}", "今天的{}真好看", "最爱{}了", "#{} #日常", "我{}我快乐", "a{}b"])
@pytest.mark.parametrize("engine", ["rjieba", "jieba"])
def test_whole_words_stay_whole(word: str, frame: str, engine: str) -> None:
    assert word in tokenize([frame.format(word)], engine=engine)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("lululemon oversize Y2K", ["lululemon", "oversize", "Y2K"]),
        ("levi's t-shirt H&M A-line", ["levi's", "t-shirt", "H&M", "A-line"]),
        ("Old  Money风", ["Old  Money", "风"]),
        ("Y2K风格和y2k风", ["Y2K", "风格", "和", "y2k风"]),
        ("A字裙xT恤", ["A字裙", "xT", "恤"]),
        ("3.5cm，1,200元", ["3.5cm", "，", "1,200", "元"]),
        ("穿搭の日常", ["穿搭", "の", "日常"]),
        ("café crème", ["café", "crème"]),
    ],
)
def test_latin_words_numbers_and_mixed_terms(text: str, tokens: list[str]) -> None:
    assert tokenize([text])[0] == tokens


def test_stopwords_can_be_left_out() -> None:
    assert tokenize(["我的美拉德穿搭"], keep_stopwords=False) == [["美拉德穿搭"]]
    assert tokenize(["我的美拉德"], keep_stopwords=False, stopwords={"美拉德"}) == [["我", "的"]]


def test_content_tokens_are_words_in_normal_form() -> None:
    text = "今天的美拉德 OOTD Ootd 165cm 1.2w 37 裙 s 半身裙 #复古 😀 …"
    assert content_tokens([text]) == [["美拉德", "ootd", "ootd", "半身裙", "复古"]]
    assert content_tokens(["复古 老钱风"], stopwords={"复古"}) == [["老钱风"]]
    assert content_tokens([]) == []


@given(POST_TEXT)
def test_content_tokens_are_never_stopwords_single_or_without_a_letter(text: str) -> None:
    for word in content_tokens([text])[0]:
        assert len(word) > 1
        assert word not in load_stopwords()
        assert any(character.isalpha() for character in word)
        assert normalise_word(word) == word


def test_both_engines_give_the_same_tokens() -> None:
    terms = load_lexicon().terms()
    posts = POSTS + [
        f"姐妹们这件{a}我愿意穿一整季，搭{b}刚刚好" for a, b in zip(terms, terms[7:], strict=False)
    ]
    assert tokenize(posts, engine="jieba") == tokenize(posts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([t for t in load_lexicon().terms() if PURE_HAN.fullmatch(t)]), max_size=6))
def test_both_engines_agree_on_terms_in_a_row(terms: list[str]) -> None:
    text = "".join(terms)
    assert tokenize([text], engine="jieba") == tokenize([text])


#: Terms that neither jieba nor the lexicon holds: new characters together, a join of known words, Latin and
#: Chinese in either order, a space.
USER_TERMS = ("法拉德霓", "多巴胺老钱毛衣", "q衣", "山系outdoor", "quiet luxe", "の日常", "美&白")


@pytest.mark.parametrize("term", USER_TERMS)
@pytest.mark.parametrize(
    "frame", ["{}", "今天的{}真好看", "最爱{}了", "#{} #日常", "我{}我快乐", "爱 {} t恤"]
)
@pytest.mark.parametrize("engine", ["rjieba", "jieba"])
def test_user_terms_stay_whole_and_only_where_they_are_given(term: str, frame: str, engine: str) -> None:
    text = frame.format(term)
    before = tokenize([text], engine=engine)[0]  # type: ignore[arg-type]
    assert term in tokenize([text], engine=engine, user_terms=USER_TERMS)[0]  # type: ignore[arg-type]
    assert term not in before
    assert tokenize([text], engine=engine)[0] == before  # type: ignore[arg-type]
    others = [other for other in USER_TERMS if other != term]
    assert term not in tokenize([text], engine=engine, user_terms=others)[0]  # type: ignore[arg-type]


def test_user_terms_are_taken_in_normal_form_and_kept_as_written() -> None:
    terms = {"ＱＵＩＥＴ  luxe", "山系ＯＵＴＤＯＯＲ", "Q衣", ""}
    text = "Quiet  LUXE和山系Outdoor，q衣q弹"
    assert tokenize([text], user_terms=terms)[0][:5] == ["Quiet  LUXE", "和", "山系Outdoor", "，", "q衣"]
    assert content_tokens([text], user_terms=terms)[0][:3] == ["quiet luxe", "山系outdoor", "q衣"]
    # Not inside a longer Latin word.
    assert "山系outdoor" not in tokenize(["山系outdoors"], user_terms=terms)[0]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(POST_TEXT, max_size=3), st.lists(st.one_of(POST_TEXT, st.sampled_from(USER_TERMS)), max_size=4)
)
def test_any_user_terms_leave_the_text_as_it_is(texts: list[str], terms: list[str]) -> None:
    for text, line in zip(texts, tokenize(texts, user_terms=terms), strict=True):
        assert without_space("".join(line)) == without_space(text)


def test_segmenters_are_shared_by_equal_terms_and_by_no_others() -> None:
    one = load_segmenter(user_terms=["法拉德霓", "裙襬霓"])
    assert load_segmenter(user_terms=("裙摆霓", "法拉德霓", "法拉德霓")) is one
    assert load_segmenter(user_terms={"法拉德霓"}) is not one
    assert load_segmenter() is load_segmenter(user_terms=["old school", ""]) is not one
    for number in range(CACHED_USER_SEGMENTERS):
        load_segmenter(user_terms=[f"霓{'裳' * (number + 2)}"])
    assert load_segmenter(user_terms=["法拉德霓", "裙襬霓"]) is not one
    assert one.knows("裙摆霓") and not load_segmenter().knows("裙摆霓")


@pytest.mark.parametrize("engine", ["rjieba", "jieba"])
def test_a_dictionary_knows_its_words_and_no_beginnings(engine: str) -> None:
    segmenter = load_segmenter(engine)  # type: ignore[arg-type]
    assert segmenter.knows("连衣裙") and segmenter.knows("美拉德")
    assert not segmenter.knows("连衣裙霓") and not segmenter.knows("中华人民共和")


def test_user_terms_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="the one string '美拉德'"):
        tokenize(["穿搭"], user_terms="美拉德")
    with pytest.raises(UserError, match="holds 3, a int"):
        load_segmenter(user_terms=["美拉德", 3])  # type: ignore[list-item]


def test_user_words_weigh_the_same_in_both_engines() -> None:
    load_segmenter("jieba")
    frequencies = load_segmenter("jieba").tokenizer.FREQ  # type: ignore[attr-defined]
    assert {word: frequencies[word] for word, _ in user_words()} == dict(user_words())


def test_the_default_jieba_of_the_process_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    tokenize(["多巴胺穿搭"], engine="jieba")
    import jieba

    assert "多巴胺穿搭" not in jieba.dt.FREQ
    assert load_segmenter("jieba").tokenizer is not jieba.dt  # type: ignore[attr-defined]
    assert capfd.readouterr() == ("", "")


def test_an_unknown_engine_is_refused_with_the_two_there_are() -> None:
    with pytest.raises(UserError, match=r"no tokenizer 'pkuseg'.*'rjieba'.*'jieba'"):
        tokenize(["穿搭"], engine="pkuseg")  # type: ignore[arg-type]


def test_threads_share_one_segmenter_and_agree() -> None:
    want = tokenize(POSTS)
    found: list[list[list[str]]] = []
    segmenters: list[object] = []

    def work() -> None:
        segmenters.append(load_segmenter())
        found.extend(tokenize(POSTS) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [want] * 20
    assert len({id(segmenter) for segmenter in segmenters}) == 1


def test_importing_tokens_loads_neither_engine() -> None:
    import subprocess

    code = (
        "import sys, fashion_assets.keywords.extract; print({'jieba','rjieba','opencc'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.real_data
def test_both_engines_agree_on_a_real_crawl(real_data: Path) -> None:
    with (real_data / "xhs" / "post_texts_dated.csv").open(encoding="utf-8", newline="") as file:
        posts = [row["text"] for row in csv.DictReader(file)]
    han = [[t for t in line if re.match(f"[{HAN}]", t)] for line in tokenize(posts)]
    reference = [[t for t in line if re.match(f"[{HAN}]", t)] for line in tokenize(posts, engine="jieba")]
    # Exact ties such as 啊|啊啊啊 are decided by the last bit of a sum.
    different = sum(a != b for a, b in zip(han, reference, strict=True))
    assert different / len(posts) < 0.005
