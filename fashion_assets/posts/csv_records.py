"""CSV records with their line numbers, and a way on after a broken one.

Python's csv module stops being useful at the first unbalanced quote: the rest of the file becomes one field.
Here a record that cannot be right costs its first physical line, with a sentence, and reading goes on at the
next.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

#: A post has at most 1,000 characters and some dozen line breaks; the bounds keep a file in which every line
#: opens
#: a quote from costing n² steps.
MAX_RECORD_LINES = 200
MAX_RECORD_CHARACTERS = 200_000

_DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class CsvRecord:
    """One record: the 1-based line where it starts and ends, its cells, or the sentence that refuses it."""

    line: int
    last_line: int
    cells: list[str]
    fault: str | None = None


def sniff_delimiter(header: str) -> str:
    """The delimiter of a header line: the one of comma, tab, semicolon and bar that it holds most, else the
    comma.
    """
    return max(_DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


def read_records(
    lines: Sequence[str],
    *,
    delimiter: str = ",",
    first_line: int = 1,
    width: int | None = None,
    named: int | None = None,
    is_record: Callable[[list[str]], bool] | None = None,
) -> Iterator[CsvRecord]:
    """Every record from line ``first_line`` on; blank lines between records are passed over.

    ``width`` is the number of cells that a record must have, give or take empty ones at its end where the file ends its
    lines with a delimiter: more may follow, and of those beyond the ``named`` first (default all) the header holds the
    names of none. ``is_record`` says whether cells are certainly a
    record of their own: a record of several lines that holds such a line inside one of its cells has
    swallowed it behind a quote that was never closed, and is refused.
    """

    def fitted(cells: list[str]) -> list[str]:
        return cells if width is None else _fitted(cells, width, width if named is None else named)

    place = first_line - 1
    while place < len(lines):
        if not lines[place].strip():
            place += 1
            continue
        cells, used, fault = _take(lines, place, delimiter)
        if fault is None:
            cells = fitted(cells)
        if fault is None and width is not None and len(cells) != width:
            fault = (
                f"Line {place + 1} has {len(cells)} cells where the header has {width}; "
                "mend its quotes or commas."
            )
        if fault is None and used > 1 and is_record is not None:
            swallowed = _swallowed(lines, place, used, delimiter, lambda inner: is_record(fitted(inner)))
            if swallowed:
                fault = (
                    f"Line {place + 1} opens a quote that is not closed before the one on line {swallowed}; "
                    "close it or double it."
                )
        if fault is not None:
            yield CsvRecord(place + 1, place + 1, [], fault)
            place += 1
            continue
        yield CsvRecord(place + 1, place + used, cells)
        place += used


def _fitted(cells: list[str], width: int, named: int) -> list[str]:
    """The cells without surplus empty ones, or with the nameless last ones that the line left out; else as they are."""
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        return cells[:width]
    return cells + [""] * (width - len(cells)) if named <= len(cells) < width else cells


def _take(lines: Sequence[str], place: int, delimiter: str) -> tuple[list[str], int, str | None]:
    """(cells, lines used, fault) of the record that starts at ``place``."""
    line = lines[place]
    if '"' not in line and len(line) <= MAX_RECORD_CHARACTERS:
        return line.rstrip("\r\n").split(delimiter), 1, None
    limit_reached = False

    def ahead() -> Iterator[str]:
        nonlocal limit_reached
        characters = 0
        for number in range(place, len(lines)):
            characters += len(lines[number])
            if number - place >= MAX_RECORD_LINES or characters > MAX_RECORD_CHARACTERS:
                limit_reached = True
                return
            yield lines[number]

    reader = csv.reader(ahead(), delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
    except StopIteration:
        return (
            [],
            1,
            f"Line {place + 1} is longer than a record can be ({MAX_RECORD_CHARACTERS:,} characters); "
            "leave out its longest cell, or deliver it as JSONL.",
        )
    except csv.Error as fault:
        if "unexpected end" in str(fault):
            end = f"within {MAX_RECORD_LINES} lines" if limit_reached else "before the end of the file"
            return [], 1, f"Line {place + 1} opens a quote that is not closed {end}; close it or double it."
        if "field larger" in str(fault):
            return (
                [],
                1,
                f"Line {place + 1} has a cell that is larger than {csv.field_size_limit():,} characters; "
                "leave it out, or deliver the row as JSONL.",
            )
        return (
            [],
            1,
            f'Line {place + 1} has a quote in the middle of a quoted cell; double it ("") or close the cell.',
        )
    return cells, reader.line_num, None


def _swallowed(
    lines: Sequence[str], place: int, used: int, delimiter: str, is_record: Callable[[list[str]], bool]
) -> int | None:
    """The 1-based number of a line inside the record that is a record of its own, if there is one."""
    for number in range(place + 1, place + used):
        if delimiter not in lines[number]:
            continue
        cells, _, fault = _take(lines[: number + 1], number, delimiter)
        if fault is None and is_record(cells):
            return number + 1
    return None
