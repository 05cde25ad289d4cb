"""Posts without labels from any file: which columns count, text files, folders, and sentences about faults."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion import post_files
from fashion_assets.tfashion.post_files import read_posts

COLUMNS = ["title", "body", "tags", "month"]


def posts(path: Path) -> list[tuple[str, ...]]:
    frames = list(read_posts(path))
    assert all(list(frame.columns) == COLUMNS for frame in frames)
    return [tuple(row) for frame in frames for row in frame.itertuples(index=False)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_columns_of_a_crawl(tmp_path: Path) -> None:
    path = write(
        tmp_path / "raw.csv",
        "post_id,post_title,post_content,post_tag,post_date,likes\n"
        '1,法式连衣裙,"很, 显瘦",#穿搭,2023-04-05 10:00,7\n2,,只有正文,,昨天,1\n',
    )
    assert posts(path) == [
        ("法式连衣裙", "很, 显瘦", "#穿搭", "2023-04"),
        ("", "只有正文", "", ""),
    ]


@pytest.mark.parametrize(
    ("column", "place"),
    [("Title", 0), (" 标题 ", 0), ("TEXT", 1), ("desc", 1), ("正文", 1), ("话题", 2), ("post_tags", 2)],
)
def test_names_of_columns(tmp_path: Path, column: str, place: int) -> None:
    expected = ["", "", "", ""]
    expected[place] = "裙子"
    assert posts(write(tmp_path / "a.csv", f"id,{column}\n1,裙子\n")) == [tuple(expected)]


def test_the_best_known_name_of_a_column_is_taken(tmp_path: Path) -> None:
    assert posts(write(tmp_path / "a.csv", "text,body\n一,二\n")) == [("", "二", "", "")]


def test_a_text_file_has_a_post_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "posts.txt", "今天穿裙子\n\n  title,body \n")
    assert posts(path) == [("", "今天穿裙子", "", ""), ("", "title,body", "", "")]


def test_tables_of_every_kind(tmp_path: Path) -> None:
    record = {"title": "裙子", "body": "显瘦", "month": "2023-04"}
    lines = json.dumps(record, ensure_ascii=False) + "\n"
    write(tmp_path / "a.jsonl", lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pd.DataFrame([record]).to_parquet(tmp_path / "c.parquet")
    write(tmp_path / "d.tsv", "title\tbody\tmonth\n裙子\t显瘦\t2023-04\n")
    write(tmp_path / ".hidden.txt", "never read\n")
    (tmp_path / "e.csv").write_bytes("title,body,month\n裙子,显瘦,2023-04\n".encode("gb18030"))
    assert posts(tmp_path) == [("裙子", "显瘦", "", "2023-04")] * 5


def test_a_row_that_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,body\n裙子,显瘦\n一,二,三\n大衣,保暖\n")
    assert [row[0] for row in posts(path)] == ["裙子", "大衣"]


def test_frames_are_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_files, "_ROWS", 2)
    path = write(tmp_path / "a.txt", "一\n二\n三\n四\n五\n")
    assert [len(frame) for frame in read_posts(path)] == [2, 2, 1]


def test_a_table_without_text_is_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,likes\n1,2\n")
    with pytest.raises(UserError, match=r"a\.csv has the columns id, likes, none of which holds"):
        list(read_posts(path))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "", "holds no post; give --posts"),
        ("a.csv", "title,body\n", "holds no post"),
        ("a.txt", "\n \n", "holds no post"),
        ("a.zip", "PK", r"a\.zip: this is no word list"),
    ],
)
def test_nothing_to_read_is_a_sentence(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        list(read_posts(write(tmp_path / name, content)))


def test_what_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.csv does not exist; give --posts"):
        list(read_posts(tmp_path / "gone.csv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no post"):
        list(read_posts(tmp_path / "empty"))
