"""CSV for people: a spreadsheet that opens it shows text, and runs nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: A cell that begins so is a formula to Excel, LibreOffice or Google Sheets (OWASP, "CSV Injection"), the full-width
#: forms in Chinese and Japanese versions too.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
#: A number is no formula, though it may begin with a sign.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?")


def without_formula(cell: Any) -> Any:
    """The cell itself, or with an apostrophe before it where a spreadsheet would calculate what it says.

    Numbers stay as they are, also as text ("-5"), so that ids and counts still join. A formula that was quoted
    before is quoted once more: `with_formula` finds every cell again.
    """
    return f"'{cell}" if isinstance(cell, str) and _calculates(cell) else cell


def with_formula(cell: str) -> str:
    """What `without_formula` was given: the reverse, for commands that read such a CSV back."""
    return cell[1:] if cell.startswith("'") and _calculates(cell) else cell


def _calculates(cell: str) -> bool:
    bare = cell.lstrip("'")
    return bool(_FORMULA.match(bare)) and not _NUMBER.fullmatch(bare)


def csv_text(table: pd.DataFrame, **options: Any) -> str:
    """``table`` as CSV without its index, formulas made harmless in names and cells; ``options`` go to ``to_csv``."""
    safe = table.rename(columns=without_formula)
    for position, kind in enumerate(safe.dtypes):
        # Text is of kind object, string or category; numbers, truth values and times cannot be formulas.
        if getattr(kind, "kind", "O") not in "biufcmM":
            column = safe.iloc[:, position].astype(object)
            safe.isetitem(position, column.map(without_formula).to_numpy(dtype=object))
    return str(safe.to_csv(index=False, **options))
