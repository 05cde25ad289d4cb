"""Checks on time: the latest month that should be closed is, and what came after a month was closed.

Dagster's freshness policies look at the last materialisation of any partition: a late post of 2019 would make them
green. What has to be there is one certain month.
"""

from datetime import datetime

import dagster as dg

from fashion_assets.defs.closing import closing_record
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import LakeReader
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key


@dg.asset_check(asset="warehouse")
def latest_closed_month(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.AssetCheckResult:
    """The latest month that is due is closed and its report is there. Looked at every day; fails, blocks nothing."""
    from fashion_assets.reports.closing import latest_due_month

    due = latest_due_month(datetime.now(PLATFORM_ZONE))
    closed = lake.months("closed_month")
    report = settings.reports / due / "style_report.html"
    if not closed:
        passed, found = True, "no month has been closed here, so none is overdue"
    elif due not in closed:
        passed = False
        found = f"{due} is due and not closed; the last closed month is {closed[-1]}: start job close_month for {due}"
    elif not report.exists():
        passed, found = False, f"{due} is closed but {report} is not there: materialise monthly_style_report"
    else:
        passed, found = True, f"{due} is closed and its report is there"
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=found,
        metadata={"due": due, "last_closed": closed[-1] if closed else "none"},
    )


@dg.asset_check(asset="cleaned_posts", partitions_def=MONTHS)
def nothing_came_after_closing(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeReader]
) -> dg.AssetCheckResult:
    """Warns when a closed month has other posts than it was closed with; its report says how many."""
    from fashion_assets.reports.closing import closing_sentence

    month = month_of_key(context.partition_key)
    record, posts = closing_record(lake, month), lake.lake.row_count("cleaned_posts", month)
    return dg.AssetCheckResult(
        passed=record is None or record["posts"] == posts,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{month}: {closing_sentence(record, posts)}",
        metadata={"posts": posts, "posts_when_closed": record["posts"] if record else posts},
    )
