"""Group ``reports``: the record that a month is final. Made by the monthly close or by a person, never on the way."""

from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from fashion_assets.defs.faults import asset
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import LakeReader
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import month_of_key, shift_month

#: The schedule that closes months by itself.
CLOSE_SCHEDULE = "monthly_close"


class CloseConfig(dg.Config):
    """Whether a month that is closed already gets a new record."""

    again: bool = Field(
        default=False,
        description="Replace the record of a closed month: its figures of now become the final ones",
    )


@asset(
    partitions_def=MONTHS,
    group_name="reports",
    kinds={"parquet"},
    deps=["raw_posts", "cleaned_posts", "quarantined_posts", "style_profiles"],
)
def closed_month(
    context: dg.AssetExecutionContext,
    config: CloseConfig,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.MaterializeResult:
    """The month is final: its figures at the moment of closing, against which its report tells late posts.

    A month is closed once; closing it again keeps the record, unless config ``again`` is set.
    """
    from fashion_assets.posts.month_digests import landing_digest
    from fashion_assets.reports.closing import is_over

    month = month_of_key(context.partition_key)
    now = datetime.now(PLATFORM_ZONE).replace(tzinfo=None, microsecond=0)
    if not is_over(month, now):
        raise UserError(
            f"{month} is not over on {now:%Y-%m-%d}; it can be closed from {shift_month(month, 1)}-01 on"
        )
    record = None if config.again else closing_record(lake, month)
    kept = record is not None
    if record is None:
        record = {
            "month": month,
            "closed_at": now,
            "posts": lake.lake.row_count("cleaned_posts", month),
            "quarantined": lake.lake.row_count("quarantined_posts", month),
            "styles": lake.lake.row_count("style_profiles", month),
            "landing_digest": landing_digest(settings.lake, month),
        }
    return dg.MaterializeResult(
        value=pd.DataFrame([record]),
        metadata={
            **{name: str(value) if name == "closed_at" else value for name, value in record.items()},
            "was_closed_before": kept,
        },
    )


def closing_record(lake: LakeReader, month: str) -> dict[str, Any] | None:
    """The CLOSED_MONTH row of ``month``, None while it is open."""
    if not lake.lake.path("closed_month", month).exists():
        return None
    rows: list[dict[str, Any]] = lake.lake.read("closed_month", month).to_pylist()
    return rows[0]
