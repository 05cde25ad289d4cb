"""Reading one crawl file of any kind into rows of text, with a sentence for every row or file that is
refused.

Belongs here: CSV, JSON and Parquet, plain, gzipped or zipped, to one frame of the crawl columns. Does not:
what the cells mean (``dates``, ``counts``) or where the rows go (``landing``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.posts.allowance import Allowance, TooLarge
from fashion_assets.posts.archives import open_zip, read_gzip, read_member, read_plain, zip_members
from fashion_assets.posts.csv_records import read_records, sniff_delimiter
from fashion_assets.posts.decoding import decode_lines
from fashion_assets.posts.json_records import json_records
from fashion_assets.posts.mapping import MAPPING_NAME, ColumnMapping
from fashion_assets.posts.media_names import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from fashion_assets.posts.records import Record, parquet_records, rounded_id
from fashion_assets.posts.schemas import CRAWL_COLUMNS, REQUIRED_COLUMNS
from fashion_assets.posts.times import parse_fetch_time
from fashion_assets.storage.errors import UserError

#: Kinds of crawl file by the end of their name.
CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
PARQUET_SUFFIXES = (".parquet", ".pq")
PLAIN_SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES)

#: The columns of ``CrawlRead.frame``.
READ_COLUMNS = (*CRAWL_COLUMNS, "extra", "source_file", "source_row", "fault_column", "fault")

_DAMAGED = (
    "Line {line} holds NUL bytes or half a character in {column}, the mark of a write that was cut off; "
    "crawl the post again."
)

#: What files that are no text begin with, and what to do with one that is named as text.
_PACKED = {
    b"\x1f\x8b": "a gzip file by its first bytes; add .gz to its name",
    b"PK\x03\x04": "a zip archive or a spreadsheet (.xlsx) by its first bytes; save it as CSV, or name it .zip",
    b"PAR1": "a Parquet file by its first bytes; name it .parquet",
}

_EXPECTED = "expected .csv, .jsonl, .json or .parquet, or these in .gz or .zip"
#: What to do with other kinds that are delivered often.
_INSTEAD = dict.fromkeys(
    (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES), "put pictures and videos into incoming/media/<post_id>/"
) | {
    ".xlsx": "save the spreadsheet as CSV (UTF-8), with ids as text",
    ".tar": "pack the files as .zip instead",
    ".tgz": "pack the files as .zip instead",
    ".zst": "unpack it, or pack it as .gz",
}

#: The first line of a spreadsheet's CSV that names its delimiter and nothing else.
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<mark>[,;|\t])"?\s*', re.I)
#: How digits are kept from becoming a number in a spreadsheet: ="7342345678901234567", '7342345678901234567.
_FORCED_TEXT = re.compile(r"""="(?P<cell>[^"]*)"|['`](?P<digits>[0-9A-Za-z]+)""")

#: A refusal shows this many of the columns that it found.
_COLUMNS_SHOWN = 20


@dataclass(frozen=True)
class CrawlRead:
    """What a file held: rows of text (``READ_COLUMNS``), remarks on it, and the sentence if it is refused
    whole.
    """

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    refused: str | None = None
    #: Crawl files of an archive (``archive.zip/member.csv``) of which nothing was kept, though others were: why.
    refused_members: dict[str, str] = field(default_factory=dict)
    #: The bytes that were read, as they are unpacked.
    n_bytes: int = 0


