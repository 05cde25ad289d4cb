"""In which order the daemon starts what a person selects in the UI on an asset's page: the real backfill daemon."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration

from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROJECT = Path(__file__).parents[2]
#: As the dialog may send them: in no order.
MONTHS = ["2024-03-01", "2024-01-01", "2024-02-01"]


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


def launch(workspace: WorkspaceProcessContext, asset: str) -> str:
    """What the dialog of an asset's page asks for."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=f"of_{asset}",
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
