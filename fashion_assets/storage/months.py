"""Months: ``2024-01`` for people and file names, ``2024-01-01`` as Dagster's partition key."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fashion_assets.storage.errors import UserError

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])(?:-01)?")


def month_of_key(partition_key: str) -> str:
    """``2024-01`` for the partition key ``2024-01-01``; raises UserError for anything that is no month."""
    found = _MONTH.fullmatch(partition_key.strip())
    if not found:
        raise UserError(f"{partition_key!r} is not a month; write it as 2024-01")
    return f"{found[1]}-{found[2]}"


def key_of_month(month: str) -> str:
    """The partition key ``2024-01-01`` for the month ``2024-01``."""
    return f"{month_of_key(month)}-01"


def shift_month(month: str, by: int) -> str:
    """The month ``by`` months later (earlier, if negative)."""
    index = _index(month) + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def _index(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month_range(first: str, last: str) -> list[str]:
    """Every month from ``first`` to ``last``, both included; empty if ``last`` is before ``first``."""
    first, last = month_of_key(first), month_of_key(last)
    return [shift_month(first, by) for by in range(_index(last) - _index(first) + 1)]


def parse_months(text: str, available: Iterable[str] = ()) -> list[str]:
    """The months that ``2024-01:2024-06``, ``2024-01,2024-03``, ``2024-01:`` or ``:2024-06`` name.

    An open end runs to the first or last of ``available``. Raises UserError for an unreadable or empty range.
    """
    known = sorted(available)
    months: set[str] = set()
    for part in text.split(","):
        if ":" not in part:
            months.add(month_of_key(part))
            continue
        first, _, last = part.partition(":")
        if (not first.strip() or not last.strip()) and not known:
            raise UserError(
                f"the range {part!r} has an open end, but no month has arrived yet; name both ends"
            )
        span = month_range(first.strip() or known[0], last.strip() or known[-1])
        if not span:
            raise UserError(f"the range {part!r} ends before it begins")
        months.update(span)
    return sorted(months)
