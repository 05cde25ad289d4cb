"""The run-history folder: what its configuration switches on, and that it is a person's own once changed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from fashion_assets.defs.run_order import NewestReportsFirst
from fashion_assets.defs.run_tags import IN_ORDER
from fashion_assets.defs.runner import DAGSTER_YAML, prepare_dagster_home, write_dagster_home
from fashion_assets.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
EARLIER = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_runs_are_watched_retried_and_take_turns(settings: Settings) -> None:
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled and instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure, (
            "failed steps have a policy of their own"
        )
        assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 60
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert {"key": IN_ORDER, "limit": 1} in queue.tag_concurrency_limits
        assert isinstance(instance.run_coordinator, NewestReportsFirst)
        pools = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert pools["gpu"] == settings.gpu_pool


def test_an_earlier_version_s_file_is_brought_up_to_date_and_a_person_s_own_stays(settings: Settings) -> None:
    config = settings.dagster_home / "dagster.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(EARLIER)
    write_dagster_home(settings)
    assert config.read_text() == DAGSTER_YAML
    own = EARLIER + "  poll_interval_seconds: 10\n"
    config.write_text(own)
    write_dagster_home(settings)
    assert config.read_text() == own


def test_the_local_instance_and_that_of_production_guard_the_same(settings: Settings) -> None:
    """One run of a month at a time, months in order, an end for runs whose host is gone, slots freed."""
    write_dagster_home(settings)
    local = yaml.safe_load((settings.dagster_home / "dagster.yaml").read_text())
    production = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    limits = [one["run_coordinator"]["config"]["tag_concurrency_limits"] for one in (local, production)]
    of_a_month = {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    for of_one in limits:
        assert of_a_month in of_one and {"key": IN_ORDER, "limit": 1} in of_one
    monitored = [one["run_monitoring"] for one in (local, production)]
    assert monitored[0]["max_runtime_seconds"] == monitored[1]["max_runtime_seconds"] == 6 * 3600
    for guard in ("run_retries", "nux", "telemetry"):
        assert local[guard] == production[guard]


def test_the_files_of_releases_before_are_known_as_nobody_s_own(settings: Settings) -> None:
    """Their texts are the present one with the limits elsewhere, and without what came since."""
    head, limits_and_rest = DAGSTER_YAML.split("run_coordinator:\n")
    coordinator, rest = limits_and_rest.split("  config:\n")
    limits, monitored = rest.split("run_monitoring:\n")
    head, pools = head.split("concurrency:\n")
    second = f"{head}concurrency:\n  runs:\n{limits}{pools}run_coordinator:\n{coordinator}run_monitoring:\n{monitored}"
    first = second
    came_since = (
        "      - key: dagster/partition\n        value:\n          applyLimitPerUniqueValue: true\n        limit: 1\n",
        "run_coordinator:\n  module: fashion_assets.defs.run_order\n  class: NewestReportsFirst\n",
        "  max_runtime_seconds: 21600\n",
    )
    for part in came_since:
        assert part in first
        first = first.replace(part, "")
    config = settings.dagster_home / "dagster.yaml"
    config.parent.mkdir(parents=True)
    for before in (first, second):
        config.write_text(before)
        write_dagster_home(settings)
        assert config.read_text() == DAGSTER_YAML
