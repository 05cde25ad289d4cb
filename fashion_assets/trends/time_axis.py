"""Series in long form, checked, on a gapless axis of days, weeks or months."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError

# Periods per year (per week for days), by pandas' period code.
SEASONS = {"M": 12, "W": 52, "D": 7}
UNITS = {"M": "months", "W": "weeks", "D": "days"}
# Dates closer than these (days, median step) are days, weeks, else months: every other day and every other week too.
_DAY_STEP, _WEEK_STEP = 4.0, 21.0
# With fewer steps a series cannot tell a gap from its frequency and is taken for what the file mostly holds.
_TELLING_STEPS = 3

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One series: ``values`` (n,) at steps ``start``, ``start`` + 1, …; gaps are filled along a straight
    line.
    """

    series_id: str
    values: FloatArray
    dates: pd.DatetimeIndex
    freq: str
    filled: int

    @property
    def season(self) -> int:
        return SEASONS[self.freq]

    def future(self, horizon: int) -> pd.DatetimeIndex:
        """The next ``horizon`` dates."""
        return _dates(self.dates[-1], horizon + 1, self.freq)[1:]

    def filled_note(self) -> str:
        """What was filled in, or nothing."""
        unit = UNITS[self.freq]
        return f"{self.filled} missing {unit} filled along a straight line" if self.filled else ""


def _dates(first: pd.Timestamp, count: int, freq: str) -> pd.DatetimeIndex:
    """``count`` dates from ``first`` on; months by their first day."""
    if freq == "M":
        return pd.date_range(first.normalize().replace(day=1), periods=count, freq="MS")
    return pd.date_range(first, periods=count, freq="7D" if freq == "W" else "D")


def checked_months(months: Sequence[str]) -> list[str]:
    """The months as a list; raises UserError unless there is one at least and all are different and in order."""
    found = list(months)
    if not found or found != sorted(set(found)):
        raise UserError(
            f"the months {', '.join(found[:6]) or '(none)'} must be at least one, different and in order"
        )
    return found


def _frequencies(freq: str | None, table: pd.DataFrame) -> dict[str, str]:
    """{series_id: M, W or D} for what the caller wrote (MS, month, weekly, …), or for the median step of each series.

    Steps are those within a series: weeks that begin on other days in other series are weeks all the same.
    """
    if freq is not None:
        code = freq.strip().upper()[:1]
        if code not in SEASONS:
            raise UserError(f"the frequency {freq!r} is not known; write M (months), W (weeks) or D (days)")
        return dict.fromkeys(table["series_id"].unique(), code)
    days = table[["series_id", "date"]].drop_duplicates().sort_values("date")
    steps = days.groupby("series_id", sort=False)["date"].diff().dt.total_seconds() / 86_400
    known = steps.groupby(days["series_id"], sort=False).agg(["median", "count"])
    usual = _code_of(float(steps.dropna().median()))
    return {
        str(name): _code_of(median) if count >= _TELLING_STEPS else usual
        for name, median, count in known.itertuples()
    }


def _code_of(step: float) -> str:
    """The frequency of a median step in days; M for NaN, where there is none."""
    return "D" if step < _DAY_STEP else "W" if step < _WEEK_STEP else "M"


def read_series(frame: pd.DataFrame, freq: str | None = None) -> list[Series]:
    """The series of a long table (series_id, date or month, value), in order of first appearance.

    Values that are missing count as gaps; a series without any value is refused. Raises UserError that names
    the row for missing columns, unreadable dates or values, and two values for one step.
    """
    time = next((name for name in ("date", "month") if name in frame.columns), None)
    missing = [name for name in ("series_id", "value") if name not in frame.columns] + (
        [] if time else ["date"]
    )
    if time is None or missing:
        raise UserError(
            f"the series have the columns {', '.join(map(str, frame.columns)) or '(none)'}; "
            f"{', '.join(missing)} is missing "
            "(expected series_id, date, value)"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of what is refused in the next line
        written = frame[time].astype(str)
        # 03/04/2024 is two different days: what does not begin with the year is not guessed at.
        dates = pd.to_datetime(written.where(written.str.match(r"\s*\d{4}")), errors="coerce")
    _refuse(frame, dates.isna(), time, "is no date; write 2024-01-31 or 2024-01")
    values = pd.to_numeric(frame["value"], errors="coerce").astype(float)
    _refuse(frame, values.isna() & frame["value"].notna() | np.isinf(values), "value", "is no number")
    table = pd.DataFrame({"series_id": frame["series_id"].astype(str), "date": dates, "value": values})
    codes = _frequencies(freq, table)
    return [
        _on_axis(str(name), group, codes[str(name)]) for name, group in table.groupby("series_id", sort=False)
    ]


def _refuse(frame: pd.DataFrame, bad: pd.Series, column: str, what: str) -> None:
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise UserError(
            f"{_place(frame.index, row)}, column {column}: {str(frame[column].iloc[row])!r} {what}"
        )


def _place(index: pd.Index, row: int) -> str:
    """The line of the file that the table was read from, else the row, counted from 1."""
    return f"line {index[row]}" if index.name == "line" else f"row {row + 1}"


def _on_axis(series_id: str, group: pd.DataFrame, freq: str) -> Series:
    group = group.sort_values("date")
    if freq == "M":
        step = group["date"].dt.year * 12 + group["date"].dt.month - 1
    else:
        days = (group["date"] - group["date"].iloc[0]).dt.days
        step = (days / (7 if freq == "W" else 1)).round().astype(int)
    if step.duplicated().any():
        at = int(np.argmax(step.duplicated().to_numpy()))
        double = group["date"].iloc[at]
        where = f" (the second in {_place(group.index, at)})" if group.index.name == "line" else ""
        unit = {"M": "month", "W": "week", "D": "day"}[freq]
        raise UserError(
            f"the series {series_id} has two values for the {unit} of {double:%Y-%m-%d}{where}; keep "
            f"one, or add them up, or name the frequency if these are not {UNITS[freq]}"
        )
    index = (step - step.iloc[0]).to_numpy()
    known = group["value"].notna().to_numpy()
    if not known.any():
        raise UserError(f"the series {series_id} holds no value at all; leave it out")
    # Missing values at the ends are cut off, those inside are interpolated.
    index, known_values = index[known] - index[known][0], group["value"].to_numpy()[known]
    values = np.interp(np.arange(index[-1] + 1), index, known_values)
    first = group["date"][known].iloc[0]
    dates = _dates(first, len(values), freq)
    return Series(series_id, values.astype(np.float64), dates, freq, len(values) - len(index))
