"""Posts without labels from any file: a table with text columns, or a text file with a post a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fashion_assets.posts.records import Record
from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.sources import LINE, read_rows, visible_files

#: How crawls call their columns, best first; the first that is there is taken.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "title": ("title", "post_title", "标题"),
    "body": ("body", "post_content", "content", "text", "post_text", "desc", "正文", "内容"),
    "tags": ("tags", "post_tag", "post_tags", "tag", "hashtags", "标签", "话题"),
    "date": ("month", "date", "post_date", "resolved_date"),
}

#: Posts a frame.
_ROWS = 5_000


def read_posts(path: Path) -> Iterator[pd.DataFrame]:
    """Frames with title, body, tags and month ("" where no date begins with YYYY-MM) of the posts of a file or folder.

    Raises UserError for a file that is not there, cannot be read, or is a table without any text column.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give --posts a crawl file, a text file or a folder of them.")
    n_posts = 0
    for file in visible_files(path):
        rows = _posts_of(file)
        n_posts += len(rows)
        for start in range(0, len(rows), _ROWS):
            yield pd.DataFrame(rows[start : start + _ROWS])
    if not n_posts:
        raise UserError(f"{path} holds no post; give --posts a file with at least one.")


def _posts_of(file: Path) -> list[dict[str, str]]:
    try:
        columns, records = read_rows(file)
    except UserError as fault:
        raise UserError(f"{file}: {fault}.") from None
    header = {name.strip().lower(): name for name in columns}
    names = {"body": LINE} if columns == [LINE] else _recognised(header)
    if columns and not names.keys() & {"title", "body", "tags"}:
        raise UserError(
            f"{file} has the columns {', '.join(columns)}, none of which holds the text of a post; call one of "
            "them title, text or tags."
        )
    return [
        {
            "title": _cell(record, names.get("title")),
            "body": _cell(record, names.get("body")),
            "tags": _cell(record, names.get("tags")),
            "month": _month(_cell(record, names.get("date"))),
        }
        for record in records
        if not record.fault  # a row that cannot be read has no words to learn from
    ]


def _recognised(header: dict[str, str]) -> dict[str, str]:
    """What each recognised column is called in the file."""
    found = {
        wanted: next((header[name] for name in names if name in header), None)
        for wanted, names in _COLUMNS.items()
    }
    return {wanted: name for wanted, name in found.items() if name is not None}


def _cell(record: Record, column: str | None) -> str:
    return (record.cells.get(column) or "") if column is not None else ""


def _month(date: str) -> str:
    return date[:7] if re.match(r"\d{4}-\d{2}", date) else ""
