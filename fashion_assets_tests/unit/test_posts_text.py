"""posts.text: what is left of a text when the platform's parts are out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.posts.text import clean_text, split_hashtags, split_tag_list


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("𝑁𝑒𝑤 𝑣𝑖𝑛𝑡𝑎𝑔𝑒📰 - ", "New vintage 报纸"),
        ("ＯＯＴＤ　每日", "OOTD 每日"),
        ("復古風韓國乾淨頭髮", "复古风韩国干净头发"),
        ("看这里 https://xhslink.com/a/b?c=1#d，复制", "看这里 ,复制"),
        ("去www.taobao.com/item买", "去 买"),
        ("xhslink.com/AbC 打开", "打开"),
        ("和 @小王🎀 一起", "和 一起"),
        ("和＠小李 一起", "和 一起"),
        ("写信 me@mail.com 吧", "写信 吧"),
        ("价格@ 5元", "价格@ 5元"),
        ("好看😀🧥呀", "好看 嘿嘿 外套 呀"),
        ("👩🏻‍🦰❤️1️⃣🇨🇳穿搭", "女人 红发 红心 1 中国 穿搭"),
        ("落叶:fallen_leaf:了", "落叶 落叶 了"),
        ("时间 12:30:45", "时间 12:30:45"),
        ("太好[哭惹R]看", "太好 哭惹 看"),
        ("太好[笑哭]看", "太好 笑哭 看"),
        ("早春穿搭 - 小红书", "早春穿搭"),
        ("早春穿搭 - ", "早春穿搭"),
        (" - ", ""),
        ("T恤&amp;裙 &lt;3", "T恤&裙 <3"),
        ("<p>法式<b>连衣裙</b></p>好<br />看 <3 <OOTD>", "法式连衣裙 好 看 <3 <OOTD>"),
        (
            '春<span class="icon"><img alt=[哈哈] src="https://a.cn/x.png" style="width:1em"></span>天',
            "春 天",
        ),
        ("<a href='https://a.com/n/王'>@王小明</a>的裙子", "的裙子"),
        ('搜<em class="red">法式</em>裙&lt;br/&gt;新款', "搜法式裙 新款"),
        ("a<b 和 c>d <a 套装>", "a<b 和 c>d <a 套装>"),
        ("穿\u200b搭\ufeff a\x07b\u202e", "穿搭 a b"),
        ("一\t二\r\n\n三\u3000四", "一 二 三 四"),
        ("", ""),
    ],
)
def test_cleaning(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "rest", "tags"),
    [
        ("今天 #穿搭[话题]# #a1#b2 ＃秋冬，好", "今天 ，好", ["穿搭", "a1", "b2", "秋冬"]),
        ("#复古风穿搭✨姐妹们", "✨姐妹们", ["复古风穿搭"]),
        ("#🎀穿搭 好", "好", ["蝴蝶结 穿搭"]),
        ("#韓系[话题]#后面", "后面", ["韩系"]),
        ("#Ootd #ootd #OOTD每日", "", ["Ootd", "OOTD每日"]),
        ("#2024时尚趋势 第#1 名", "第 1 名", ["2024时尚趋势"]),
        ("链接 https://a.com/#top 后", "链接 后", []),
        ("# 空 # ##", "空", []),
        ("#Arc'teryx #it’s", "", ["Arc'teryx", "it’s"]),
        ("没有", "没有", []),
        ("I&#39;m &#x27;in&#x27; B&#8203;裙 #a1", "I'm 'in' B裙", ["a1"]),
        ('<a href="//s.cn/q?q=%23x">#今日穿搭#</a>春天', "春天", ["今日穿搭"]),
    ],
)
def test_hashtags(text: str, rest: str, tags: list[str]) -> None:
    left, found = split_hashtags(text)
    assert (" ".join(left.split()), found) == (rest, tags)


def test_a_tag_column_with_references_and_what_is_no_list() -> None:
    assert split_tag_list("H&amp;M;Zara") == ["H&M", "Zara"]
    assert split_tag_list('{"name": "穿搭"}') == ["穿搭"]
    assert split_tag_list('[{"id": 1}]') == split_tag_list("[]") == split_tag_list("[[[1]]]") == []
    assert split_tag_list('["半个') == ['["半个']


def test_a_sentence_behind_a_mark_is_no_tag() -> None:
    text = "#" + "这是很长的一句话" * 8
    assert split_hashtags(text) == (f" {text[1:]} ", [])


@pytest.mark.parametrize(
    "column",
    [
        "穿搭, Ootd, 複古",
        "穿搭|Ootd|复古",
        "#穿搭 #Ootd #复古",
        '["穿搭", "Ootd", "复古"]',
        "穿搭、Ootd，复古,穿搭",
        "['穿搭', 'Ootd', '复古']",
        "['穿搭' 'Ootd'\n '复古']",
        '{穿搭,"Ootd",复古}',
        "[穿搭][Ootd][复古]",
        '["\\u7a7f\\u642d", "Ootd", null, "复古"]',
        '["#穿搭[话题]#", "#Ootd", "#复古"]',
        '[{"id": "5e", "name": "穿搭", "type": "topic"}, {"name": "Ootd"}, {"name": "复古"}]',
        "[{'id': 1, 'hashtagName': '穿搭', 'x': None}, {'title': 'Ootd'}, {'topic_title': '复古'}]",
    ],
)
def test_tag_columns(column: str) -> None:
    assert split_tag_list(column) == ["穿搭", "Ootd", "复古"]


texts = st.text(
    st.one_of(st.characters(), st.sampled_from("😀👩🏻‍🦰❤️#＃@＠[]话题: \u200b穿搭復古-小红书")), max_size=40
)


@given(texts)
def test_cleaned_text_is_one_normal_line(text: str) -> None:
    clean = clean_text(text)
    assert clean == " ".join(clean.split())
    assert not any(unicodedata.category(mark) in ("Cc", "Cs") for mark in clean)
    assert "😀" not in clean and "\u200b" not in clean


@given(texts)
def test_no_mark_is_left_after_splitting(text: str) -> None:
    rest, tags = split_hashtags(text)
    assert "#" not in rest and "＃" not in rest
    assert all(tag and tag == tag.strip() and "#" not in tag for tag in tags)
    assert len({tag.casefold() for tag in tags}) == len(tags)


@given(st.lists(st.sampled_from(["好看", "ootd", "裙子"]), min_size=2, max_size=5))
def test_emoji_words_never_stick_to_a_neighbour(words: list[str]) -> None:
    assert clean_text("😀".join(words)).split() == [part for word in words for part in ("嘿嘿", word)][1:]
