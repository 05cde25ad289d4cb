"""Keywords per post, and what is counted and weighed over them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.keywords.extract import extract_keywords, keywords_by_post, split_tags
from fashion_assets.keywords.facets import class_tfidf, facet_counts, top_keywords
from fashion_assets.keywords.from_files import keywords_of_crawl_file
from fashion_assets.keywords.schemas import FASHION_KEYWORDS
from fashion_assets.keywords.scorers import KeywordScorer, LexiconScorer
from fashion_assets.storage.errors import UserError


def cleaned_posts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "post_id": ["p1", "p2", "p1", "p3"],
            "month": ["2024-01", "2024-01", "2024-01", "2024-02"],
            "title": ["美拉德穿搭分享", None, "美拉德穿搭分享", ""],
            "body": ["焦糖色大衣和格子半身裙，大衣真好", "<b>吃饭</b>睡觉", "焦糖色大衣", float("nan")],
            "tags": [["复古", "大衣"], [], np.array(["复古"]), None],
        }
    )


class CountingScorer:
    """Everything of four characters or more is fashion; remembers what it was asked."""

    model_id = "test:long"
    threshold = 0.5

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked.append(list(words))
        return np.array([len(word) >= 4 for word in words], dtype=np.float32)


def test_keywords_in_order_without_repeats_with_facet_source_and_score() -> None:
    rows = extract_keywords(cleaned_posts())
    assert rows.loc[0, "keywords"] == ["美拉德穿搭", "焦糖色", "大衣", "格子", "半身裙", "复古"]
    assert rows.loc[0, "facets"] == ["style", "colour", "garment", "pattern", "garment", "style"]
    assert rows.loc[0, "sources"] == ["title", "body", "body", "body", "body", "tag"]
    assert rows.loc[0, "scores"] == [1.0] * 6
    assert rows.loc[0, "tokens"].count("大衣") == 3
    assert "焦糖色大衣" in rows.loc[0, "phrases"]


def test_no_post_is_lost_repeated_or_empty() -> None:
    posts = cleaned_posts()
    rows = extract_keywords(posts)
    assert rows["post_id"].tolist() == posts["post_id"].tolist()
    assert rows["month"].tolist() == posts["month"].tolist()
    assert rows.loc[3, ["keywords", "facets", "sources", "scores", "phrases", "tokens"]].tolist() == [[]] * 6
    assert extract_keywords(posts.iloc[:0]).columns.tolist() == FASHION_KEYWORDS.names


def test_the_table_fits_its_schema() -> None:
    for frame in (extract_keywords(cleaned_posts()), extract_keywords(cleaned_posts().iloc[:0])):
        table = pa.Table.from_pandas(frame, schema=FASHION_KEYWORDS, preserve_index=False)
        assert table.schema.equals(FASHION_KEYWORDS)


def test_another_scorer_is_asked_once_for_each_distinct_word() -> None:
    scorer = CountingScorer()
    assert isinstance(scorer, KeywordScorer)
    rows = extract_keywords(cleaned_posts(), scorer)
    assert len(scorer.asked) == 1
    assert len(scorer.asked[0]) == len(set(scorer.asked[0]))
    assert rows.loc[0, "keywords"] == ["美拉德穿搭"]


def test_a_keyword_without_facet_has_an_empty_one() -> None:
    posts = cleaned_posts().assign(body="extraordinary")
    rows = extract_keywords(posts, CountingScorer())
    assert rows.loc[0, "facets"][rows.loc[0, "keywords"].index("extraordinary")] == ""


def test_lines_for_the_command_line() -> None:
    lines = list(keywords_by_post(cleaned_posts()))
    assert [line["post_id"] for line in lines] == ["p1", "p2", "p1", "p3"]
    assert [line["keywords"] for line in lines] == extract_keywords(cleaned_posts())["keywords"].tolist()
    text_only = pd.DataFrame({"post_id": [7], "text": ["新中式穿搭 & 旗袍"]})
    assert list(keywords_by_post(text_only)) == [{"post_id": "7", "keywords": ["新中式穿搭", "旗袍"]}]


def test_a_crawl_file_with_a_scorer_and_words_of_the_user(tmp_path: Path) -> None:
    crawl = tmp_path / "crawl.csv"
    crawl.write_text(
        "post_id,post_title,post_content,post_tag\np1,芝麻街邻居卫衣,大衣,#复古\n", encoding="utf-8"
    )
    assert list(keywords_of_crawl_file(crawl)) == [{"post_id": "p1", "keywords": ["卫衣", "大衣", "复古"]}]
    scored = keywords_of_crawl_file(crawl, CountingScorer(), user_terms=["芝麻街邻居"])
    assert list(scored) == [{"post_id": "p1", "keywords": ["芝麻街邻居"]}]


def test_what_a_crawl_file_gives_no_keywords_of_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crawl.zip", "w") as archive:
        archive.writestr("a.jsonl", '{"post_id": "p1", "post_title": "大衣", "post_content": ""}\n{"broken\n')
        archive.writestr("b.csv", "title\n卫衣\n")
    told: list[str] = []
    assert [
        row["post_id"] for row in keywords_of_crawl_file(tmp_path / "crawl.zip", on_note=told.append)
    ] == ["p1"]
    member, row = told
    assert "b.csv" in member and "post_id" in member
    assert row.startswith(f"{tmp_path / 'crawl.zip'}") and ":2: " in row and "JSON" in row


def test_missing_columns_are_named() -> None:
    with pytest.raises(UserError, match="lack the column post_id; found: title"):
        list(keywords_by_post(pd.DataFrame({"title": ["x"]})))
    with pytest.raises(UserError, match="have the columns post_id, words"):
        list(keywords_by_post(pd.DataFrame({"post_id": ["x"], "words": ["y"]})))
    with pytest.raises(UserError, match="lack the column month, tags"):
        extract_keywords(pd.DataFrame({"post_id": ["x"], "title": ["y"], "body": [""]}))


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("#复古 #新中式", ["复古", "新中式"]),
        ("复古|新中式", ["复古", "新中式"]),
        ("复古, 新中式、港风", ["复古", "新中式", "港风"]),
        (["old money", ""], ["old money"]),
        (None, []),
        (float("nan"), []),
        (pd.NA, []),
    ],
)
def test_tags_in_any_form(cell: object, tags: list[str]) -> None:
    assert split_tags(cell) == tags


def test_hostile_text_gives_plain_words() -> None:
    posts = pd.DataFrame(
        {"post_id": ["x"], "title": ["<svg/onload=alert('大衣')>"], "body": ["'; DROP TABLE 旗袍 --"]}
    )
    assert list(keywords_by_post(posts)) == [{"post_id": "x", "keywords": ["大衣", "旗袍"]}]


def test_lexicon_scores_rank_exact_over_head_over_one_character() -> None:
    scorer = LexiconScorer()
    scores = scorer.score(["大衣", "驼绒色大衣", "绒布裙", "吃饭", "裙" * 10_000])
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([1.0, 0.8, 0.6, 0.0, 0.0])
    assert scorer.score([]).shape == (0,)
    assert scorer.model_id == LexiconScorer().model_id
    assert isinstance(scorer, KeywordScorer)


def test_facets_are_counted_per_month_in_posts_and_in_keywords() -> None:
    counts = facet_counts(extract_keywords(cleaned_posts())).set_index(["month", "facet"])
    assert counts.loc[("2024-01", "garment")].tolist() == [2, 3]
    assert counts.loc[("2024-01", "style")].tolist() == [2, 4]
    assert facet_counts(extract_keywords(cleaned_posts().iloc[3:])).empty


def test_top_keywords_by_posts_then_word() -> None:
    top = top_keywords(extract_keywords(cleaned_posts()), 2)
    assert top["n_posts"].tolist() == [2, 2]
    assert top["keyword"].tolist() == sorted(top["keyword"])
    assert top["share"].tolist() == [0.5, 0.5]
    assert top_keywords(extract_keywords(cleaned_posts()), 0).empty


def test_class_tfidf_by_hand() -> None:
    # Two classes of 4 and 2 words: A = 3. f(a) = 4, f(b) = 1, f(c) = 1.
    weights = class_tfidf([["a", "a"], ["a", "b"], ["a", "c"]], np.array([0, 0, 5]))
    assert list(weights) == [0, 5]
    assert weights[0] == [("a", pytest.approx(3 * np.log(1 + 3 / 4))), ("b", pytest.approx(np.log(1 + 3)))]
    assert weights[5] == [("c", pytest.approx(np.log(4))), ("a", pytest.approx(np.log(1.75)))]


def test_class_tfidf_of_nothing() -> None:
    assert class_tfidf([], np.array([], dtype=int)) == {}
    assert class_tfidf([[], ["a"]], np.array([1, 2])) == {1: [], 2: [("a", pytest.approx(np.log(1.5)))]}
    with pytest.raises(ValueError, match="1 documents and 2 labels"):
        class_tfidf([["a"]], np.array([0, 1]))


@given(
    st.lists(st.tuples(st.lists(st.sampled_from("abcdef"), max_size=5), st.integers(-1, 3)), max_size=12),
    st.integers(0, 4),
)
def test_class_tfidf_weights_are_positive_and_sorted(posts: list[tuple[list[str], int]], top: int) -> None:
    labels = np.array([label for _, label in posts], dtype=int)
    weights = class_tfidf([words for words, _ in posts], labels, top)
    assert set(weights) == set(labels.tolist())
    for words in weights.values():
        assert len(words) <= top
        assert [w for _, w in words] == sorted((w for _, w in words), reverse=True)
        assert all(weight > 0 for _, weight in words)
