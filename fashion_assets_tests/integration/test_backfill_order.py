"""In which order the daemon starts what a person selects in the UI on an asset's page: the real backfill daemon."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon

from fashion_assets.defs import run_order
from fashion_assets.defs.run_order import NewestReportsFirst
from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.settings import Settings

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
#: As the dialog may send them: in no order.
MONTHS = ["2024-03-01", "2024-01-01", "2024-02-01"]


@pytest.fixture(autouse=True)
def all_are_made_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run of a backfill is given up for the slowness of the machine that makes the others."""
    monkeypatch.setattr(run_order, "_ALL_MADE_AFTER", timedelta(hours=1))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcessContext]:
    """The code location, as a server of its own, on the instance of a data root."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("order"))
    prepare_dagster_home(settings)
    location = ModuleTarget("fashion_assets.definitions", None, str(PROJECT), "fashion_assets")
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance,
    ):
        patch.setenv("FASHION_DATA_DIR", str(settings.root))
        patch.setenv("DAGSTER_HOME", str(settings.dagster_home))
        with create_test_daemon_workspace_context(location, instance) as context:
            yield context


def launch(workspace: WorkspaceProcessContext, asset: str, turn: str = "once") -> str:
    """What the dialog of an asset's page asks for."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=f"of_{asset}_{turn}",
        asset_graph=workspace.create_request_context().asset_graph,
        partition_names=MONTHS,
        asset_selection=[dg.AssetKey(asset)],
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=workspace.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    workspace.instance.add_backfill(backfill)
    return backfill.backfill_id


def launch_job(workspace: WorkspaceProcessContext, job: str, **other: bool) -> str:
    """What the dialog of a job asks for."""
    location = workspace.create_request_context().get_code_location("fashion_assets")
    (repository,) = location.get_repositories().values()
    backfill = PartitionBackfill(
        backfill_id=f"of_{job}_{len(workspace.instance.get_backfills())}",
        status=BulkActionStatus.REQUESTED,
        from_failure=other.get("from_failure", False),
        tags={},
        backfill_timestamp=time.time(),
        partition_set_origin=repository.get_partition_set(f"{job}_partition_set").get_remote_origin(),
        partition_names=MONTHS,
    )
    workspace.instance.add_backfill(backfill)
    return backfill.backfill_id


def begins_next(instance: dg.DagsterInstance) -> list[str]:
    """The months whose runs the real queue would start now."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=5)
    runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), fixed_iteration_time=None)
    return [run.tags["dagster/partition"] for run in runs]


@pytest.fixture
def looks(workspace: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the queue would start, asked each time when one more run has come into it."""
    seen: list[list[str]] = []
    submit = NewestReportsFirst.submit_run

    def submit_and_look(self: NewestReportsFirst, context: dg.SubmitRunContext) -> dg.DagsterRun:
        run = submit(self, context)
        seen.append(begins_next(workspace.instance))
        return run

    monkeypatch.setattr(NewestReportsFirst, "submit_run", submit_and_look)
    return seen


def cancel(instance: dg.DagsterInstance, backfill: str) -> None:
    """The backfill is over, and none of its runs waits any longer."""
    state = instance.get_backfill(backfill)
    assert state is not None
    instance.update_backfill(state.with_status(BulkActionStatus.CANCELED))  # type: ignore[no-untyped-call]
    for run in instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill})):
        instance.delete_run(run.run_id)


def tick(workspace: WorkspaceProcessContext) -> None:
    for fault in execute_backfill_iteration(workspace, logging.getLogger(__name__)):
        assert fault is None, fault


def queue(instance: dg.DagsterInstance, backfill: str) -> list[str]:
    """The months in the order in which the queue starts them: by priority, then as they came."""
    of_it = dg.RunsFilter(tags={"dagster/backfill": backfill}, statuses=[dg.DagsterRunStatus.QUEUED])
    waiting = reversed(instance.get_runs(of_it))
    ordered = sorted(waiting, key=lambda run: -int(run.tags.get("dagster/priority", "0")))
    return [run.tags["dagster/partition"] for run in ordered]


