"""Schedules: the monthly close, the publication after it, weekly keyword trends, and the look at freshness.

The close is asked for until the month is closed, by ticks that grow rare and end: some on the 3rd, one a day until the
9th. Then a person has to look, whom the check ``latest_closed_month`` tells every day. The publication has as many
ticks, and waits for the close.
"""

import dagster as dg

from fashion_assets.defs.closing import CLOSE_SCHEDULE
from fashion_assets.defs.jobs import close_month_job, freshness_job, publication_job, weekly_trends_job
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.records import UNFINISHED, newest_records
from fashion_assets.defs.run_tags import PUBLISHED_MONTH, oldest_first
from fashion_assets.reports.closing import CLOSING_DAY, CLOSING_HOUR
from fashion_assets.settings import Settings
from fashion_assets.storage.months import key_of_month, shift_month

ZONE = "Asia/Shanghai"
#: What FASHION_AUTOMATION says when the code location is first loaded; the UI's switches win from then on.
STATUS = dg.DefaultScheduleStatus.RUNNING if Settings().automation else dg.DefaultScheduleStatus.STOPPED

#: The last day on which a close, or a publication, that has failed is asked for again.
LAST_DAY = CLOSING_DAY + 6


def _until_done(hour: int) -> list[str]:
    """Cron lines: from ``hour`` on the closing day five times, every two hours; then once a day."""
    return [f"0 {hour}-{hour + 8}/2 {CLOSING_DAY} * *", f"0 {hour} {CLOSING_DAY + 1}-{LAST_DAY} * *"]


@dg.schedule(
    name=CLOSE_SCHEDULE,
    job=close_month_job,
    cron_schedule=_until_done(CLOSING_HOUR),
    execution_timezone=ZONE,
    default_status=STATUS,
    description="On the 3rd at 04:00 the month before is made final: crawls of its last day have arrived by then. "
    "A close that fails is tried again, every two hours and then every day until the 9th.",
)
def monthly_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    month = _month_before(context)
    key = key_of_month(month)
    if not MONTHS.has_partition_key(key):
        return dg.SkipReason(f"{month} is no partition; months begin with FASHION_FIRST_MONTH")
    if is_closed(context.instance, month):
        return dg.SkipReason(f"{month} is closed")
    of_it = dg.RunsFilter(job_name=close_month_job.name, tags={"dagster/partition": key})
    if (reason := _why_not_again(context.instance, of_it, f"the close of {month}")) is not None:
        return dg.SkipReason(reason)
    return dg.RunRequest(
        run_key=f"close:{month}:{_moment(context)}", partition_key=key, tags=oldest_first(key)
    )


@dg.schedule(
    job=publication_job,
    cron_schedule=_until_done(CLOSING_HOUR + 2),
    execution_timezone=ZONE,
    default_status=STATUS,
    description="Two hours after the monthly close, or at the first of its ticks after a close that took longer: "
    "trends, atlas and warehouse with the new month in them.",
)
def monthly_publication(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    month = _month_before(context)
    if not is_closed(context.instance, month):
        return dg.SkipReason(f"{month} is not closed yet; see the schedule monthly_close")
    of_it = dg.RunsFilter(job_name=publication_job.name, tags={PUBLISHED_MONTH: month})
    done = dg.RunsFilter(
        job_name=publication_job.name,
        tags={PUBLISHED_MONTH: month},
        statuses=[dg.DagsterRunStatus.SUCCESS],
    )
    if context.instance.get_runs(done, limit=1):
        return dg.SkipReason(f"{month} is published")
    if (reason := _why_not_again(context.instance, of_it, f"the publication of {month}")) is not None:
        return dg.SkipReason(reason)
    return dg.RunRequest(run_key=f"publication:{month}:{_moment(context)}", tags={PUBLISHED_MONTH: month})


def is_closed(instance: dg.DagsterInstance, month: str) -> bool:
    """Whether the month has its closing record, and a report that was made after it and so tells it."""
    key = key_of_month(month)
    closed = newest_records(instance, "closed_month", partitioned=True).get(key)
    report = newest_records(instance, "monthly_style_report", partitioned=True).get(key)
    return closed is not None and report is not None and report.storage_id > closed.storage_id


def _why_not_again(instance: dg.DagsterInstance, of_it: dg.RunsFilter, what: str) -> str | None:
    """A sentence while a run is at work, and for ever after a person has canceled one."""
    newest = instance.get_runs(of_it, limit=1)
    if any(run.status in UNFINISHED for run in newest):
        return f"{what} is under way"
    if any(run.status == dg.DagsterRunStatus.CANCELED for run in newest):
        return f"{what} was canceled (run {newest[0].run_id[:8]}); start it by hand"
    return None


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


def _month_before(context: dg.ScheduleEvaluationContext) -> str:
    return shift_month(f"{context.scheduled_execution_time:%Y-%m}", -1)


def _moment(context: dg.ScheduleEvaluationContext) -> str:
    """Tells the tries of one month apart, and is the same for a tick that is evaluated twice."""
    return f"{context.scheduled_execution_time:%dT%H}"