def read_crawl_file(
    path: Path,
    mapping: ColumnMapping | None = None,
    name: str | None = None,
    on_large: Callable[[], None] | None = None,
) -> CrawlRead:
    """The rows of a crawl file: cells as text or None, ``source_row`` the 1-based line where the record
    starts.

    (In Parquet, which has no lines, the 1-based row.) Rows that cannot be read have ``fault_column`` and
    ``fault`` set and nothing else; a file that cannot be read has ``refused``. ``name`` is how the file is
    called in sentences and in ``source_file``; the members of an archive are called
    ``archive.zip/member.csv``. Nothing is raised for what is in the file. ``on_large`` is called before that of it
    is read which may take much memory.
    """
    name = name or path.name
    lowered = path.name.lower()
    allowance = Allowance(on_large=on_large)
    try:
        read = _read_any(path, lowered, mapping, name, allowance)
        return replace(read, n_bytes=allowance.n_bytes)
    except TooLarge as fault:
        packed = lowered.endswith((".gz", ".zip"))
        return refused_read(
            f"{name} was refused: its {path.stat().st_size:,} bytes {'unpack to' if packed else 'are'} {fault}, "
            "the most that is read of one crawl file; split it into several files."
        )
    except UserError as fault:
        return refused_read(f"{name} was refused: {fault}.")


def _read_any(
    path: Path, lowered: str, mapping: ColumnMapping | None, name: str, allowance: Allowance
) -> CrawlRead:
    if lowered.endswith(".zip"):
        return _read_zip(path, mapping, name, allowance)
    inner = lowered.removesuffix(".gz")
    if not inner.endswith(PLAIN_SUFFIXES):
        instead = _INSTEAD.get(Path(inner).suffix, _EXPECTED)
        raise UserError(f"it is no crawl file by its name; {instead}")
    data = read_gzip(path, allowance) if lowered.endswith(".gz") else read_plain(path, allowance)
    return _read_bytes(data, inner, mapping, name, allowance)


def _read_zip(path: Path, mapping: ColumnMapping | None, name: str, allowance: Allowance) -> CrawlRead:
    frames: list[pd.DataFrame] = []
    notes: list[str] = []
    refused: dict[str, str] = {}
    with open_zip(path) as archive:
        for member in zip_members(archive):
            place = f"{name}/{member.name}"
            lowered = member.name.lower()
            if not lowered.removesuffix(".gz").endswith(PLAIN_SUFFIXES):
                reason = f"{name}: {member.reason}" if member.reason else None
                notes.append(reason or f"{place} is no CSV, JSON or Parquet file; it was left alone.")
            elif member.reason:
                refused[place] = f"{name}: {member.reason}"
            elif lowered.endswith(".gz"):
                refused[place] = f"{place} was refused: it is packed within the archive; put it in unpacked."
            else:
                try:
                    data = read_member(archive, member, allowance)
                    read = _read_bytes(data, lowered, mapping, place, allowance)
                except TooLarge:
                    raise  # what is kept of the other members would be a part of a delivery
                except UserError as fault:
                    refused[place] = (
                        f"{name}: {fault}" if str(fault).endswith(".") else f"{place} was refused: {fault}."
                    )
                    continue
                notes.extend(read.notes)
                frames.append(read.frame)
    if not frames:
        found = " ".join([*refused.values(), *notes]) or "The archive is empty."
        return CrawlRead(
            _frame([]),
            [],
            f"{name} was refused: it holds no readable crawl file (CSV, JSON or Parquet; archives of "
            f"pictures belong into incoming/media/). {found}",
        )
    return CrawlRead(pd.concat(frames, ignore_index=True), notes, refused_members=refused)


def _read_bytes(
    data: bytes, lowered: str, mapping: ColumnMapping | None, name: str, allowance: Allowance
) -> CrawlRead:
    """One plain file; raises ``UserError`` without name for what refuses the file as a whole."""
    if not data.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise UserError("it is empty; crawl it again or delete it")
    if lowered.endswith(PARQUET_SUFFIXES):
        allowance.count_as_large()  # some hundred bytes of it can hold a hundred million cells
        parquet_columns, rows = parquet_records(data)
        return _assemble(parquet_columns, rows, mapping, name, [])
    for magic, kind in _PACKED.items():
        if data.startswith(magic):
            raise UserError(f"it is {kind}")
    allowance.count_lines(data)
    text = decode_lines(data)
    notes = [] if text.encoding == "UTF-8" else [f"{name} was read as {text.encoding}."]
    if lowered.endswith(JSON_SUFFIXES):
        columns, records = json_records(text.lines, text.damaged)
        return _assemble(columns, records, mapping, name, notes)
    return _read_csv(text.lines, text.damaged, mapping, name, notes)


