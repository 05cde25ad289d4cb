"""Records of JSON files: one object per line, or one list of objects, with the lines that they begin on.

A list that breaks off, as one does whose writer was killed, gives the objects before the break and one fault. Behind an
object that cannot be read the list is taken up again where a line begins as its first object did.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any

from fashion_assets.posts.records import Record, cell_text
from fashion_assets.storage.errors import UserError

#: A list with more broken objects is given up: behind each the rest may have to be looked through.
MAX_BROKEN = 1_000

_LIST_START = re.compile(r"\s*\[\s*(?:[{\]]|$)")
_OPENING = re.compile(r"\s*\[\s*")
#: Pages that were written one behind the other are one list.
_BETWEEN = re.compile(r"[\s,]*+(?:\][\s,]*+\[[\s,]*+)*")


def json_records(lines: list[str], damaged: Mapping[int, str]) -> tuple[list[str], list[Record]]:
    """(the union of all keys in order of appearance, one record per line that is not blank or per object of a list).

    Objects of a list are counted instead of lines: all may stand on one. Raises ``UserError`` if there is no object.
    """
    if _is_list(lines):
        records = list(_of_list(lines, damaged))
        if all(record.fault for record in records):
            found = (
                f"its list of objects cannot be read: {records[0].fault}"
                if records
                else "its list is empty; crawl it again or delete it"
            )
            raise UserError(found)
    else:
        records = [
            Record(number, {}, damaged[number]) if number in damaged else _of_line(number, line)
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
        if records and all(record.fault for record in records):
            raise UserError(
                f"none of its {len(records)} lines is a JSON object; expected one object per line, or one list of them"
            )
    return list(dict.fromkeys(column for record in records for column in record.cells)), records


def _is_list(lines: list[str]) -> bool:
    """Whether the text begins as a list of objects does; a line that is a list of something else begins none."""
    first = "".join(islice((line for line in lines if line.strip()), 2))
    return _LIST_START.match(first) is not None


def _of_line(number: int, line: str) -> Record:
    reader, where = _Reader(), f"Line {number}"
    try:
        # Lines cut out of a list end with its comma.
        content = json.loads(line.rstrip().removesuffix(","), object_pairs_hook=reader.cells)
    except (ValueError, RecursionError) as fault:
        return Record(number, {}, f"{where} is not valid JSON{_at(fault)}; mend or delete it.")
    return reader.record(number, where, content)


def _of_list(lines: list[str], damaged: Mapping[int, str]) -> Iterator[Record]:
    text = "".join(lines)
    reader = _Reader()
    decoder = json.JSONDecoder(object_pairs_hook=reader.cells)
    place, line, broken = 0, 1, 0
    next_start: re.Pattern[str] | None = None
    for number in count(1):
        before, place = place, _after(_BETWEEN if place else _OPENING, text, place)
        line += text.count("\n", before, place)
        where = f"Object {number} of the list (line {line})"
        if place == len(text):
            yield Record(
                number, {}, f"{where} is missing: the list is not closed, it was cut off; crawl it again."
            )
            return
        if text[place] == "]":
            if text[place + 1 :].strip():
                said = (
                    f"What follows the end of the list on line {line} is not read; make it a file of its own."
                )
                yield Record(number, {}, said)
            return
        next_start = next_start or _start_like(text, place)
        try:
            content, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as fault:
            broken += 1
            found = next_start.search(text, place + 1) if broken <= MAX_BROKEN else None
            todo = (
                "mend or delete it" if found else "it and what follows is not read; mend it or crawl it again"
            )
            yield Record(number, {}, f"{where} is not valid JSON{_at(fault)}; {todo}.")
            if found is None:
                return
            end = found.start()
        else:
            own_lines = range(line, line + text.count("\n", place, end) + 1) if damaged else ()
            said = next((damaged[one] for one in own_lines if one in damaged), "")
            yield Record(number, {}, said) if said else reader.record(number, where, content)
        line += text.count("\n", place, end)
        place = end


def _after(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Where the pattern, which may match nothing, ends."""
    found = pattern.match(text, place)
    return found.end() if found else place


def _start_like(text: str, place: int) -> re.Pattern[str]:
    """What finds objects that begin a line as this one does, after as much space; nothing if it begins none."""
    margin = text[text.rfind("\n", 0, place) + 1 : place]
    return re.compile(rf"^{re.escape(margin)}\{{" if not margin.strip() else r"(?!)", re.M)


class _Reader:
    """Makes records of JSON objects, and knows which keys the last one repeats."""

    def __init__(self) -> None:
        self._repeated: list[str] = []

    def cells(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Only matters at the top, which comes last; an inner object with repeats keeps the last, as JSON readers do.
        names = Counter(key.strip().lower() for key, _ in pairs)
        self._repeated = sorted(name for name, count in names.items() if count > 1)
        return dict(pairs)

    def record(self, number: int, where: str, content: Any) -> Record:
        """The record of what was just read; ``where`` begins the sentence if it is none."""
        if not isinstance(content, dict):
            return Record(number, {}, f'{where} is JSON but no object; expected {{"post_id": …}}.')
        if self._repeated:
            names = ", ".join(self._repeated)
            return Record(number, {}, f"{where} names {names} more than once; name each key once.")
        # Keys are compared like CSV headers: stripped, without case. One spelling stands for all lines.
        return Record(number, {str(key).strip().lower(): cell_text(value) for key, value in content.items()})


def _at(fault: Exception) -> str:
    if not isinstance(fault, json.JSONDecodeError):
        return ""
    return (
        f" at column {fault.colno}" if fault.lineno == 1 else f" at line {fault.lineno}, column {fault.colno}"
    )
