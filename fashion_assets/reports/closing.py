"""What it means that a month is closed: its figures at that moment, and what came after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from fashion_assets.storage.months import shift_month

#: One row per closed month. It is written once: later figures are told against it.
CLOSED_MONTH = pa.schema(
    [
        pa.field("month", pa.string(), nullable=False),
        pa.field("closed_at", pa.timestamp("ms"), nullable=False),
        pa.field("posts", pa.int64(), nullable=False),
        pa.field("quarantined", pa.int64(), nullable=False),
        pa.field("styles", pa.int64(), nullable=False),
        pa.field("landing_digest", pa.string(), nullable=False),
    ]
)

#: A month is closed on this day of the next, at this hour (Asia/Shanghai): crawls of its last day have come by then.
CLOSING_DAY, CLOSING_HOUR = 3, 4
#: What closing and publication may take before the month counts as overdue.
GRACE = timedelta(hours=6)


def is_over(month: str, now: datetime) -> bool:
    """Whether the last day of ``month`` ("2024-06") lies before ``now`` (Asia/Shanghai)."""
    return month < f"{now:%Y-%m}"


def latest_due_month(now: datetime) -> str:
    """The newest month that has to be closed at ``now`` (Asia/Shanghai)."""
    this = f"{now:%Y-%m}"
    closing = datetime(now.year, now.month, CLOSING_DAY, CLOSING_HOUR) + GRACE
    return shift_month(this, -1 if now.replace(tzinfo=None) >= closing else -2)


def closing_sentence(record: Mapping[str, Any] | None, posts: int) -> str:
    """What a report of a month with ``posts`` kept posts says of its closing; ``record`` is its CLOSED_MONTH row."""
    if record is None:
        return "This month is open: figures change while posts arrive."
    closed = f"Closed on {record['closed_at']:%Y-%m-%d %H:%M} with {record['posts']:,} posts"
    late = posts - record["posts"]
    if late == 0:
        return f"{closed}; nothing has come later."
    if late < 0:
        return f"{closed}; {-late:,} of them have been taken away since, as later crawls gave them another month."
    verbs = "has come later and is" if late == 1 else "have come later and are"
    return f"{closed}; {late:,} {verbs} counted on this page."