def _read_csv(
    lines: list[str], damaged: dict[int, str], mapping: ColumnMapping | None, name: str, notes: list[str]
) -> CrawlRead:
    start = next((number for number, line in enumerate(lines, start=1) if line.strip()), 1)
    separator = _SEPARATOR_LINE.fullmatch(lines[start - 1])
    if separator:
        start = next((n for n, line in enumerate(lines[start:], start=start + 1) if line.strip()), start)
    delimiter = separator["mark"] if separator else sniff_delimiter(lines[start - 1])
    header = next(read_records(lines, delimiter=delimiter, first_line=start))
    if header.fault or start in damaged:
        raise UserError(f"its header cannot be read ({header.fault or damaged[start]})")
    if any(_is_damaged(cell) for cell in header.cells):
        raise UserError("its header holds NUL bytes, the mark of a write that was cut off; crawl it again")
    columns = [cell.strip() or f"column {number}" for number, cell in enumerate(header.cells, start=1)]
    named = max((number for number, cell in enumerate(header.cells, start=1) if cell.strip()), default=0)
    positions = _positions(columns, mapping)
    time_at = positions.get("post_fetch_time")
    id_at = positions.get("post_id")

    def is_record(cells: list[str]) -> bool:
        """Cells that are a record beyond doubt: as many as the header has, with an id and a time in their
        places.
        """
        if len(cells) != len(columns) or id_at is None or not cells[id_at].strip():
            return False
        return time_at is None or parse_fetch_time(cells[time_at]) is not None

    def records() -> Iterable[Record]:
        for record in read_records(
            lines,
            delimiter=delimiter,
            first_line=header.last_line + 1,
            width=len(columns),
            named=named,
            is_record=is_record,
        ):
            lines_of_it = range(record.line, record.last_line + 1)
            fault = next((damaged[line] for line in lines_of_it if line in damaged), None) or record.fault
            if record.fault and "\x00" in lines[record.line - 1]:
                fault = _DAMAGED.format(line=record.line, column="the record")
            cells = [_as_meant(cell) for cell in record.cells]
            yield Record(record.line, {} if fault else dict(zip(columns, cells, strict=True)), fault)

    return _assemble(columns, records(), mapping, name, notes)


def _as_meant(cell: str) -> str:
    """The cell without what keeps it text in a spreadsheet."""
    if cell[:1] not in ("=", "'", "`"):
        return cell
    found = _FORCED_TEXT.fullmatch(cell.strip())
    if found is None:
        return cell
    digits = found["digits"]
    # A quotation mark before a word is the word's own.
    return found["cell"] if digits is None else digits if any(mark.isdigit() for mark in digits) else cell


def _positions(columns: list[str], mapping: ColumnMapping | None) -> dict[str, int]:
    """Where each of our columns stands; ``UserError`` for repeated, missing or wrongly declared ones."""
    lowered = [column.lower() for column in columns]
    repeated = sorted(column for column, count in Counter(lowered).items() if count > 1)
    if any(_looks_like_data(column) for column in repeated):
        raise UserError("its first line repeats cells that look like data; is the header line missing")
    if repeated:
        raise UserError(f"its header names {', '.join(repeated)} more than once; name every column once")
    rule = mapping or ColumnMapping()
    gone = [source for source in rule.columns.values() if source.strip().lower() not in lowered]
    if gone:
        raise UserError(
            f"{rule.declared_in} maps {', '.join(gone)}, which the file does not have; "
            f"it has {_shown(columns)}"
        )
    positions = {ours: lowered.index(source.strip().lower()) for ours, source in rule.columns.items()}
    taken = set(positions.values())
    for ours in CRAWL_COLUMNS:
        fixed = ours in positions or ours in rule.constants or ours in rule.absent
        if not fixed and ours in lowered and lowered.index(ours) not in taken:
            positions[ours] = lowered.index(ours)
    missing = [
        ours
        for ours in REQUIRED_COLUMNS
        if ours not in positions and ours not in rule.constants and ours not in rule.absent
    ]
    if missing:
        raise UserError(
            f"the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} missing; it has {_shown(columns)}. If they have other "
            f'names, declare them in incoming/{MAPPING_NAME}, e.g. \'- {{files: "*.csv", columns: '
            f'{{{missing[0]}: its name there}}, constants: {{post_fetch_time: "2024-07-03 00:00:00"}}, '
            "absent: [post_location]}'"
        )
    return positions


