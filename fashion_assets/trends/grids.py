"""Series of a long table side by side as (series, months), and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class MonthGroup:
    """Series that are known in the same months: their numbers (s,), those months (m,), hits and posts (s, m)."""

    rows: IntArray
    columns: IntArray
    months: list[str]
    hits: FloatArray
    posts: FloatArray

    @property
    def share(self) -> FloatArray:
        return self.hits / self.posts


@dataclass(frozen=True)
class SeriesGrid:
    """``names`` (series,) and ``months`` (months,) in order; row r of the table stands at ``codes[r], steps[r]``.

    ``hits`` and ``posts`` (series, months) are 0 where nothing is known: a month without posts, or one not over.
    """

    names: npt.NDArray[np.object_]
    months: list[str]
    codes: IntArray
    steps: IntArray
    hits: FloatArray
    posts: FloatArray

    def groups(self) -> Iterator[MonthGroup]:
        """All series, those that are known in the same months together."""
        patterns, which = np.unique(self.posts > 0, axis=0, return_inverse=True)
        for number, seen in enumerate(patterns):
            rows, columns = np.flatnonzero(which.reshape(-1) == number), np.flatnonzero(seen)
            place = np.ix_(rows, columns)
            months = [self.months[column] for column in columns]
            yield MonthGroup(rows, columns, months, self.hits[place], self.posts[place])


def series_grid(series: pd.DataFrame) -> SeriesGrid:
    """The grid of a table with series_id, month, share, month_posts and complete, one row per series and month."""
    codes, names = pd.factorize(series["series_id"])
    steps, months = pd.factorize(series["month"], sort=True)
    hits, posts = np.zeros((2, len(names), len(months)))
    known = series["complete"].to_numpy(dtype=bool) & (series["month_posts"].to_numpy(dtype=np.float64) > 0)
    place = codes[known], steps[known]
    posts[place] = series["month_posts"].to_numpy(dtype=np.float64)[known]
    hits[place] = np.round(series["share"].to_numpy(dtype=np.float64)[known] * posts[place])
    return SeriesGrid(
        np.asarray(names, dtype=object), [str(month) for month in months], codes, steps, hits, posts
    )
