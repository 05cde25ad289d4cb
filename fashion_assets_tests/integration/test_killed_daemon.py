"""The daemon is killed (SIGKILL) in the middle of its work and started again: each month is made once, none is lost."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.defs.run_tags import LANDED_MONTH
from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.sample import make_sample
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets_tests.integration.ui_processes import PROJECT, WORKSPACE, free_port, process

pytestmark = pytest.mark.slow

#: Two looks of the sensor are half a minute apart, and a run is a process: a minute, much more on a busy machine.
SECONDS_AT_MOST = 1000.0


def until(condition: Callable[[], bool], what: str, said: Path) -> None:
    end = time.monotonic() + SECONDS_AT_MOST
    while not condition():
        assert time.monotonic() < end, f"{what} did not come: {said.read_text(errors='replace')[-3000:]}"
        time.sleep(0.02)


def test_a_killed_daemon_asks_for_no_month_twice_and_loses_none(tmp_path: Path) -> None:
    root = tmp_path / "data"
    make_sample(root, months=2, posts_per_month=8, products=0, seed=3)
    settings = Settings(data_dir=root)
    prepare_dagster_home(settings)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    port = free_port()
    environment = kept | {
        "PYTHONPATH": str(PROJECT),
        "OMP_NUM_THREADS": "1",
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_CODE_HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": str(port),
        "FASHION_DATA_DIR": str(root),
        "FASHION_AUTOMATION": "true",
    }
    served = ("code-server", "start", "-m", "fashion_assets.definitions", "-h", "127.0.0.1", "-p", str(port))
    folders = [tmp_path / name for name in ("code", "first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        process(folders[0], environment, "dagster", *served),
        dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance,
    ):

        def runs() -> list[dg.DagsterRun]:
            return [run for run in instance.get_runs() if LANDED_MONTH in run.tags]

        # Rows are landed by the tick that asks for their months: it is killed between, or right after.
        with process(folders[1], environment, "dagster._daemon", "run", "-w", str(WORKSPACE)) as daemon:
            ledger = root / "lake" / "landing" / "ledger.parquet"
            until(ledger.exists, "the first landing", daemon.log)
            os.kill(daemon.popen.pid, signal.SIGKILL)
            assert daemon.popen.wait() == -signal.SIGKILL
        asked_before = len(runs())
        with process(folders[2], environment, "dagster._daemon", "run", "-w", str(WORKSPACE)) as daemon:
            months = {"2024-01", "2024-02"}
            until(lambda: set(Lake(settings.lake).months("raw_posts")) >= months, "the months", daemon.log)
            until(lambda: all(run.is_finished for run in runs()), "the end of the runs", daemon.log)
        asked = Counter(run.tags[LANDED_MONTH] for run in runs())
        sys.stdout.write(f"asked for before the kill: {asked_before}; in all: {dict(asked)}\n")
        assert dict.fromkeys(asked, 1) == dict(asked) and set(asked) >= months
        assert {run.status for run in runs()} == {dg.DagsterRunStatus.SUCCESS}
