"""The production instance for real: ``deploy/dagster.yaml`` on a PostgreSQL server, logs in an S3 store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from fashion_assets.sample.make import make_sample
from fashion_assets_tests.integration.postgres_server import NoPostgres, PostgresServer, postgres_server

pytest.importorskip("dagster_postgres", reason="extra [postgres]")
pytest.importorskip("dagster_aws", reason="extra [s3]")
moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
MONTHS = ("2024-01-01", "2024-02-01")
BUCKET = "logs"
#: For what takes a process of Dagster some seconds, or a minute on a busy machine: a failure, not a hanging test.
SECONDS_AT_MOST = 600.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    try:
        with postgres_server() as started:
            yield started
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """An S3 store on loopback with the bucket of the logs; the environment in which boto3 finds it."""
    import boto3

    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    found = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "made",
        "AWS_SECRET_ACCESS_KEY": "up",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DAGSTER_LOGS_BUCKET": BUCKET,
    }
    try:
        boto3.client(
            "s3",
            endpoint_url=found["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id="made",
            aws_secret_access_key="up",
            region_name="us-east-1",
        ).create_bucket(Bucket=BUCKET)
        yield found
    finally:
        running.stop()


@dataclass(frozen=True)
class Production:
    """A data root with made posts, and the instance beside it."""

    root: Path
    server: PostgresServer
    environment: dict[str, str]
    database: str = "dagster"

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dagster", *command],
            cwd=self.root,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, statement: str) -> list[list[str]]:
        return self.server.ask(self.database, statement)


@pytest.fixture(scope="module")
def production(
    server: PostgresServer, store: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Production:
    root = tmp_path_factory.mktemp("production")
    make_sample(root, months=2, posts_per_month=40, products=0, seed=5)
    server.create_database("dagster")
    home = root / "home"
    home.mkdir()
    shutil.copyfile(PROJECT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FASHION_", "DAGSTER_", "AWS_"))}
    environment = kept | server.environment("dagster") | store
    environment |= {"DAGSTER_HOME": str(home), "FASHION_DATA_DIR": str(root), "OMP_NUM_THREADS": "1"}
    made = Production(root, server, environment | {"PYTHONPATH": str(PROJECT)})
    # The tables, by one process: of two that make them at one moment Dagster lets one fail now and then.
    making = made.start("instance", "info")
    said = making.communicate(timeout=SECONDS_AT_MOST)[0]
    assert making.returncode == 0, said
    return made


@pytest.fixture
def instance(production: Production, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The production instance as this process sees it."""
    for name, value in production.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as opened:
        yield opened


@pytest.fixture(scope="module")
def two_months(production: Production) -> list[str]:
    """What two processes printed that materialised a month each, at the same time."""
    command = (
        *("asset", "materialize", "-m", "fashion_assets.definitions"),
        *("--select", "raw_posts,cleaned_posts,quarantined_posts", "--partition"),
    )
    running = [production.start(*command, month) for month in MONTHS]
    printed = [process.communicate(timeout=SECONDS_AT_MOST)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], "\n".join(printed)
    return printed


def test_two_processes_leave_runs_and_events_in_postgres(
    production: Production, two_months: list[str], instance: dg.DagsterInstance
) -> None:
    assert type(instance.run_storage).__name__ == "PostgresRunStorage"
    assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
    assert type(instance.schedule_storage).__name__ == "PostgresScheduleStorage"
    runs = production.ask("select run_id, status, partition from runs order by partition")
    assert [run[1:] for run in runs] == [["SUCCESS", month] for month in MONTHS]
    made = production.ask(
        "select asset_key, partition, count(*) from event_logs "
        "where dagster_event_type = 'ASSET_MATERIALIZATION' group by 1, 2 order by 1, 2"
    )
    assets = ("cleaned_posts", "quarantined_posts", "raw_posts")
    assert made == [[f'["{asset}"]', month, "1"] for asset in assets for month in MONTHS]
    # What another process wrote is what this one reads.
    for asset in assets:
        assert instance.get_materialized_partitions(dg.AssetKey(asset)) == set(MONTHS)
    event = instance.get_latest_materialization_event(dg.AssetKey("cleaned_posts"))
    assert event is not None and event.asset_materialization is not None
    rows = event.asset_materialization.metadata["dagster/row_count"].value
    month = str(event.asset_materialization.partition)[:7]
    assert rows == pq.read_metadata(production.root / f"lake/cleaned_posts/{month}.parquet").num_rows > 10
    tables = {
        name for (name,) in production.ask("select tablename from pg_tables where schemaname = 'public'")
    }
    assert {"runs", "event_logs", "jobs", "job_ticks", "concurrency_limits", "pending_steps"} <= tables
    # Nothing but its folders: no SQLite file was written beside the server.
    assert [path.name for path in (production.root / "home").rglob("*.db")] == []
    assert production.server.password not in "".join(two_months)


