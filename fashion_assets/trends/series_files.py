"""Series in long form from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fashion_assets.storage.errors import UserError

# What spreadsheets and pandas write for "no value".
_MISSING = {"", "NA", "N/A", "NaN", "nan", "null", "None"}


def read_series_csv(path: Path) -> pd.DataFrame:
    """The rows of a CSV as strings (value: None where missing), indexed by ``line``, the line in the file.

    Raises UserError with the file, and the line where there is one, for a file that is missing, empty, no UTF-8 or
    no CSV, and for a row without series_id. ``time_axis.read_series`` checks the rest.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; give a CSV with the columns series_id, date, value")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError as fault:
        raise UserError(f"{path} is empty; expected a CSV with the columns series_id, date, value") from fault
    except UnicodeDecodeError as fault:
        raise UserError(f"{path} is not UTF-8 (byte {fault.start}); save it as UTF-8") from fault
    except pd.errors.ParserError as fault:
        raise UserError(f"{path} is no CSV: {str(fault).strip().rstrip('.')}; mend that line") from fault
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes what is too much for row names
        raise UserError(f"{path}, line 2 has more fields than the header; give each row as many")
    if frame.empty:
        raise UserError(f"{path} has a header but no rows; expected series_id, date, value")
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="line")
    frame.columns = frame.columns.str.strip()
    if "value" in frame.columns:
        values = frame["value"].str.strip()
        frame["value"] = values.mask(values.isin(_MISSING), None)
    if "series_id" in frame.columns and (frame["series_id"].str.strip() == "").any():
        line = frame.index[frame["series_id"].str.strip() == ""][0]
        raise UserError(f"{path}, line {line}, column series_id: it is empty; name the series")
    return frame