def succeed(instance: dg.DagsterInstance, backfill: str, asset: str) -> None:
    """The queued runs of the backfill end well."""
    of_it = dg.RunsFilter(tags={"dagster/backfill": backfill}, statuses=[dg.DagsterRunStatus.QUEUED])
    for run in instance.get_runs(of_it):
        event = dg.AssetMaterialization(asset, partition=run.tags["dagster/partition"])
        instance.report_dagster_event(
            dg.DagsterEvent(
                dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                run.job_name,
                event_specific_data=StepMaterializationData(event),
            ),
            run_id=run.run_id,
        )
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name), run_id=run.run_id
        )


def test_reports_begin_with_the_newest_month(workspace: WorkspaceProcessContext) -> None:
    backfill = launch(workspace, "monthly_style_report")
    tick(workspace)
    assert queue(workspace.instance, backfill) == ["2024-03-01", "2024-02-01", "2024-01-01"]


def test_style_models_begin_with_the_oldest_month_and_go_on_one_by_one(
    workspace: WorkspaceProcessContext,
) -> None:
    backfill = launch(workspace, "style_model")
    queued = []
    for _ in range(3):
        tick(workspace)
        queued.append(queue(workspace.instance, backfill))
        succeed(workspace.instance, backfill, "style_model")
    assert queued == [["2024-01-01"], ["2024-02-01"], ["2024-03-01"]]


def test_other_assets_keep_the_order_of_their_months(workspace: WorkspaceProcessContext) -> None:
    backfill = launch(workspace, "fashion_keywords")
    tick(workspace)
    assert queue(workspace.instance, backfill) == sorted(MONTHS)


@pytest.mark.parametrize(
    ("job", "first"), [("month", ["2024-01-01"]), ("monthly_reports", ["2024-03-01", "2024-02-01"])]
)
def test_a_job_s_backfill_begins_when_all_its_months_wait(
    workspace: WorkspaceProcessContext, looks: list[list[str]], job: str, first: list[str]
) -> None:
    """However the queue looks between two submissions, the first to begin is the first in order, not in the dialog."""
    for left in workspace.instance.get_backfills():
        cancel(workspace.instance, left.backfill_id)
    backfill = launch_job(workspace, job)
    tick(workspace)
    assert looks == [[], [], first]
    cancel(workspace.instance, backfill)


def test_reports_of_an_asset_s_page_begin_when_all_wait(
    workspace: WorkspaceProcessContext, looks: list[list[str]]
) -> None:
    backfill = launch(workspace, "monthly_style_report", "again")
    tick(workspace)
    assert looks == [[], [], ["2024-03-01", "2024-02-01"]]
    cancel(workspace.instance, backfill)


def test_nothing_is_held_for_ever(
    workspace: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that a person deleted or canceled, or that a killed daemon forgot, holds up no other; a repeat none."""
    instance = workspace.instance
    backfill = launch_job(workspace, "month")
    tick(workspace)
    oldest, _, newest = sorted(
        instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill})),
        key=lambda run: run.tags["dagster/partition"],
    )
    instance.delete_run(oldest.run_id)
    assert begins_next(instance) == [], "it may still come into the queue"
    with monkeypatch.context() as later:
        later.setattr(run_order, "_ALL_MADE_AFTER", timedelta(seconds=-1))
        assert begins_next(instance) == ["2024-02-01"]
    instance.report_run_canceled(newest)
    assert begins_next(instance) == ["2024-02-01"]
    cancel(instance, backfill)

    repeat = launch_job(workspace, "month", from_failure=True)
    tick(workspace)
    queue_config = instance.get_concurrency_config().run_queue_config
    assert queue_config is not None
    assert all(limit["limit"] for limit in queue_config.tag_concurrency_limits)
    cancel(instance, repeat)
