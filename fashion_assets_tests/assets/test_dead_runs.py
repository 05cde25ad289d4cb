"""Runs of command lines that were killed: closed by the next one that has the data root, also those of another host."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.defs.dead_runs import close_dead_runs
from fashion_assets.defs.run_tags import HOST, PID, tags_of_this_process
from fashion_assets.defs.runner import open_instance, prepare_dagster_home
from fashion_assets.settings import Settings

ELSEWHERE = {HOST: "a-machine-that-is-gone", PID: str(os.getpid())}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings(data_dir=tmp_path)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


@dg.op(pool="duckdb")
def holds() -> None: ...


@dg.job
def publish() -> None:
    holds()


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    """A run that has a pool slot and has not ended."""
    run = instance.create_run_for_job(publish, tags=tags, status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.initialize_concurrency_limit_to_default("duckdb")
    claim = instance.event_log_storage.claim_concurrency_slot("duckdb", run.run_id, "holds")
    assert claim.is_claimed
    return run


def slots(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("duckdb").active_slot_count


def test_a_run_of_a_host_that_is_gone_ends_and_gives_its_slot_back(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """Containers have another name each time they are made, and number their processes from 1."""
    run = started(instance, ELSEWHERE)
    assert slots(instance) == 1
    assert close_dead_runs(instance, settings) == 1
    closed = instance.get_run_by_id(run.run_id)
    assert closed is not None and closed.status == dg.DagsterRunStatus.FAILURE
    assert slots(instance) == 0
    ends = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    [said] = [entry.dagster_event.message for entry in ends if entry.dagster_event is not None]
    assert said == "the process of this run on a-machine-that-is-gone is gone; it was killed"
    assert close_dead_runs(instance, settings) == 0


@pytest.mark.parametrize(
    "tags", [{}, tags_of_this_process()], ids=["of the daemon", "of a living command line"]
)
def test_other_runs_go_on(settings: Settings, instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    run = started(instance, tags)
    assert close_dead_runs(instance, settings) == 0
    going_on = instance.get_run_by_id(run.run_id)
    assert going_on is not None and going_on.status == dg.DagsterRunStatus.STARTED and slots(instance) == 1


def test_of_an_instance_that_others_share_runs_of_other_hosts_are_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be those of another data root, which nobody here has the lock of."""
    shared = Settings(data_dir=tmp_path / "shared")
    prepare_dagster_home(shared)
    monkeypatch.setenv("DAGSTER_HOME", str(shared.dagster_home))
    with open_instance(settings) as instance:
        started(instance, ELSEWHERE)
        assert close_dead_runs(instance, settings) == 0
        dead = ELSEWHERE | {HOST: socket.gethostname(), PID: str(2**22 + 1)}
        instance.event_log_storage.free_concurrency_slots_for_run(instance.get_runs()[0].run_id)
        started(instance, dead)
        assert close_dead_runs(instance, settings) == 1
