"""A step's process is killed by the system for memory while it writes: told, tried again, nothing half stored."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.defs.executors import executor_of
from fashion_assets.defs.faults import JudgedIOManager, asset
from fashion_assets.defs.io_managers import LakeIOManager
from fashion_assets.settings import Settings
from fashion_assets.storage.files import remove_leftovers
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.tables import TableStream

pytestmark = pytest.mark.slow

ROOT = "FASHION_DATA_DIR"
SCHEMA = pa.schema([("post_id", pa.string())])


@asset()
def encoded() -> dg.MaterializeResult[TableStream]:
    return dg.MaterializeResult(value=TableStream(SCHEMA, _parts()))


def _parts() -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"post_id": [str(number) for number in range(50_000)]})
    marker = Path(os.environ[ROOT]) / "killed"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does to a process that takes too much memory
    yield pd.DataFrame({"post_id": ["last"]})


def encoding_job() -> dg.JobDefinition:
    settings = Settings(executor="multiprocess", workers=1)
    return dg.Definitions(
        assets=[encoded],
        executor=executor_of(settings),
        jobs=[dg.define_asset_job("encode", selection="*")],
        resources={"io_manager": JudgedIOManager(LakeIOManager(settings.lake))},
    ).resolve_job_def("encode")


def test_a_killed_step_is_told_and_tried_again_and_nothing_half_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT, str(tmp_path))
    with (
        dg.instance_for_test(temp_dir=str(tmp_path)) as instance,
        dg.execute_job(dg.reconstructable(encoding_job), instance=instance) as result,
    ):
        assert result.success
        kinds = [event.event_type for event in result.all_events]
        assert kinds.count(dg.DagsterEventType.STEP_UP_FOR_RETRY) == 1
        [told] = [event.message for event in result.all_events if "signal 9" in (event.message or "")]
        assert "encoded was terminated by signal 9 (SIGKILL)" in told and "out of memory" in told
    assert (tmp_path / "killed").exists()
    ids = Lake(tmp_path / "lake").read("encoded")["post_id"]
    assert len(ids) == len(ids.unique()) == 50_001
    # What the killed process wrote was hidden, and is a leftover.
    assert remove_leftovers(tmp_path) == 1
