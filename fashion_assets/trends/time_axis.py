"""Series in long form, checked, on a gapless axis of days, weeks or months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.errors import UserError

# Periods per year (per week for days), by pandas' period code.
SEASONS = {"M": 12, "W": 52, "D": 7}
# Dates closer than these (days, median step) are days, weeks, else months.
_DAY_STEP, _WEEK_STEP = 2.0, 10.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One series: ``values`` (n,) at steps ``start``, ``start`` + 1, …; gaps are filled along a straight
    line.
    """

    series_id: str
    values: FloatArray
    dates: list[pd.Timestamp]
    freq: str
    filled: int

    @property
    def season(self) -> int:
        return SEASONS[self.freq]

    def future(self, horizon: int) -> list[pd.Timestamp]:
        """The next ``horizon`` dates."""
        last = self.dates[-1]
        if self.freq == "M":
            return [last + pd.DateOffset(months=step) for step in range(1, horizon + 1)]
        days = 7 if self.freq == "W" else 1
        return [last + pd.Timedelta(days=days * step) for step in range(1, horizon + 1)]


def checked_months(months: Sequence[str]) -> list[str]:
    """The months as a list; raises UserError unless there is one at least and all are different and in order."""
    found = list(months)
    if not found or found != sorted(set(found)):
        raise UserError(
            f"the months {', '.join(found[:6]) or '(none)'} must be at least one, different and in order"
        )
    return found


def frequency_code(freq: str | None, dates: pd.Series) -> str:
    """M, W or D for what the caller wrote (MS, month, weekly, …), or for the median step if nothing was
    written.
    """
    if freq is not None:
        code = freq.strip().upper()[:1]
        if code not in SEASONS:
            raise UserError(f"the frequency {freq!r} is not known; write M (months), W (weeks) or D (days)")
        return code
    steps = np.diff(np.sort(dates.dropna().unique())) / np.timedelta64(1, "D")
    if not len(steps):
        return "M"
    step = float(np.median(steps.astype(float)))
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
    dates = pd.to_datetime(frame[time].astype(str), errors="coerce")
    _refuse(frame, dates.isna(), time, "is no date; write 2024-01-31 or 2024-01")
    values = pd.to_numeric(frame["value"], errors="coerce").astype(float)
    _refuse(frame, values.isna() & frame["value"].notna() | np.isinf(values), "value", "is no number")
    code = frequency_code(freq, dates)
    table = pd.DataFrame({"series_id": frame["series_id"].astype(str), "date": dates, "value": values})
    return [_on_axis(str(name), group, code) for name, group in table.groupby("series_id", sort=False)]


def _refuse(frame: pd.DataFrame, bad: pd.Series, column: str, what: str) -> None:
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise UserError(f"row {row + 1}, column {column}: {str(frame[column].iloc[row])!r} {what}")


def _on_axis(series_id: str, group: pd.DataFrame, freq: str) -> Series:
    group = group.sort_values("date")
    if freq == "M":
        step = group["date"].dt.year * 12 + group["date"].dt.month - 1
    else:
        days = (group["date"] - group["date"].iloc[0]).dt.days
        step = (days / (7 if freq == "W" else 1)).round().astype(int)
    if step.duplicated().any():
        double = group["date"][step.duplicated()].iloc[0]
        unit = {"M": "month", "W": "week", "D": "day"}[freq]
        raise UserError(
            f"the series {series_id} has two values for the {unit} of {double:%Y-%m-%d}; keep one, or add "
            "them up"
        )
    index = (step - step.iloc[0]).to_numpy()
    known = group["value"].notna().to_numpy()
    if not known.any():
        raise UserError(f"the series {series_id} holds no value at all; leave it out")
    # Missing values at the ends are cut off, those inside are interpolated.
    index, known_values = index[known] - index[known][0], group["value"].to_numpy()[known]
    values = np.interp(np.arange(index[-1] + 1), index, known_values)
    first = group["date"][known].iloc[0]
    offsets = range(len(values))
    if freq == "M":
        dates = [first.normalize().replace(day=1) + pd.DateOffset(months=offset) for offset in offsets]
    else:
        dates = [first + pd.Timedelta(days=(7 if freq == "W" else 1) * offset) for offset in offsets]
    return Series(series_id, values.astype(np.float64), dates, freq, len(values) - len(index))
