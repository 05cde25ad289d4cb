"""Quarantined rows told by reason: what was left out, how often, and one place to look at."""

from __future__ import annotations

import re

import pandas as pd

from fashion_assets.reports.wording import plain

COLUMNS = ["column", "reason", "n_rows", "example"]
# Values inside a reason differ from row to row: quoted text and numbers are masked to find reasons of one
# kind.
_VALUE = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|「[^」]*」|`[^`]*`|[-+]?\d[\d.,:/\-]*""")


def quarantine_summary(quarantined: pd.DataFrame) -> pd.DataFrame:
    """`column`, `reason`, `n_rows`, `example` ("file:row"), most frequent first, from QUARANTINED_POSTS rows.

    Reasons that differ only in the value that they quote are one kind; the first one is shown as it was
    written.
    """
    if quarantined.empty:
        return pd.DataFrame({"column": [], "reason": [], "n_rows": [], "example": []}, columns=COLUMNS)
    kinds: dict[tuple[str, str], tuple[str, int, str]] = {}
    for record in quarantined[["column", "reason", "source_file", "source_row"]].to_dict("records"):
        column, reason = plain(record["column"]), plain(record["reason"])
        place = f"{plain(record['source_file'])}:{plain(record['source_row'])}"
        kind = (column, _VALUE.sub("…", reason))
        first, n_rows, example = kinds.get(kind, (reason, 0, place))
        kinds[kind] = (first, n_rows + 1, example)
    rows = [(column, reason, n_rows, example) for (column, _), (reason, n_rows, example) in kinds.items()]
    rows.sort(key=lambda row: (-row[2], row[1]))
    return pd.DataFrame(rows, columns=COLUMNS)
