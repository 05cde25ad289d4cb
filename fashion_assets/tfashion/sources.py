"""Word files as they stand: tables with a column of words, lists of lines, and folders of either.

Belongs here: finding the words and counting what could not be read. Does not belong here: normal form, what
makes a word unfit to learn from, which side wins (`words`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fashion_assets.posts.allowance import TooLarge
from fashion_assets.posts.archives import read_gzip
from fashion_assets.posts.csv_records import read_records, sniff_delimiter
from fashion_assets.posts.decoding import decode_lines
from fashion_assets.posts.json_records import json_records
from fashion_assets.posts.records import Record, parquet_records
from fashion_assets.storage.errors import UserError

#: How a column of words is called when nobody names it, best first (case and underscores do not matter).
#: "keyword group" is the reference's topics_filtered.csv.
WORD_COLUMNS = ("word", "words", "keyword", "keywords", "keyword group", "term", "terms", "关键词", "词语")

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson")
PARQUET_SUFFIXES = (".parquet", ".pq")

#: The one column of a list of lines.
LINE = "line"

#: Archives and other files that hold no plain words; read as lines they would be noise.
_REFUSED_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".xlsx", ".xls", ".docx", ".pdf", ".json")

#: A refusal shows this many of the columns that it found.
_COLUMNS_SHOWN = 20


@dataclass(frozen=True)
class RawWords:
    """The words of one side as they stand (repeats and damaged ones too), the files they stood in, and a
    sentence for each row that could not be read.
    """

    words: list[str]
    files: tuple[str, ...] = ()
    unreadable: list[str] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows read: the words and the unreadable ones."""
        return len(self.words) + len(self.unreadable)


def read_positive_words(path: Path, column: str | None = None) -> RawWords:
    """The fashion words of a table (CSV, TSV, JSONL or Parquet, plain or .gz), a text file with a word a
    line, or a folder of such files (sub-folders too, by name).

    The words stand in `column`; else in the only column; else in the first of `WORD_COLUMNS` that is there.
    Encodings and delimiters as for crawl files. Blank lines are no rows. Raises `UserError` if a file or the
    column cannot be found or the whole holds no row.
    """
    return _read(path, column, "--positives")


def read_negative_words(path: Path, column: str | None = None) -> RawWords:
    """The words and lines without fashion, read as `read_positive_words` does."""
    return _read(path, column, "--negatives")


def read_word_file(path: Path) -> list[str]:
    """The words of a file to be scored, in order and as they stand, read as `read_positive_words` does.

    Raises UserError too for a row that cannot be read: a score file has to have a row for each.
    """
    given = _read(path, None, "WORDS")
    if given.unreadable:
        raise UserError(f"{path} has rows that cannot be read; the first: {given.unreadable[0]}")
    return given.words


def _read(path: Path, column: str | None, option: str) -> RawWords:
    if not path.exists():
        raise UserError(f"{path} does not exist; give {option} a CSV, a text file or a folder of them.")
    if column is not None and path.is_file() and is_lines(path):
        raise UserError(f"{path} is a list of lines and has no column {column!r}; leave out --column.")
    files = visible_files(path)
    words: list[str] = []
    unreadable: list[str] = []
    for file in files:
        try:
            found, faults = _read_file(file, column)
        except UserError as fault:
            raise UserError(f"{file}: {fault}.".replace("..", ".")) from None
        except OSError as fault:
            raise UserError(f"{file} cannot be read ({fault.strerror}); check its permissions.") from None
        words += found
        unreadable += faults
    if not words:
        if unreadable:
            raise UserError(f"No row of {path} can be read; the first fault: {unreadable[0]}")
        raise UserError(f"{path} holds no word; give {option} a file with at least one word in it.")
    return RawWords(words, tuple(map(str, files)), unreadable)