def _shown(columns: list[str]) -> str:
    """The columns for a sentence. A file without header has a row there: nothing of a person may show."""
    if any(_looks_like_data(column) for column in columns):
        return f"{len(columns)} columns whose names look like data: is the header line missing"
    listed = ", ".join(columns[:_COLUMNS_SHOWN])
    return listed if len(columns) <= _COLUMNS_SHOWN else f"{listed} and {len(columns) - _COLUMNS_SHOWN} more"


def _looks_like_data(column: str) -> bool:
    digits = sum(character.isdigit() for character in column)
    return len(column) > 60 or digits >= 5 or parse_fetch_time(column) is not None


def _assemble(
    columns: list[str], records: Iterable[Record], mapping: ColumnMapping | None, name: str, notes: list[str]
) -> CrawlRead:
    """Records of the file's columns as a frame of ours; the file's other columns become JSON in ``extra``."""
    rule = mapping or ColumnMapping()
    positions = _positions(columns, mapping)
    ours_of = {columns[position]: ours for ours, position in positions.items()}
    rows: list[dict[str, Any]] = []
    n_authors_lost = 0
    for record in records:
        row: dict[str, Any] = dict.fromkeys(READ_COLUMNS)
        row["source_file"], row["source_row"], row["fault"] = name, record.line, record.fault
        rows.append(row)
        if record.fault:
            continue
        extra = {}
        for column, cell in record.cells.items():
            if cell is None or not cell.strip():
                continue
            if _is_damaged(cell):
                row["fault_column"] = ours_of.get(column, column)
                row["fault"] = _DAMAGED.format(line=record.line, column=row["fault_column"])
            elif column in ours_of:
                row[ours_of[column]] = cell
            else:
                extra[column] = cell
        row.update(rule.constants)
        rounded = rounded_id(row["post_id"] or "")
        if rounded and not row["fault"]:
            # Without an id each is a row of its own, and none passes for an older crawl of another.
            row["post_id"], row["fault_column"], row["fault"] = None, "post_id", rounded
        if rounded_id(row["poster_id"] or ""):
            row["poster_id"] = None  # several persons would become one
            n_authors_lost += 1
        if rule.tag_separator and row["post_tag"]:
            row["post_tag"] = ", ".join(tag.strip() for tag in row["post_tag"].split(rule.tag_separator))
        if extra:
            row["extra"] = json.dumps(extra, ensure_ascii=False)
    if n_authors_lost:
        notes = [
            *notes,
            f"{name} has {n_authors_lost:,} rows with a poster_id that a spreadsheet or a float has rounded; they land "
            "without an author. Export the ids as text.",
        ]
    if not rows:
        raise UserError("it has a header and no row; crawl it again or delete it")
    return CrawlRead(_frame(rows), notes)


def _is_damaged(cell: str) -> bool:
    """NUL, or half a character: what no text file that was written to its end holds."""
    return "\x00" in cell or (not cell.isascii() and any("\ud800" <= mark <= "\udfff" for mark in cell))


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(READ_COLUMNS), dtype=object)
    frame["source_row"] = frame["source_row"].astype("int64")
    return frame


def refused_read(sentence: str) -> CrawlRead:
    """A file of which nothing is kept."""
    return CrawlRead(_frame([]), [], sentence.replace("..", "."))
