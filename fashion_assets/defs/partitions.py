"""The partitions that assets share: months in the platform's own time zone, and the static lists."""

from __future__ import annotations

import dagster as dg

from fashion_assets.settings import Settings
from fashion_assets.styles.experiments.variants import VARIANTS

#: ``end_offset=1`` makes the running month a partition, so that its posts can be looked at before it closes.
MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=f"{Settings().first_month}-01", timezone="Asia/Shanghai", end_offset=1
)

#: Modality, reduction and clusterer of ``style_experiments``: `styles/experiments/variants.py`.
STYLE_VARIANTS = dg.StaticPartitionsDefinition([variant.key for variant in VARIANTS])

#: The attributes for which a head is trained, one partition each.
ATTRIBUTES = dg.StaticPartitionsDefinition(Settings().attributes)

#: The month before: a dependency of an asset on itself, by which backfills run oldest first.
MONTH_BEFORE = dg.TimeWindowPartitionMapping(
    start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
)

#: Months in a report's share chart, its own included: one year, so that each season stands once.
REPORT_MONTHS = 12
