"""Records of typed files as texts by column name, the shape that CSV has by nature; of Parquet files here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fashion_assets.posts.times import quoted, to_shanghai
from fashion_assets.storage.parquet_cells import parquet_columns

#: Up to here every whole number has a float of its own.
_EXACT_FLOATS = 2**53
_ROUNDED = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]+", re.I)


@dataclass(frozen=True)
class Record:
    """One record: its 1-based line (or row), its cells by the file's column names, or why it is refused."""

    line: int
    cells: Mapping[str, str | None]
    fault: str | None = None


def parquet_records(data: bytes) -> tuple[list[str], Iterator[Record]]:
    """(column names, one record per row, counted from 1); ``UserError`` if the file is damaged."""
    names, values = parquet_columns(data)
    columns = [name.strip() for name in names]
    texts = [[cell_text(value) for value in column] for column in values]

    def records() -> Iterator[Record]:
        for row in range(len(texts[0]) if texts else 0):
            yield Record(row + 1, {name: text[row] for name, text in zip(columns, texts, strict=True)})

    return columns, records()


def rounded_id(post_id: str) -> str | None:
    """A sentence where a spreadsheet or a float has rounded an id, so that ids of several posts became one."""
    if not _ROUNDED.fullmatch(post_id.strip()):
        return None
    return (
        f"post_id {quoted(post_id)} is a number that was rounded, by a spreadsheet or as a float; different posts "
        "may have it. Export the ids as text."
    )


def cell_text(value: Any) -> str | None:
    """A typed cell as the text that a CSV would hold: whole numbers without point, lists joined by commas."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        # A larger one may stand for several numbers: to write all its digits out would hide that.
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT_FLOATS else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return to_shanghai(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)) and all(not isinstance(part, (dict, list, tuple)) for part in value):
        return ", ".join(text for part in value if (text := cell_text(part)) is not None)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
