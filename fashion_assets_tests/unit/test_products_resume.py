"""A training that is killed in earnest, kill -9 between two heads, ends with the model of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.products.model_folder import CARD, RECORD, ModelFolder, head_folder

LABELS = ("category", "sex", "season", "colour")
#: Nothing of a run that takes half a minute, or minutes on a busy machine, may take longer: the test fails and does not
#: hang.
DEADLINE = 900.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    command = ["sample", str(root), "--months", "1", "--posts-per-month", "20", "--products", "150"]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0, made.output
    return root / "incoming" / "products"


def start(shop: Path, model: Path) -> subprocess.Popen[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    command = [sys.executable, "-m", "fashion_assets.cli", "products", "train", str(shop)]
    command += ["--labels", ",".join(LABELS), "--model-dir", str(model)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**kept, "COLUMNS": "200"}
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    return output


def stored(model: Path) -> set[str]:
    return {name for name in LABELS if (head_folder(model, name) / RECORD).is_file()}


def without_times(value: Any) -> Any:
    """The record without how long things took: all else of two trainings must be the same."""
    if isinstance(value, Mapping):
        return {name: without_times(one) for name, one in value.items() if name != "seconds"}
    return [without_times(one) for one in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_a_training_that_was_killed_ends_with_the_model_of_an_undisturbed_one(
    shop: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert "(kept)" not in finish(start(shop, whole))

    process, until = start(shop, broken), time.monotonic() + DEADLINE
    try:
        while not stored(broken):
            assert process.poll() is None and time.monotonic() < until, "no head was stored"
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE)
    done = stored(broken)
    assert process.returncode == -signal.SIGKILL and 1 <= len(done) < len(LABELS)
    written = {name: (head_folder(broken, name) / RECORD).stat().st_mtime_ns for name in done}
    assert not (broken / "model.json").exists()

    told = finish(start(shop, broken))
    assert told.count("(kept)") == len(done)
    assert {name: (head_folder(broken, name) / RECORD).stat().st_mtime_ns for name in done} == written
    first, second = ModelFolder.open(whole).manifest.files, ModelFolder.open(broken).manifest.files
    assert set(first) == set(second)
    timed = {name for name in first if name == CARD or name.endswith(RECORD)}
    assert {name: first[name] for name in first if name not in timed} == {
        name: second[name] for name in second if name not in timed
    }
    for name in LABELS:
        one, other = (
            json.loads((head_folder(model, name) / RECORD).read_text()) for model in (whole, broken)
        )
        assert without_times(one) == without_times(other)