def visible_files(path: Path) -> list[Path]:
    """The file itself, or the visible files of a folder in order of their names."""
    if not path.is_dir():
        return [path]
    inside = sorted(path.rglob("*"))
    return [
        file
        for file in inside
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


def is_lines(path: Path) -> bool:
    """Whether a file of this name is read as lines rather than as a table."""
    return not _plain_name(path).endswith(CSV_SUFFIXES + JSON_SUFFIXES + PARQUET_SUFFIXES)


def _read_file(path: Path, column: str | None) -> tuple[list[str], list[str]]:
    """(words, sentences about unreadable rows) of one file; raises UserError without its name."""
    columns, records = read_rows(path)
    if not columns:
        return [], []
    chosen = LINE if columns == [LINE] else _word_column(columns, column)
    # A row without the cell (JSONL) or with nothing in it is a row all the same: the counts have to add up.
    words = [record.cells.get(chosen) or "" for record in records if not record.fault]
    return words, [f"{path.name}: {record.fault}" for record in records if record.fault]


def read_rows(path: Path) -> tuple[list[str], list[Record]]:
    """(columns, records) of one file; a list of lines has the one column `LINE`, an empty file none.

    Raises UserError, without the file's name, for what is neither a table nor a list of lines.
    """
    name = _plain_name(path)
    if name.endswith(_REFUSED_SUFFIXES):
        raise UserError(
            "this is no word list; expected .csv, .tsv, .jsonl, .parquet or plain text, also as .gz. "
            "Convert or unpack it, or move it out of the folder"
        )
    try:
        data = read_gzip(path) if path.name.lower().endswith(".gz") else path.read_bytes()
    except TooLarge as fault:
        raise UserError(f"it unpacks to {fault}; split it into several files") from None
    if not data.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        return [], []
    if name.endswith(PARQUET_SUFFIXES):
        columns, records = parquet_records(data)
        return columns, list(records)
    text = decode_lines(data)
    if name.endswith(JSON_SUFFIXES):
        names, parsed = json_records(text.lines, text.damaged)
        return names, list(parsed)
    if name.endswith(CSV_SUFFIXES):
        return _csv_rows(text.lines, text.damaged)
    return [LINE], _line_rows(text.lines, text.damaged)


def _csv_rows(lines: list[str], damaged: dict[int, str]) -> tuple[list[str], list[Record]]:
    first = next(number for number, line in enumerate(lines, start=1) if line.strip())
    delimiter = sniff_delimiter(lines[first - 1])
    header, *records = read_records(lines, delimiter=delimiter, first_line=first)
    if header.fault or first in damaged:
        raise UserError(f"its header cannot be read ({header.fault or damaged[first]})")
    columns = [cell.strip() for cell in header.cells]
    rows = []
    for record in records:
        fault = next(
            (damaged[line] for line in range(record.line, record.last_line + 1) if line in damaged),
            record.fault,
        )
        if fault is None and len(record.cells) != len(columns):
            fault = (
                f"Line {record.line} has {len(record.cells)} cells where the header has {len(columns)}; "
                "mend its quotes or commas."
            )
        cells = {} if fault else dict(zip(columns, record.cells, strict=True))
        rows.append(Record(record.line, cells, fault))
    return columns, rows


def _word_column(columns: Sequence[str], column: str | None) -> str:
    shown = ", ".join(columns[:_COLUMNS_SHOWN])
    if len(columns) > _COLUMNS_SHOWN:
        shown += f" and {len(columns) - _COLUMNS_SHOWN} more"
    by_name: dict[str, list[str]] = {}
    for name in columns:
        by_name.setdefault(_folded(name), []).append(name)
    wanted = [column] if column is not None else columns if len(columns) == 1 else WORD_COLUMNS
    for name in wanted:
        found = by_name.get(_folded(name), [])
        if len(found) > 1:
            raise UserError(f"it names the column {found[0]!r} more than once; name every column once")
        if found:
            return found[0]
    if column is not None:
        raise UserError(f"it has no column {column!r}; it has {shown}. Name one of these with --column")
    raise UserError(f"which column holds the words is not clear; it has {shown}. Name it with --column")


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _line_rows(lines: list[str], damaged: dict[int, str]) -> list[Record]:
    rows = [
        Record(number, {LINE: line.strip()}, damaged.get(number))
        for number, line in enumerate(lines, start=1)
        if line.strip() or number in damaged
    ]
    n_torn = sum(bool(row.fault) or "\x00" in (row.cells[LINE] or "") for row in rows)
    if n_torn > len(rows) / 2:
        raise UserError("most of its lines are not text; expected a word a line, in UTF-8")
    return rows
