"""A run that is killed leaves nothing half-made, holds no slot, and is finished by the next.

Four kills at random points; all thirty: ``python -m benchmarks.kill_recovery``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fashion_assets_tests.integration.killing import ONE_THREAD

pytestmark = pytest.mark.slow

TRIALS = 4


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the undisturbed runs and each trial tell."""
    folder = tmp_path_factory.mktemp("killing")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    command = [sys.executable, "-W", "ignore", "-m", "fashion_assets_tests.integration.killing", str(folder)]
    ran = subprocess.run(
        [*command, "--trials", str(TRIALS), "--seed", "7"],
        env=kept | ONE_THREAD | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    sys.stdout.write(ran.stdout)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_two_undisturbed_runs_are_equal(told: list[dict[str, Any]]) -> None:
    whole = told[0]
    assert whole["made"] > 30 and whole["exit_code"] == 0
    assert whole["different"] == [], "what differs by itself cannot be compared"


@pytest.mark.parametrize("number", range(1, TRIALS + 1))
def test_killed_and_run_again_equals_undisturbed(told: list[dict[str, Any]], number: int) -> None:
    whole, trial = told[0], told[number]
    assert trial["partial_at_kill"] == trial["partial_watched"] == []
    assert trial["watched"] > 20
    assert trial["exit_code"] == 0
    assert trial["different"] == [] and trial["compared"] > 40
    assert trial["posts"] == whole["posts"]
    assert trial["posts"]["cleaned"] == trial["posts"]["different"] > 0
    assert trial["slots_held"] == 0
    assert trial["hidden_after"] == 0
    assert trial["made_by_a_third_run"] == 0


def test_the_kills_struck_at_different_points(told: list[dict[str, Any]]) -> None:
    struck = [trial for trial in told[1:] if trial["killed"]]
    assert len(struck) >= TRIALS - 1, "a run may end before its moment comes"
    assert len({trial["tables_at_kill"] for trial in struck}) >= TRIALS // 2