def test_the_logs_of_the_steps_are_in_the_bucket(
    production: Production, two_months: list[str], instance: dg.DagsterInstance
) -> None:
    import boto3

    keys = [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    runs = [run_id for (run_id,) in production.ask("select run_id from runs")]
    for run_id in runs:
        mine = [key for key in keys if f"/{run_id}/" in key]
        assert mine and all(key.startswith("compute-logs/storage/") for key in mine)
    (key,) = {tuple(key.split("/")[2:-1]) for key in keys if runs[0] in key}
    name = next(key.rsplit("/", 1)[1].rsplit(".", 1)[0] for key in keys if runs[0] in key)
    logs = instance.compute_log_manager.get_log_data([*key, name])
    assert b"STEP_SUCCESS" in (logs.stderr or b"") + (logs.stdout or b"")


#: One step of pool duckdb that ends when it is told to, and writes down when it worked.
HOLDS_A_SLOT = """
import os, time
from pathlib import Path
import dagster as dg

@dg.asset(pool="duckdb")
def publication():
    folder = Path(os.environ["HELD_IN"])
    mine = folder / str(os.getpid())
    mine.touch()
    end = time.monotonic() + 1800
    while not (folder / "release").exists() and time.monotonic() < end:
        time.sleep(0.05)
    mine.unlink()

defs = dg.Definitions(assets=[publication], executor=dg.in_process_executor)
"""


def test_a_pool_of_one_holds_over_two_processes(
    production: Production, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "holds_a_slot.py").write_text(HOLDS_A_SLOT, encoding="utf-8")
    held = tmp_path / "held"
    held.mkdir()
    # As deploy/README.md says: two first claims at one moment break each other's transaction on PostgreSQL.
    setting = production.start("instance", "concurrency", "set", "duckdb", "1")
    assert "duckdb" in setting.communicate(timeout=SECONDS_AT_MOST)[0] and setting.returncode == 0
    command = ("asset", "materialize", "-f", str(tmp_path / "holds_a_slot.py"), "--select", "publication")
    running = [production.start(*command, HELD_IN=str(held)) for _ in range(2)]
    storage = instance.event_log_storage

    def one_works_and_two_have_asked() -> bool:
        # Of two that ask at the same moment both may be "assigned" (both saw the free slot) and none "pending":
        # the row of the slot, which only one of them gets, decides.
        return len(storage.get_concurrency_info("duckdb").pending_steps) == 2 and any(held.iterdir())

    try:
        until(one_works_and_two_have_asked, running)
        # The other asks again every second or so: time for it to be let in wrongly.
        time.sleep(3)
        info = storage.get_concurrency_info("duckdb")
        assert (info.slot_count, info.active_slot_count) == (1, 1)
        assert len(list(held.iterdir())) == 1
        (held / "release").touch()
        printed = [process.communicate(timeout=SECONDS_AT_MOST)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(printed)
    info = storage.get_concurrency_info("duckdb")
    assert (info.active_slot_count, len(info.pending_steps)) == (0, 0)
    # Dagster's own log of the steps: the second began when the first had ended.
    times = production.ask(
        "select dagster_event_type, timestamp from event_logs where step_key = 'publication' "
        "and dagster_event_type in ('STEP_START', 'STEP_SUCCESS') order by timestamp, id"
    )
    assert [kind for kind, _ in times] == ["STEP_START", "STEP_SUCCESS"] * 2


def test_the_limit_of_a_pool_is_raised_by_the_command_of_the_runbook(
    production: Production, instance: dg.DagsterInstance
) -> None:
    process = production.start("instance", "concurrency", "set", "gpu", "2")
    assert "gpu" in process.communicate(timeout=SECONDS_AT_MOST)[0] and process.returncode == 0
    limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    assert limits["gpu"] == 2
    assert instance.global_op_concurrency_default_limit == 1


def test_a_dump_restored_elsewhere_is_the_same_history(
    production: Production, two_months: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, dump = production.server, tmp_path / "dagster.dump"
    server.program("pg_dump", "--format=custom", f"--file={dump}", database=production.database)
    server.create_database("restored")
    server.program("pg_restore", "--no-owner", "--dbname=restored", database=str(dump))
    for name, value in (production.environment | server.environment("restored")).items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as restored:
        assert restored.get_materialized_partitions(dg.AssetKey("cleaned_posts")) == set(MONTHS)
        statement = "select run_id, status from runs order by run_id"
        assert server.ask("restored", statement) == server.ask(production.database, statement)
        counts = "select count(*) from event_logs"
        assert server.ask("restored", counts) == server.ask(production.database, counts)


def until(condition: Any, running: list[subprocess.Popen[str]], seconds: float = SECONDS_AT_MOST) -> None:
    """Wait for ``condition``; fail with what a process printed if it ended, or when time is over."""
    end = time.monotonic() + seconds
    while not condition():
        for process in running:
            assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)
