"""A tick of the landing sensor that outlasts the time that the daemon waits for it: its landing goes on."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster._api.snapshot_sensor import sync_get_external_sensor_execution_data_grpc
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget

from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.posts.landed import read_ledger
from fashion_assets.settings import Settings

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
WITHIN_SECONDS = 600.0
#: Some five seconds of a processor of 2024: many of one that is faster do not land them within one.
POSTS = 60_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data root with one file that takes some seconds to land."""
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    with (incoming / "large.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(
            ["poster_id", "post_id", "post_title", "post_date", "post_content", "post_fetch_time"]
        )
        for number in range(POSTS):
            words = f"马面裙{number}" * 30
            when = f"2024-0{number % 2 + 1}-05"
            row = [f"u{number:021x}", f"{number:024x}", "新中式", when, words, "2024-04-01 10:00:00"]
            writer.writerow(row)
    (incoming / "_SUCCESS").touch()
    return Settings(data_dir=tmp_path)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as opened:
        yield opened


def test_a_tick_that_is_given_up_lands_its_file_and_the_next_asks_for_the_months(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHION_DATA_DIR", str(settings.root))
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    target = ModuleTarget("fashion_assets.definitions", None, str(PROJECT), "fashion_assets")
    with create_test_daemon_workspace_context(target, instance) as workspace:
        location = workspace.create_request_context().get_code_location("fashion_assets")
        assert isinstance(location, GrpcServerCodeLocation)
        [repository] = location.get_repositories().values()

        def tick(seconds: int) -> tuple[list[str | None], str | None]:
            """What the daemon's tick gives, if it comes in time: the months asked for, and what was said."""
            told = sync_get_external_sensor_execution_data_grpc(
                location.client,
                instance,
                repository.handle,
                "incoming_sensor",
                None,
                None,
                None,
                None,
                None,
                seconds,
            )
            return [request.partition_key for request in told.run_requests or []], told.skip_message

        with pytest.raises(DagsterUserCodeUnreachableError, match="timed out"):
            tick(1)
        # No tick is given the time that the file needs: only one that goes on after it was given up can land it.
        end = time.monotonic() + WITHIN_SECONDS
        while read_ledger(settings.lake).empty and time.monotonic() < end:
            with suppress(DagsterUserCodeUnreachableError):
                months, said = tick(1)
                assert months or said == "another landing is at work"
            time.sleep(0.2)
        months, said = tick(300)
        # The ledger is written before the landing ends, and each tick that was given up lands on, one after another.
        while said == "another landing is at work" and time.monotonic() < end:
            time.sleep(0.2)
            months, said = tick(300)
    assert months == ["2024-01-01", "2024-02-01"], said
    assert read_ledger(settings.lake)["rows"].tolist() == [POSTS]
