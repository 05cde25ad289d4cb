"""The lexicon and the stopword list: size, normal form, no term twice, look-ups."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from fashion_assets.keywords.lexicon import FACETS, HEAD_FACETS, ONE_CHARACTER_HEADS, load_lexicon, read_terms
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.segmenters import PURE_HAN
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.keywords.tokens import MAX_WORD_CHARS, content_tokens, tokenize
from fashion_assets.storage.errors import UserError


def lines_of(facet: str) -> list[str]:
    text = (resources.files("fashion_assets.keywords.lexicon") / f"{facet}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_there_are_at_least_1600_terms_and_every_facet_has_some_in_both_scripts() -> None:
    lexicon = load_lexicon()
    assert len(lexicon) >= 1600
    assert lexicon.facets == FACETS
    for facet in lexicon.facets:
        terms = lexicon.terms(facet)
        assert len(terms) >= 80
        assert sum(bool(PURE_HAN.fullmatch(term)) for term in terms) >= 50
        assert any(term.isascii() for term in terms)


def test_a_term_stands_once_in_one_facet() -> None:
    counts = Counter(line for facet in FACETS for line in lines_of(facet))
    assert [term for term, n in counts.items() if n > 1] == []


def test_terms_are_in_normal_form_and_no_single_characters() -> None:
    for facet in FACETS:
        for line in lines_of(facet):
            assert normalise_word(line) == line
            assert 1 < len(line) <= MAX_WORD_CHARS


def test_a_term_with_latin_and_chinese_begins_in_latin() -> None:
    # The reader of texts relies on it: inside a run of Han characters it looks for no such term.
    mixed = [t for t in load_lexicon().terms() if not PURE_HAN.fullmatch(t) and not t.isascii()]
    assert mixed
    assert [t for t in mixed if PURE_HAN.match(t)] == []


def test_every_latin_or_mixed_term_is_found_as_one_token_inside_a_sentence() -> None:
    terms = [t for t in load_lexicon().terms() if not PURE_HAN.fullmatch(t)]
    cut = tokenize([f"今天的 {term}，真的" for term in terms])
    assert [term for term, tokens in zip(terms, cut, strict=True) if term not in tokens] == []


def test_every_chinese_term_is_one_token_alone() -> None:
    terms = [t for t in load_lexicon().terms() if PURE_HAN.fullmatch(t)]
    assert [t for t, tokens in zip(terms, tokenize(terms), strict=True) if tokens != [t]] == []


def test_every_term_survives_as_content() -> None:
    terms = list(load_lexicon().terms())
    assert [t for t, tokens in zip(terms, content_tokens(terms), strict=True) if not tokens] == []


@pytest.mark.parametrize(
    ("word", "facet"),
    [
        ("美拉德", "style"),
        ("Lululemon", "brand"),
        ("ＯＯＴＤ", "style"),
        ("馬面裙", "garment"),
        ("格子半身裙", "garment"),
        ("焦糖色系短靴", "footwear"),
        ("法式风格", "style"),
        ("绒布裙", "garment"),
        ("面包", None),
        ("太阳", None),
        ("裙", None),
        ("", None),
        ("superoversize", None),
        ("好" * 10_000 + "半身裙", None),
    ],
)
def test_facet_by_term_by_head_or_not_at_all(word: str, facet: str | None) -> None:
    assert load_lexicon().facet(word) == facet


def test_the_longest_head_wins() -> None:
    assert load_lexicon().head("白色西装外套") == "西装外套"
    assert load_lexicon().head("西装外套") == "外套"


def test_heads_belong_to_facets_that_exist() -> None:
    assert set(FACETS) > HEAD_FACETS
    assert set(ONE_CHARACTER_HEADS.values()) <= HEAD_FACETS


def test_an_unknown_facet_is_named_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"no facet 'colours'.*colour"):
        load_lexicon().terms("colours")


def test_comments_and_empty_lines_are_no_terms() -> None:
    assert read_terms("# head\n大衣\n\n 风衣  # long\n大衣\n") == ("大衣", "风衣")


def test_at_least_600_stopwords_in_normal_form_none_of_them_a_term() -> None:
    stopwords = load_stopwords()
    assert len(stopwords) >= 600
    assert {normalise_word(word) for word in stopwords} == set(stopwords)
    assert [word for word in stopwords if word in load_lexicon()] == []


def test_extra_stopwords_are_added_in_normal_form(tmp_path: Path) -> None:
    extra = tmp_path / "own.txt"
    extra.write_text("\ufeff# mine\nＦＯＯ\n黃昏\n", encoding="utf-8")
    assert load_stopwords(extra) == load_stopwords() | {"foo", "黄昏"}


def test_a_stopword_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt could not be opened"):
        load_stopwords(tmp_path / "none.txt")
    (tmp_path / "gb.txt").write_bytes("的了".encode("gb18030"))
    with pytest.raises(UserError, match=r"gb\.txt is not UTF-8"):
        load_stopwords(tmp_path / "gb.txt")
