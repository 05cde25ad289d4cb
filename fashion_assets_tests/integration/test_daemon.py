"""The real daemon: months flow by automation, late ones too; a backfill runs oldest first; a killed run goes on."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.run_tags import IN_ORDER
from fashion_assets.defs.runner import prepare_dagster_home, run_pipeline
from fashion_assets.sample.make import make_sample
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_text_atomic
from fashion_assets_tests.integration.ui_processes import UI, dagster_ui

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

MONTHS = ("2024-01", "2024-02", "2024-03")
#: A chain of two looks of the sensor, two ticks of automation and three runs, half a minute and a process each.
WITHIN_SECONDS = 400.0
LAUNCH = """mutation($p: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $p) {
__typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with January made down to its report; February and March wait beside ``incoming/``."""
    folder = tmp_path_factory.mktemp("daemon")
    make_sample(folder, months=3, posts_per_month=24, products=0, seed=5)
    (folder / "waiting").mkdir()
    for month in MONTHS[1:]:
        for crawl in (folder / "incoming").glob(f"crawl_{month}.*"):
            shutil.move(crawl, folder / "waiting")
    write_text_atomic(folder / "models" / "tfashion" / "recipe.json", json.dumps({"heads": ["logistic"]}))
    settings = Settings(data_dir=folder)
    prepare_dagster_home(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        select = "+style_profiles,monthly_style_report"
        run_pipeline(build_definitions(settings), settings, select=select)
    return folder


@pytest.fixture(scope="module")
def instance(root: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(root / "dagster_home")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ui(root: Path) -> Iterator[UI]:
    environment = {
        "DAGSTER_HOME": str(root / "dagster_home"),
        "FASHION_DATA_DIR": str(root),
        "FASHION_AUTOMATION": "true",
    }
    with dagster_ui(root, environment) as running:
        yield running


def drop(root: Path, month: str) -> None:
    """The month's crawl file arrives."""
    (crawl,) = (root / "waiting").glob(f"crawl_{month}.*")
    shutil.move(crawl, root / "incoming")


def within(what: str, condition: Callable[[], Any], instance: dg.DagsterInstance) -> Any:
    """What ``condition`` gives when it gives something; fails with the runs so far when time is over."""
    end = time.monotonic() + WITHIN_SECONDS
    while not (found := condition()):
        runs = [(run.job_name, run.tags.get("dagster/partition"), run.status) for run in instance.get_runs()]
        assert time.monotonic() < end, f"{what}: {runs}"
        time.sleep(0.5)
    return found


def versions(instance: dg.DagsterInstance, asset: str, month: str) -> int:
    """How often the month of the asset was made."""
    partition = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[f"{month}-01"])
    return len(instance.fetch_materializations(partition, limit=50).records)


def launch(ui: UI, **parameters: object) -> str:
    """What a person's click on *Launch backfill* sends; the backfill's id."""
    answer = ui.graphql(LAUNCH, p=parameters)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return str(answer["backfillId"])


def test_new_and_late_files_flow_down_to_the_reports(
    ui: UI, root: Path, instance: dg.DagsterInstance
) -> None:
    reports = versions(instance, "monthly_style_report", "2024-01")
    with (root / "incoming" / "crawl_2024-01.csv").open(encoding="utf-8-sig", newline="") as crawl:
        late = next(csv.DictReader(crawl))
    late |= {
        "post_id": "f" * 24,
        "post_title": "新中式穿搭",
        "post_content": "周末逛街，新买的马面裙配针织开衫很好看",
    }
    within("automation has not looked yet", lambda: automation_ticks(instance), instance)
    with (root / "incoming" / "late.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, late)
        writer.writeheader()
        writer.writerow(late)
    drop(root, "2024-02")

    # January has its style model: the late post reaches the report.
    within(
        "the late post does not reach the report",
        lambda: versions(instance, "monthly_style_report", "2024-01") > reports,
        instance,
    )
    assigned = pq.read_table(root / "lake" / "style_clusters" / "2024-01.parquet", columns=["post_id"])
    assert late["post_id"] in assigned["post_id"].to_pylist()

    # February goes on by itself when a person has fitted its model.
    within(
        "February has no vectors", lambda: versions(instance, "multimodal_embeddings", "2024-02"), instance
    )
    launch(ui, assetSelection=[{"path": ["style_model"]}], partitionNames=["2024-02-01"])
    within("February has no report", lambda: versions(instance, "monthly_style_report", "2024-02"), instance)
    assert not (root / "lake" / "raw_posts" / "2024-03.parquet").exists(), "no other month was asked for"


def automation_ticks(instance: dg.DagsterInstance) -> bool:
    """Whether ``follow_upstream`` has ended a look."""
    states = instance.all_instigator_state()
    return any(
        state.name == "follow_upstream" and instance.get_ticks(state.instigator_origin_id, state.selector_id)
        for state in states
    )


def test_a_backfill_runs_oldest_first_and_outlives_a_killed_process(
    ui: UI, root: Path, instance: dg.DagsterInstance
) -> None:
    backfill = launch(
        ui,
        selector={
            "repositorySelector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "fashion_assets",
            },
            "partitionSetName": "month_partition_set",
        },
        # As the dialog may send them: in no order.
        partitionNames=["2024-03-01", "2024-01-01", "2024-02-01"],
    )
    drop(root, "2024-03")
    of_it = dg.RunsFilter(tags={"dagster/backfill": backfill})
    started = dg.RunsFilter(tags={"dagster/backfill": backfill}, statuses=[dg.DagsterRunStatus.STARTED])
    (running,) = within("the first run does not start", lambda: instance.get_runs(started), instance)
    os.kill(
        within("the run tells no process", lambda: process_of(instance, running.run_id), instance),
        signal.SIGKILL,
    )

    def ended() -> bool:
        state = instance.get_backfill(backfill)
        return state is not None and state.status.value in ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED")

    within("the backfill does not end", ended, instance)
    runs = sorted(instance.get_run_records(of_it), key=lambda record: record.start_time or 0)
    tries = [
        (record.dagster_run.tags["dagster/partition"], record.dagster_run.status.value) for record in runs
    ]
    # The killed one is noticed and started again by itself; the months take turns.
    assert tries.count(("2024-01-01", "FAILURE")) == 1
    assert [month for month, status in tries if status == "SUCCESS" and month != "2024-01-01"] == [
        "2024-02-01",
        "2024-03-01",
    ]
    assert ("2024-01-01", "SUCCESS") in tries
    assert all(record.dagster_run.tags[IN_ORDER] == "months" for record in runs)
    for earlier, later in itertools.pairwise(runs):
        assert earlier.end_time is not None and later.start_time is not None
        assert earlier.end_time <= later.start_time, "two months of one line ran at once"
    for pool in instance.event_log_storage.get_concurrency_keys():
        assert instance.event_log_storage.get_concurrency_info(pool).active_slot_count == 0, pool
    for month in MONTHS:
        assert (root / "reports" / month / "style_report.html").exists()


def process_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process id of a run, as its log tells it."""
    for entry in instance.all_logs(run_id):
        if found := re.search(r"\(pid: (\d+)\)", entry.user_message or ""):
            return int(found.group(1))
    return None
