"""A month is closed once, its report tells what came later, and an overdue month fails the freshness check."""

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._utils.schedules import schedule_execution_time_iterator

from fashion_assets.definitions import build_definitions
from fashion_assets.defs import checks, closing
from fashion_assets.defs.checks.closing import latest_closed_month, nothing_came_after_closing
from fashion_assets.defs.checks.factory import Finding, Look
from fashion_assets.defs.closing import CLOSE_SCHEDULE, CloseConfig, closed_month
from fashion_assets.defs.jobs import JOBS, MONTHLY_ASSETS, close_month_job, publication_job
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.defs.run_tags import IN_ORDER
from fashion_assets.defs.schedules import (
    SCHEDULES,
    daily_freshness,
    monthly_close,
    monthly_publication,
    weekly_keyword_trends,
)
from fashion_assets.reports.closing import closing_sentence, is_over, latest_due_month
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_parquet_atomic, write_text_atomic
from fashion_assets.storage.lake import Lake

JULY_4 = datetime(2024, 7, 4, 9)


class Clock(datetime):
    moment = JULY_4

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.moment.replace(tzinfo=tz)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(closing, "datetime", Clock)
    monkeypatch.setattr(checks.closing, "datetime", Clock)
    monkeypatch.setattr(Clock, "moment", JULY_4)
    return Settings(data_dir=tmp_path)


def month_with(settings: Settings, month: str, posts: int) -> None:
    for asset in ("cleaned_posts", "quarantined_posts", "style_profiles"):
        rows = posts if asset == "cleaned_posts" else 2
        table = pa.table({"post_id": [f"p{row}" for row in range(rows)]})
        write_parquet_atomic(settings.lake / asset / f"{month}.parquet", table)


def close(settings: Settings, month: str, again: bool = False) -> dg.ExecuteInProcessResult:
    defs = build_definitions(settings)
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("closed_month")],
        partition_key=f"{month}-01",
        run_config={"ops": {"closed_month": {"config": {"again": again}}}},
        raise_on_error=False,
    )


def checked(
    check: Callable[[Look], Finding],
    settings: Settings,
    month: str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> Finding:
    """What the check says of the lake as it is."""
    instance = instance or dg.DagsterInstance.ephemeral()
    return check(Look(settings, Lake(settings.lake), Encoders(settings), month, instance))


def test_closing_is_recorded_once_and_late_posts_are_told_against_it(settings: Settings) -> None:
    month_with(settings, "2024-06", posts=5)
    assert close(settings, "2024-06").success
    lake = LakeReader(settings)
    record = closing.closing_record(lake, "2024-06")
    assert record is not None
    assert (record["posts"], record["quarantined"], record["styles"]) == (5, 2, 2)
    assert record["closed_at"] == JULY_4

    month_with(settings, "2024-06", posts=8)
    Clock.moment = datetime(2024, 8, 4)
    assert close(settings, "2024-06").success
    assert closing.closing_record(lake, "2024-06") == record, "closed once"
    sentence = closing_sentence(record, 8)
    assert (
        sentence == "Closed on 2024-07-04 09:00 with 5 posts; 3 have come later and are counted on this page."
    )

    assert close(settings, "2024-06", again=True).success
    assert (closing.closing_record(lake, "2024-06") or {})["posts"] == 8


def test_a_month_that_is_not_over_stays_open(settings: Settings) -> None:
    month_with(settings, "2024-07", posts=5)
    result = close(settings, "2024-07")
    assert not result.success
    failed = next(event for event in result.all_events if event.is_step_failure).step_failure_data.error
    assert failed is not None and "can be closed from 2024-08-01 on" in failed.message
    assert closing.closing_record(LakeReader(settings), "2024-07") is None


@pytest.mark.parametrize(
    ("posts", "expected"),
    [(5, "nothing has come later"), (6, "1 has come later and is"), (4, "1 of them have been taken away")],
)
def test_what_a_report_says_of_its_closing(posts: int, expected: str) -> None:
    record = {"closed_at": JULY_4, "posts": 5}
    assert expected in closing_sentence(record, posts)
    assert "open" in closing_sentence(None, posts)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2024, 7, 3, 9, 59), "2024-05"),
        (datetime(2024, 7, 3, 10), "2024-06"),
        (datetime(2024, 7, 31), "2024-06"),
        (datetime(2024, 1, 1), "2023-11"),
        (datetime(2024, 1, 20), "2023-12"),
    ],
)
def test_the_month_that_is_due(now: datetime, due: str) -> None:
    assert latest_due_month(now) == due
    assert is_over(due, now)


def test_freshness_asks_for_one_certain_month(settings: Settings) -> None:
    assert checked(latest_closed_month, settings).passed, "nobody closes months here"
    month_with(settings, "2024-05", posts=3)
    month_with(settings, "2024-06", posts=3)
    assert checked(latest_closed_month, settings).passed
    first = checked(latest_closed_month, settings.model_copy(update={"automation": True}))
    assert not first.passed and "the last closed month is none" in first.found, "the first close failed"
    close(settings, "2024-05")
    # Made today, and yet not what has to be there: a policy on the last materialisation would be green.
    overdue = checked(latest_closed_month, settings)
    assert not overdue.passed and "2024-06 is due" in overdue.found
    close(settings, "2024-06")
    assert "monthly_style_report" in checked(latest_closed_month, settings).found
    write_text_atomic(settings.reports / "2024-06" / "style_report.html", "<html>")
    assert checked(latest_closed_month, settings).passed


