"""Schedules: the monthly close, and the publication after it."""

from datetime import datetime

import dagster as dg

from fashion_assets.defs.jobs import month_job, publication_job
from fashion_assets.storage.months import key_of_month, shift_month


@dg.schedule(
    job=month_job,
    cron_schedule="0 4 3 * *",
    execution_timezone="Asia/Shanghai",
    description="On the 3rd at 04:00 the month before is made final: crawls of its last day have arrived by then.",
)
def monthly_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    month = shift_month(_month_of(context.scheduled_execution_time), -1)
    return dg.RunRequest(run_key=f"close:{month}", partition_key=key_of_month(month))


@dg.schedule(
    job=publication_job,
    cron_schedule="0 6 3 * *",
    execution_timezone="Asia/Shanghai",
    description="Two hours after the monthly close: trends, atlas and warehouse with the new month in them.",
)
def monthly_publication(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"publication:{_month_of(context.scheduled_execution_time)}")


def _month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"
