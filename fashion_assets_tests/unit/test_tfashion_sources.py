"""Words come out of files as they stand, and every row is either a word or a sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.sources import RawWords, read_negative_words, read_positive_words


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ["words.csv", "words.txt"])
def test_one_column_or_line_a_word(tmp_path: Path, name: str) -> None:
    header = "anything\n" if name.endswith("csv") else ""
    file = write(tmp_path / name, header + "裙子\n\n 半身 裙\r\n裙子")
    raw = read_positive_words(file)
    assert [word.strip() for word in raw.words] == ["裙子", "半身 裙", "裙子"]
    assert raw.files == (str(file),) and raw.unreadable == [] and raw.n_rows == 3


def test_the_column_is_the_named_one_else_one_that_is_called_so(tmp_path: Path) -> None:
    file = write(tmp_path / "words.csv", "id;Keyword_Group;other\n1;裙子;a\n2;大衣;b\n")
    assert read_positive_words(file).words == ["裙子", "大衣"]
    assert read_positive_words(file, "OTHER").words == ["a", "b"]


def test_a_column_that_is_not_there_or_not_clear_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "words.csv", "id,label\n1,裙子\n")
    with pytest.raises(UserError, match=r"words\.csv: it has no column 'word'; it has id, label.*--column"):
        read_positive_words(file, "word")
    with pytest.raises(UserError, match=r"words\.csv: which column .* it has id, label.*--column"):
        read_positive_words(file)
    twice = write(tmp_path / "twice.csv", "word,Word\n1,裙子\n")
    with pytest.raises(UserError, match="more than once"):
        read_positive_words(twice)
    lines = write(tmp_path / "words.txt", "裙子\n")
    with pytest.raises(UserError, match="list of lines"):
        read_positive_words(lines, "word")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("name", ["words.csv", "words.txt", "words.tsv.gz"])
def test_encodings_line_ends_and_gzip(tmp_path: Path, encoding: str, name: str) -> None:
    words = ["连衣裙", "高跟鞋", "羊毛大衣", "针织开衫"]
    data = "\r\n".join((["词语"] if ".txt" not in name else []) + words).encode(encoding)
    file = write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data)
    assert read_negative_words(file).words == words


def test_jsonl_and_parquet(tmp_path: Path) -> None:
    lines = write(tmp_path / "words.jsonl", '{"word": "裙子", "n": 1}\n{"n": 2}\nnot json\n')
    raw = read_positive_words(lines)
    assert raw.words == ["裙子", ""] and len(raw.unreadable) == 1 and raw.n_rows == 3
    pd.DataFrame({"term": ["裙子", None, "大衣"], "n": [1, 2, 3]}).to_parquet(tmp_path / "words.parquet")
    assert read_positive_words(tmp_path / "words.parquet").words == ["裙子", "", "大衣"]


def test_a_folder_is_read_by_name_with_its_sub_folders(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "二\n")
    write(tmp_path / "a" / "lines", "一\n")
    write(tmp_path / "c.csv", "word\n三\n")
    write(tmp_path / "empty.txt", "")
    write(tmp_path / ".hidden" / "x.txt", "无\n")
    write(tmp_path / ".DS_Store", b"\x00\x01")
    raw = read_negative_words(tmp_path)
    assert raw.words == ["一", "二", "三"]
    assert [Path(file).name for file in raw.files] == ["lines", "b.txt", "c.csv", "empty.txt"]


def test_damaged_rows_are_counted_not_lost(tmp_path: Path) -> None:
    good = "连衣裙\n高跟鞋\n大衣\n".encode()
    text = write(tmp_path / "words.txt", good + b"\xff\xfe\xe8\n" + "毛\x00衣\n".encode() + b"w" * 6667)
    raw = read_positive_words(text)
    assert raw.words == ["连衣裙", "高跟鞋", "大衣", "毛\x00衣", "w" * 6667]
    assert len(raw.unreadable) == 1 and "words.txt: Line 4 " in raw.unreadable[0]
    table = write(tmp_path / "words.csv", 'word,n\n裙子,1\n大衣,2,3\n"毛衣,4\n鞋子,5\n')
    raw = read_positive_words(table)
    assert raw.words == ["裙子", "鞋子"]
    assert ["Line 3" in raw.unreadable[0], "Line 4" in raw.unreadable[1]] == [True, True]
    assert raw.n_rows == 4


@pytest.mark.parametrize("content", ["", "\n \n", b"\xef\xbb\xbf", "word\n"])
def test_nothing_to_read_is_a_sentence(tmp_path: Path, content: str | bytes) -> None:
    file = write(tmp_path / "words.csv", content)
    with pytest.raises(UserError, match=r"words\.csv.* holds no word; give --positives"):
        read_positive_words(file)


def test_what_is_no_word_list_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; give --negatives"):
        read_negative_words(tmp_path / "nowhere.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="folder holds no word"):
        read_negative_words(tmp_path / "folder")
    with pytest.raises(UserError, match=r"a\.zip: this is no word list"):
        read_negative_words(write(tmp_path / "a.zip", b"PK"))
    with pytest.raises(UserError, match=r"a\.bin: "):
        read_negative_words(write(tmp_path / "a.bin", bytes(range(256)) * 40))
    with pytest.raises(UserError, match=r"a\.csv\.gz: it is not a whole gzip"):
        read_negative_words(write(tmp_path / "a.csv.gz", b"word\n"))
    with pytest.raises(UserError, match=r"a\.parquet: "):
        read_negative_words(write(tmp_path / "a.parquet", b"PAR1"))
    with pytest.raises(
        UserError, match=r"No row of .*all\.csv can be read; the first fault: all\.csv: Line 2"
    ):
        read_positive_words(write(tmp_path / "all.csv", "word,n\n裙子\n"))


def test_raw_words_of_a_list_have_no_file() -> None:
    assert RawWords(["a"]).n_rows == 1 and RawWords(["a"]).unreadable == []


@pytest.mark.real_data
def test_every_row_of_the_real_files_is_counted(real_data: Path) -> None:
    positives = read_positive_words(real_data / "tfashion" / "topics_filtered.csv")
    negatives = read_negative_words(real_data / "tfashion" / "non_fashion_lines.txt")
    # 52,206 and 73,084 without the header and blank lines, as the data's README counts them; the CSV holds
    # one more row, a word that pandas takes for a missing value.
    assert (positives.n_rows, negatives.n_rows) == (52_207, 73_084)
    assert positives.unreadable == negatives.unreadable == []
    assert max(map(len, positives.words)) == 6_667