def test_freshness_goes_by_the_switch_and_tells_that_nothing_arrives_any_more(settings: Settings) -> None:
    """Whoever turns the schedule on in the UI sets no environment."""
    month_with(settings, "2024-04", posts=3)
    of_this = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("fashion_assets"), "__repository__")
    switch = InstigatorState(
        RemoteInstigatorOrigin(of_this, CLOSE_SCHEDULE),
        InstigatorType.SCHEDULE,
        InstigatorStatus.RUNNING,
        ScheduleInstigatorData("0 4 3 * *"),
    )
    with dg.DagsterInstance.local_temp() as instance:
        instance.add_instigator_state(switch)
        found = checked(latest_closed_month, settings, instance=instance)
        assert not found.passed and "the newest month with posts is 2024-04" in found.found
        instance.update_instigator_state(switch.with_status(InstigatorStatus.STOPPED))
        on = settings.model_copy(update={"automation": True})
        assert checked(latest_closed_month, on, instance=instance).passed, "the switch wins over the setting"
        assert not checked(latest_closed_month, on).passed


def test_a_late_post_of_a_closed_month_is_a_warning(settings: Settings) -> None:
    month_with(settings, "2024-06", posts=3)
    assert checked(nothing_came_after_closing, settings, "2024-06").passed
    close(settings, "2024-06")
    assert checked(nothing_came_after_closing, settings, "2024-06").passed
    month_with(settings, "2024-06", posts=4)
    late = checked(nothing_came_after_closing, settings, "2024-06")
    assert not late.passed and "1 has come later" in late.found


SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as opened:
        yield opened


def ask(schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, *moment: int) -> Any:
    """What the schedule answers at that moment; its context is closed before the instance is."""
    when = datetime(*moment, tzinfo=SHANGHAI)  # type: ignore[arg-type, misc]
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=when) as context:
        return schedule(context)


def ran(
    instance: dg.DagsterInstance, job: dg.JobDefinition, asked: object, status: dg.DagsterRunStatus
) -> None:
    """The run of a request as the daemon makes it, with what it leaves where it succeeds."""
    assert isinstance(asked, dg.RunRequest)
    tags = {**asked.tags, "dagster/run_key": str(asked.run_key)}
    if asked.partition_key:
        tags["dagster/partition"] = asked.partition_key
    run = instance.create_run_for_job(nothing, tags=tags, status=status)
    instance.delete_run(run.run_id)
    instance.add_run(run._replace(job_name=job.name))
    if status == dg.DagsterRunStatus.SUCCESS and asked.partition_key:
        made(instance, "closed_month", "monthly_style_report", key=asked.partition_key)


def made(instance: dg.DagsterInstance, *assets: str, key: str) -> None:
    for asset in assets:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key))


@dg.job
def nothing() -> None: ...


def test_schedules_ask_for_what_they_say(instance: dg.DagsterInstance) -> None:
    closing_request = ask(monthly_close, instance, 2024, 7, 3, 4)
    assert isinstance(closing_request, dg.RunRequest)
    assert (closing_request.run_key, closing_request.partition_key) == ("close:2024-06:03T04", "2024-06-01")
    assert closing_request.tags[IN_ORDER]
    assert isinstance(ask(monthly_close, instance, 2018, 7, 3, 4), dg.SkipReason)
    assert isinstance(ask(monthly_publication, instance, 2024, 7, 3, 6), dg.SkipReason), "nothing is closed"
    made(instance, "closed_month", "monthly_style_report", key="2024-06-01")
    keys = [
        request.run_key
        for request in (
            ask(monthly_publication, instance, 2024, 7, 3, 6),
            ask(weekly_keyword_trends, instance, 2024, 12, 30, 5),
            ask(daily_freshness, instance, 2024, 7, 4, 10, 30),
        )
        if isinstance(request, dg.RunRequest)
    ]
    assert keys == ["publication:2024-06:03T06", "weekly:2025-W01", "freshness:2024-07-04"]
    assert {schedule.execution_timezone for schedule in SCHEDULES} == {"Asia/Shanghai"}


def ticks(schedule: dg.ScheduleDefinition) -> list[datetime]:
    """The moments of July 2024 at which the schedule looks."""
    begin, end = (datetime(2024, month, 1, tzinfo=SHANGHAI) for month in (7, 8))
    moments = schedule_execution_time_iterator(
        begin.timestamp(), schedule.cron_schedule, schedule.execution_timezone, True
    )
    return list(takewhile(lambda moment: moment < end, moments))


