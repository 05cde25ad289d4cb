"""Schedules: the monthly close, the publication after it, weekly keyword trends, and the look at freshness."""

from datetime import datetime

import dagster as dg

from fashion_assets.defs.jobs import (
    close_month_job,
    freshness_job,
    oldest_first,
    publication_job,
    weekly_trends_job,
)
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.reports.closing import CLOSING_DAY, CLOSING_HOUR
from fashion_assets.settings import Settings
from fashion_assets.storage.months import key_of_month, shift_month

ZONE = "Asia/Shanghai"
#: What FASHION_AUTOMATION says when the code location is first loaded; the UI's switches win from then on.
STATUS = dg.DefaultScheduleStatus.RUNNING if Settings().automation else dg.DefaultScheduleStatus.STOPPED


@dg.schedule(
    job=close_month_job,
    cron_schedule=f"0 {CLOSING_HOUR} {CLOSING_DAY} * *",
    execution_timezone=ZONE,
    default_status=STATUS,
    description="On the 3rd at 04:00 the month before is made final: crawls of its last day have arrived by then.",
)
def monthly_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    month = shift_month(_month_of(context.scheduled_execution_time), -1)
    key = key_of_month(month)
    if not MONTHS.has_partition_key(key):
        return dg.SkipReason(f"{month} is no partition; months begin with FASHION_FIRST_MONTH")
    return dg.RunRequest(run_key=f"close:{month}", partition_key=key, tags=oldest_first(key))


@dg.schedule(
    job=publication_job,
    cron_schedule=f"0 {CLOSING_HOUR + 2} {CLOSING_DAY} * *",
    execution_timezone=ZONE,
    default_status=STATUS,
    description="Two hours after the monthly close: trends, atlas and warehouse with the new month in them.",
)
def monthly_publication(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"publication:{_month_of(context.scheduled_execution_time)}")


@dg.schedule(
    job=weekly_trends_job,
    cron_schedule="0 5 * * 1",
    execution_timezone=ZONE,
    default_status=STATUS,
    description="Mondays at 05:00: what is said more, and what is new, with the week that has ended.",
)
def weekly_keyword_trends(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    year, week, _ = context.scheduled_execution_time.isocalendar()
    return dg.RunRequest(run_key=f"weekly:{year}-W{week:02d}")


@dg.schedule(
    job=freshness_job,
    cron_schedule="30 10 * * *",
    execution_timezone=ZONE,
    default_status=STATUS,
    description="Every day at 10:30: is the latest month that is due closed and reported?",
)
def daily_freshness(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"freshness:{context.scheduled_execution_time:%Y-%m-%d}")


SCHEDULES = (monthly_close, monthly_publication, weekly_keyword_trends, daily_freshness)


def _month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"
