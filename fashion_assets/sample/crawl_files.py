"""Crawl files as text: CSV, gzipped CSV and JSON lines, with the line where every record starts.

Belongs here: serialising records, whole or damaged. Which records there are is in `delivery` and `faults`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from dataclasses import dataclass
from typing import Final

from fashion_assets.sample.delivery import COLUMNS, Delivery, Record
from fashion_assets.sample.faults import BadRow

EXTRA_COLUMN: Final = "crawl_keyword"
GZIP_LEVEL: Final = 6


@dataclass(frozen=True)
class CrawlForm:
    """How one crawl is written: name suffix, whether it has a BOM, column order and an extra column."""

    suffix: str = ".csv"
    bom: bool = False
    reverse: bool = False
    extra: bool = False


FORMS: Final = (
    CrawlForm(),
    CrawlForm(".csv.gz"),
    CrawlForm(".jsonl"),
    CrawlForm(bom=True),
    CrawlForm(reverse=True, extra=True),
    CrawlForm(),
)
"""The forms that crawls take in turn, so that half a year has met all of them."""


@dataclass(frozen=True)
class FaultPlace:
    """A bad row as written: the 1-based physical line where it starts, a header being line 1."""

    file: str
    row: int
    post_id: str
    fault: str
    column: str | None


def crawl_form(index: int) -> CrawlForm:
    """The form of the `index`-th crawl."""
    return FORMS[index % len(FORMS)]


def _csv_line(values: list[str | None]) -> str:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return target.getvalue()


def _damaged_csv_line(record: Record, columns: list[str], fault: str, rng: random.Random) -> str:
    record = {column: (value or "").replace("\n", " ").replace('"', "") for column, value in record.items()}
    values = [record.get(column) for column in columns]
    if fault == "wrong_field_count":
        return _csv_line(values[:-3] if rng.random() < 0.5 else [*values, "多出来的一列", "又一列"])
    place = columns.index("post_content")
    line = _csv_line(values[:place]).rstrip("\n")
    rest = _csv_line(values[place + 1 :])
    return f'{line},"{record["post_content"]},{rest}'  # the quote is never closed


def _csv_record(row: Delivery | BadRow, columns: list[str], rng: random.Random) -> str:
    record = dict(row.record)
    if EXTRA_COLUMN in columns:
        record[EXTRA_COLUMN] = rng.choice(("穿搭", "ootd", "今日穿搭"))
    if isinstance(row, BadRow) and row.fault in ("broken_quoting", "wrong_field_count"):
        return _damaged_csv_line(record, columns, row.fault, rng)
    return _csv_line([record[column] for column in columns])


def _json_record(row: Delivery | BadRow, rng: random.Random) -> str:
    line = json.dumps(row.record, ensure_ascii=False)
    if isinstance(row, BadRow) and row.fault == "broken_json":
        line = line[: int(len(line) * rng.uniform(0.5, 0.9))]
    return line + "\n"


def write_crawl(
    name: str, form: CrawlForm, deliveries: list[Delivery], bad_rows: list[BadRow], rng: random.Random
) -> tuple[bytes, list[FaultPlace]]:
    """(content of the file, where each bad row lies in it); records come in a shuffled order."""
    rows: list[Delivery | BadRow] = [*deliveries, *bad_rows]
    rng.shuffle(rows)
    columns = [*(reversed(COLUMNS) if form.reverse else COLUMNS), *([EXTRA_COLUMN] if form.extra else [])]
    jsonl = form.suffix == ".jsonl"
    lines = [] if jsonl else [_csv_line(list(columns))]
    physical = 1 + len(lines)
    places = []
    for row in rows:
        line = _json_record(row, rng) if jsonl else _csv_record(row, columns, rng)
        if isinstance(row, BadRow):
            places.append(FaultPlace(name, physical, row.record["post_id"] or "", row.fault, row.column))
        physical += line.count("\n")
        lines.append(line)
    content = "".join(lines).encode("utf-8-sig" if form.bom else "utf-8")
    if form.suffix.endswith(".gz"):
        content = gzip.compress(content, GZIP_LEVEL, mtime=0)
    return content, places
