"""Cleaning of product text in three languages, and safe reading of dictionary-like text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.text import characteristics_text, clean_text, parse_characteristics, strip_html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Платье не мнётся, для девочек, 100% хлопок, 250 гр</p>", "Платье не мнётся для девочек хлопок"),
        ("Сумка и кошелёк в наборе, 2 штуки", "Сумка кошелёк наборе"),
        ("Men's T-shirt, size M (42 mm)", "Men T-shirt size M"),
        ("The dress without sleeves for women", "dress without sleeves for women"),
        ("纯棉T恤 300克", "纯棉 T恤"),
        ("女士的连衣裙 2件套", "女士 连衣裙"),
        ("A 3D K2 watch 10x20 cm 1,5 л", "watch"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "Full width"),
        ('Case 5.5" x 2.1 in, 10 x 20 x 5 cm', "Case"),
        ("Крем №5, 50мл, 2л воды, 3 г. в уп.", "Крем воды"),
        ("女士 3件套装", "女士"),
        ("👗 ДЛЯ НЕ Для 🔥", "ДЛЯ НЕ Для"),
        ("!!! 100 %", ""),
        ("", ""),
    ],
)
def test_words_stay_and_numbers_units_stopwords_go(text: str, expected: str) -> None:
    assert clean_text(text) == expected


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>one</p><p>two</p>", "one two"),
        ("<b>bo</b>ld", "bold"),
        ("a<br>b<br/>c", "a b c"),
        ("<style>p {}</style>text<script>alert(1)</script>", "text"),
        ("Tom &amp; Jerry&nbsp;&lt;3", "Tom & Jerry <3"),
        ("5 < 6", "5 < 6"),
        ("<![odd thing> text", "text"),
        ("one<!-- two --> three", "one three"),
        ("<a title='a > b' href=\"x\">link</a>s<img alt='>'>, <td>1</td><td>2</td>", "links , 1 2"),
        ("shown<script>never closed <b>x</b>", "shown"),
        ("shown<!-- never closed <b>x</b>", "shown"),
        ("<scripted>x</scripted>", "x"),
        ("  plain \n text ", "plain text"),
    ],
)
def test_html_becomes_what_a_browser_shows(html: str, shown: str) -> None:
    assert strip_html(html) == shown


@given(st.text(alphabet=st.sampled_from("<>![]&;/abc-\"' =xя连1%"), max_size=60))
def test_any_markup_however_broken_is_cleaned(text: str) -> None:
    assert "\n" not in strip_html(text)
    cleaned = clean_text(text)
    assert cleaned == " ".join(cleaned.split()) and not any(char.isdigit() for char in cleaned)


@pytest.mark.parametrize(
    "unit", ["<!--", "<a ", "<a x='", "<", "</", "<![", "<script ", "<a x=\"' ", "&", "1 x ", "a-"]
)
def test_broken_markup_takes_time_in_proportion_to_its_length(unit: str) -> None:
    """A second for a million characters; what takes the square of it would not come back."""
    assert len(clean_text(unit * (1_000_000 // len(unit)))) <= 1_000_000


@given(st.text(max_size=80))
def test_cleaning_any_text_never_fails(text: str) -> None:
    clean_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"colour": "red"}', {"colour": "red"}),
        (
            "{'colour': 'red', 'sizes': ('S', 'M'), 'new': True}",
            {"colour": "red", "sizes": ["S", "M"], "new": True},
        ),
        ("[{'name': 'a', 'value': 1}, {'b': 2}]", {"a": 1, "b": 2}),
        ("{1: 'x'}", {"1": "x"}),
        ('{"a": NaN}', {"a": None}),
        ("{'a': {(1, 2): {3}}, 'b': 1e999, 'c': b'x'}", {"a": {"(1, 2)": [3]}, "b": None, "c": "b'x'"}),
        ('{"half": "\\ud800"}', {"half": "?"}),
        ("None", {}),
        ("null", {}),
        ("  ", {}),
        ("{}", {}),
    ],
)
def test_characteristics_are_json_or_a_python_literal(text: str, expected: dict[str, object]) -> None:
    assert parse_characteristics(text) == expected


@pytest.mark.parametrize(
    "text", ["{broken", "[1, 2]", "7", "open('x')", "{" * 5000, "(" * 100_000, "a" * 300_000, "{[]: 1}"]
)
def test_anything_else_is_refused_and_nothing_is_run(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither JSON nor|holds a|has 300,000 characters"):
        parse_characteristics(text)


def test_characteristics_become_words() -> None:
    assert characteristics_text({"a": ["b", 1], "c": {"d": "e"}, "f": None, "g": True}) == "a b 1 c d e f g"
