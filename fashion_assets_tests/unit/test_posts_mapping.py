"""posts.mapping: a declared mapping, and a sentence for every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fashion_assets.posts.crawl_files import read_crawl_file
from fashion_assets.posts.mapping import ColumnMapping, load_mappings, mapping_for
from fashion_assets.storage.errors import UserError

RULES = """
- files: "foreign*.csv"
  columns: {post_id: post, poster_id: Author, post_date: date, post_title: title,
            post_content: text, post_tag: tags}
  constants: {post_fetch_time: 2024-07-03 00:00:00}
  absent: [post_location]
  tag_separator: "|"
- files: "other/*.csv"
  columns: {post_id: id}
"""


def declared(tmp_path: Path, text: str, name: str = "columns.yaml") -> list[ColumnMapping]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load_mappings(tmp_path)


def test_a_foreign_file_is_read_by_its_mapping(tmp_path: Path) -> None:
    rules = declared(tmp_path, RULES)
    path = tmp_path / "foreign_1.csv"
    path.write_text(
        "post,author,date,title,text,tags,likes\np1,a1,2024-06-11,题,文,穿搭|ootd,5\n", encoding="utf-8"
    )
    result = read_crawl_file(path, mapping_for(path, tmp_path, rules))
    assert result.refused is None
    row = result.frame.iloc[0]
    assert (row.post_id, row.poster_id, row.post_date, row.post_content) == ("p1", "a1", "2024-06-11", "文")
    assert row.post_fetch_time == "2024-07-03 00:00:00" and row.post_tag == "穿搭, ootd"
    assert row.extra == '{"likes": "5"}'


def test_the_first_rule_that_matches_path_or_name_wins_and_one_beside_the_file_goes_before(
    tmp_path: Path,
) -> None:
    rules = declared(tmp_path, RULES)
    assert mapping_for(tmp_path / "posts.csv", tmp_path, rules) is None
    assert mapping_for(tmp_path / "other" / "x.csv", tmp_path, rules) == rules[1]
    declared(tmp_path, "columns: {post_id: nr}", "foreign_1.csv.columns.yaml")
    beside = mapping_for(tmp_path / "foreign_1.csv", tmp_path, rules)
    assert beside is not None and beside.columns == {"post_id": "nr"}
    assert len({rule.digest for rule in [*rules, beside]}) == 3


def test_no_mapping_file_is_no_rule(tmp_path: Path) -> None:
    assert load_mappings(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {files: [", "not valid YAML"),
        ("", "holds no rule"),
        ("just text", "holds no rule"),
        ("- 5", "not an entry of keys"),
        ("- {file: x}", "unknown key file"),
        ("- {columns: {postid: post}}", "postid is no column of ours"),
        ("- {absent: [likes]}", "likes is no column of ours"),
        ("- {absent: post_tag}", "expected a list"),
        ("- {columns: [post_id]}", "expected entries such as"),
        ("- {columns: {post_id: }}", "expected entries such as"),
        ("- {columns: {post_id: a, post_title: A}}", "used for two of ours"),
        ("- {columns: {post_id: a}, constants: {post_id: b}}", "two things about post_id"),
        ("- {tag_separator: ''}", "tag_separator"),
        ("- {files: 5}", "files"),
    ],
)
def test_mistakes_are_sentences_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as fault:
        declared(tmp_path, text)
    assert "columns.yaml" in str(fault.value)


def test_a_mapped_column_that_is_not_there_refuses_the_file(tmp_path: Path) -> None:
    rules = declared(tmp_path, RULES)
    path = tmp_path / "foreign_2.csv"
    path.write_text("post,date\np1,2024-06-11\n", encoding="utf-8")
    refused = read_crawl_file(path, rules[0]).refused
    assert (
        refused is not None
        and "columns.yaml maps Author, title, text, tags" in refused
        and "post, date" in refused
    )
