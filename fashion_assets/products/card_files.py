"""One card file, CSV or Parquet, as rows of text with the place where each starts."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.parquet_cells import parquet_columns

_NO_TEXT = re.compile("[\0\ud800-\udfff]")

# A description with pictures in it as base64 can be long; a field beyond this is a quote that was never
# closed.
MAX_FIELD_CHARACTERS = 5_000_000
# The longest HTML description seen in shop exports has some hundred lines; beyond this a quote was never
# closed.
MAX_RECORD_LINES = 2_000
# Lines that may be read again because a quote on an earlier one is never closed. A file made so that each of its lines
# opens one would take n² steps; where the budget is used up, a record has only its own line.
MAX_LINES_READ_AGAIN = 500_000
# Cards are read into memory as a whole; what unpacks to more was made to fill it.
MAX_UNPACKED_BYTES = 2_000_000_000


@dataclass
class CardRow:
    """A record: its values by column, where it starts, and what was wrong if it could not be parsed."""

    row: int
    values: dict[str, str | None] = field(default_factory=dict)
    fault_column: str | None = None
    fault: str | None = None


def read_card_file(name: str, content: bytes, encoding: str | None = None) -> tuple[list[str], list[CardRow]]:
    """(column names, rows) of the content of a ``.csv``, ``.csv.gz`` or ``.parquet`` file; values are text,
    null where there is none.

    CSV is UTF-8 (with or without BOM) or UTF-16 with a BOM, unless ``encoding`` names another: guessing
    between GB18030 and Windows-1251 would turn one language into nonsense of the other. Raises UserError for
    a file that cannot be read as a whole.
    """
    if name.lower().endswith(".parquet"):
        return _read_parquet(name, content)
    return _read_csv(name, _decode(name, content, encoding))


def _decode(name: str, content: bytes, encoding: str | None) -> str:
    if name.lower().endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MAX_UNPACKED_BYTES + 1)
        except ARCHIVE_FAULTS as error:
            raise UserError(f"{name} cannot be read ({error}); copy it again") from error
        if len(content) > MAX_UNPACKED_BYTES:
            raise UserError(f"{name} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; split it")
    if encoding is None:
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise UserError(
            f"{encoding!r} is no text encoding; name one such as utf-8, gb18030 or cp1251"
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name}:{line} is not {encoding} text (byte {error.start}); save the file as UTF-8, or name its "
            "encoding (gb18030, cp1251, …)"
        ) from error


class _Lines:
    """The physical lines of a text, for a csv reader that can be sent back to an earlier line."""

    def __init__(self, text: str) -> None:
        self.lines = list(io.StringIO(text, newline=""))
        self.position = 0
        self.end = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.position >= min(self.end, len(self.lines)):
            raise StopIteration
        self.position += 1
        return self.lines[self.position - 1]


def _records(text: str) -> Iterator[tuple[int, list[str], str | None]]:
    """(1-based line where it starts, fields, fault) of every record; the first, the header, sets the width.

    A quote that was never closed swallows the cards after it: such a record is given up at its first line,
    and reading goes on with the next line, so that one broken card costs one card.
    """
    source = _Lines(text)
    reader = csv.reader(source)
    width: int | None = None
    budget = MAX_LINES_READ_AGAIN
    while source.position < len(source.lines):
        start = source.position
        source.end = start + (MAX_RECORD_LINES if budget > 0 else 1)
        fault = None
        try:
            record = next(reader)
        except csv.Error as error:
            record, fault = [source.lines[start].rstrip("\r\n")], f"the row cannot be parsed as CSV ({error})"
        width = len(record) if width is None else width
        if fault is None and source.position > start + 1 and len(record) != width:
            record = source.lines[start].rstrip("\r\n").split(",")
            fault = (
                "a quote in this row is never closed, or a field is missing; write every inner quote twice"
            )
        if fault is not None:
            budget -= source.position - start - 1
            source.position = start + 1
            reader = csv.reader(source)
        yield start + 1, record, fault


def _read_csv(name: str, text: str) -> tuple[list[str], list[CardRow]]:
    before = csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        records = _records(text)
        _, header, _ = next(records, (1, [], None))
        header = [column.strip() for column in header]
        if not any(header):
            raise UserError(f"{name} is empty; expected a header line and product cards")
        if repeated := _repeated(header):
            raise UserError(
                f"{name}:1 names the column {repeated[0]!r} more than once; every name must be different"
            )
        rows = [
            _card_row(start, header, record, fault)
            for start, record, fault in records
            if fault or any(record)
        ]
    finally:
        csv.field_size_limit(before)
    return header, rows


def _card_row(start: int, header: list[str], record: list[str], fault: str | None) -> CardRow:
    row = CardRow(
        start, {name: value or None for name, value in zip(header, record, strict=False)}, fault=fault
    )
    if fault is None and len(record) != len(header):
        row.fault = (
            f"the row has {len(record)} fields where the header has {len(header)}; look for a comma "
            "without quotes"
        )
    if row.fault is not None:
        row.fault_column = header[min(len(record), len(header) - 1)]
        row.values = dict.fromkeys(header) | {header[0]: ",".join(record)} if fault else row.values
    return _checked(row)


def _checked(row: CardRow) -> CardRow:
    """The row, refused if a value of it is no text, which then shows as far as it is."""
    damaged = [name for name, value in row.values.items() if value and _NO_TEXT.search(value)]
    if damaged and row.fault is None:
        row.fault_column = damaged[0]
        row.fault = "the value holds a NUL byte or half a character, which no text has; the file was damaged"
    for name in damaged:
        row.values[name] = str(row.values[name]).encode("utf-8", "replace").decode("utf-8")
    return row


def _read_parquet(name: str, content: bytes) -> tuple[list[str], list[CardRow]]:
    try:
        columns, values = parquet_columns(content)
    except UserError as error:
        raise UserError(f"{name} is not a readable Parquet file: {error}") from error
    if repeated := _repeated(columns):
        raise UserError(
            f"{name} names the column {repeated[0]!r} more than once; every name must be different"
        )
    rows = [
        _checked(CardRow(number, dict(zip(columns, map(_as_text, record), strict=True))))
        for number, record in enumerate(zip(*values, strict=True), start=1)
    ]
    return columns, rows


def _repeated(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _as_text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        return value or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # ids that passed through pandas with a gap come back as 15970.0
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
