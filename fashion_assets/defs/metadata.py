"""What the UI shows beside an asset: previews, plots and counts, all bounded in size.

The event log keeps every metadata value for ever, so a picture goes in only while it is small; the file
itself is named beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import pandas as pd

#: Longest text shown in one cell of a preview, and in one of a column that holds a sentence to be read.
CELL_LENGTH = 60
SENTENCE_LENGTH = 240
SENTENCES = ("reason", "evidence")


def preview(frame: pd.DataFrame, columns: list[str] | None = None, rows: int = 5) -> dg.MarkdownMetadataValue:
    """The first ``rows`` rows as a Markdown table; cells are cut and cannot break or script the page."""
    shown = frame.loc[:, columns] if columns else frame
    header = "| " + " | ".join(map(_cell, shown.columns)) + " |"
    rule = "|" + " --- |" * len(shown.columns)
    lengths = [SENTENCE_LENGTH if name in SENTENCES else CELL_LENGTH for name in shown.columns]
    body = [
        "| " + " | ".join(map(_cell, row, lengths)) + " |" for row in shown.head(rows).itertuples(index=False)
    ]
    return dg.MetadataValue.md("\n".join([header, rule, *body]))


def _cell(value: Any, length: int = CELL_LENGTH) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float):
        value = round(value, 4)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    return escaped(f"{text[: length - 1]}…" if len(text) > length else text)


def tally(values: pd.Series) -> str:
    """How often each value stands, the most frequent first: ``14 survive, 2 born``."""
    return ", ".join(f"{n} {value}" for value, n in values.value_counts().items()) or "none"


#: Where the UI would make a link of a bare address, also of one that is written as entities: it looks at the text when
#: all else is done.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # is not seen, and breaks no line


def escaped(text: str) -> str:
    """``text`` as Markdown in which it is only text: no table cell, link, picture, code or HTML of its own."""
    text = _ADDRESS.sub(_WORD_JOINER, text)
    for character, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "&#124;"),
        ("[", "&#91;"),
        ("`", "&#96;"),
    ):
        text = text.replace(character, entity)
    return text


def picture(png: bytes, name: str = "picture") -> dict[str, dg.MarkdownMetadataValue]:
    """``{name: …}`` with the PNG inline, or nothing where it is too large for the event log."""
    from fashion_assets.reports.charts import png_markdown

    markdown = png_markdown(png)
    return {name: dg.MetadataValue.md(markdown)} if markdown else {}
