"""What the UI shows beside an asset: previews, plots and counts, all bounded in size.

The event log keeps every metadata value for ever, so a picture goes in only while it is small; the file
itself is named beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import pandas as pd

#: Longest text shown in one cell of a preview.
CELL_LENGTH = 60


def preview(frame: pd.DataFrame, columns: list[str] | None = None, rows: int = 5) -> dg.MarkdownMetadataValue:
    """The first ``rows`` rows as a Markdown table; cells are cut and cannot break or script the page."""
    shown = frame.loc[:, columns] if columns else frame
    header = "| " + " | ".join(map(_cell, shown.columns)) + " |"
    rule = "|" + " --- |" * len(shown.columns)
    body = [
        "| " + " | ".join(_cell(value) for value in row) + " |"
        for row in shown.head(rows).itertuples(index=False)
    ]
    return dg.MetadataValue.md("\n".join([header, rule, *body]))


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    return escaped(f"{text[: CELL_LENGTH - 1]}…" if len(text) > CELL_LENGTH else text)


def escaped(text: str) -> str:
    """``text`` as Markdown in which it is only text: no table cell, link, picture, code or HTML of its own."""
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