def test_a_close_that_fails_is_asked_for_again_until_the_month_is_closed_and_not_for_ever(
    instance: dg.DagsterInstance,
) -> None:
    asked = []
    for moment in ticks(monthly_close):
        request = ask(monthly_close, instance, *moment.timetuple()[:5])
        assert isinstance(request, dg.RunRequest)
        asked.append(request.run_key)
        ran(instance, close_month_job, request, dg.DagsterRunStatus.FAILURE)
    assert len(asked) == len(set(asked)) == 11, "five times on the 3rd, then daily until the 9th"
    assert [str(moment)[8:13] for moment in ticks(monthly_close)[:6]] == [
        *(f"03 {hour:02d}" for hour in (4, 6, 8, 10, 12)),
        "04 04",
    ]


def test_the_publication_follows_a_close_that_came_late_once(instance: dg.DagsterInstance) -> None:
    close_at_4 = ask(monthly_close, instance, 2024, 7, 3, 4)
    ran(instance, close_month_job, close_at_4, dg.DagsterRunStatus.FAILURE)
    early = ask(monthly_publication, instance, 2024, 7, 3, 6)
    assert isinstance(early, dg.SkipReason) and "2024-06 is not closed yet" in str(early.skip_message)
    close_at_6 = ask(monthly_close, instance, 2024, 7, 3, 6)
    assert isinstance(close_at_6, dg.RunRequest)
    ran(instance, close_month_job, close_at_6, dg.DagsterRunStatus.SUCCESS)
    assert isinstance(ask(monthly_close, instance, 2024, 7, 3, 8), dg.SkipReason)

    first = ask(monthly_publication, instance, 2024, 7, 3, 8)
    ran(instance, publication_job, first, dg.DagsterRunStatus.FAILURE)
    second = ask(monthly_publication, instance, 2024, 7, 3, 10)
    assert isinstance(second, dg.RunRequest) and isinstance(first, dg.RunRequest)
    assert second.run_key != first.run_key
    ran(instance, publication_job, second, dg.DagsterRunStatus.SUCCESS)
    done = ask(monthly_publication, instance, 2024, 7, 3, 12)
    assert isinstance(done, dg.SkipReason) and done.skip_message == "2024-06 is published"


@pytest.mark.parametrize(
    ("status", "said"),
    [(dg.DagsterRunStatus.STARTED, "is under way"), (dg.DagsterRunStatus.CANCELED, "was canceled")],
)
def test_a_close_under_way_or_canceled_is_left_alone(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, said: str
) -> None:
    ran(instance, close_month_job, ask(monthly_close, instance, 2024, 7, 3, 4), status)
    later = ask(monthly_close, instance, 2024, 7, 3, 6)
    assert isinstance(later, dg.SkipReason) and said in str(later.skip_message)


def test_a_month_whose_report_failed_after_its_record_is_not_closed(instance: dg.DagsterInstance) -> None:
    made(instance, "monthly_style_report", "closed_month", key="2024-06-01")
    assert isinstance(ask(monthly_close, instance, 2024, 7, 3, 6), dg.RunRequest)
    made(instance, "monthly_style_report", key="2024-06-01")
    assert isinstance(ask(monthly_close, instance, 2024, 7, 3, 8), dg.SkipReason)


def test_no_job_of_months_mixes_backfill_policies() -> None:
    """Dagster warns of it at every load, and splits a backfill where two policies meet."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        defs = build_definitions(Settings())
        for job in JOBS:
            assert defs.resolve_job_def(job.name)
        assert defs.resolve_implicit_global_asset_job_def()
    assert not [str(one.message) for one in raised if "backfill polic" in str(one.message).lower()]


@pytest.mark.parametrize(
    ("job", "newest_comes_first"),
    [("month", False), ("close_month", False), ("promote_style_model", False), ("monthly_reports", True)],
)
def test_jobs_of_months_are_backfills_in_their_order(job: str, newest_comes_first: bool) -> None:
    keys = [f"2024-{month:02d}-01" for month in (3, 1, 12, 2)]
    config = build_definitions(Settings()).resolve_job_def(job).partitioned_config
    assert config is not None
    tags = {key: config.get_tags_for_partition_key(key, job_name=job) for key in keys}
    # The queue starts runs of higher priority first, and of those with IN_ORDER one at a time.
    started = sorted(keys, key=lambda key: -int(tags[key]["dagster/priority"]))
    assert started == sorted(keys, reverse=newest_comes_first)
    assert all((IN_ORDER in of_month) is not newest_comes_first for of_month in tags.values())


def test_the_close_makes_the_month_before_it_closes_it() -> None:
    job = build_definitions(Settings()).resolve_job_def("close_month")
    names = [key.to_user_string() for key in job.asset_layer.executable_asset_keys]
    assert set(names) == {*MONTHLY_ASSETS, "closed_month"}
    graph = build_definitions(Settings()).resolve_asset_graph()
    order = [key.to_user_string() for key in graph.toposorted_asset_keys]
    assert order.index("style_profiles") < order.index("closed_month") < order.index("monthly_style_report")


def test_again_is_a_choice() -> None:
    assert not CloseConfig().again
    assert closed_month.partitions_def is not None
