"""Months made one by one, in random order, and all at once with a kill between, end bit-equal: four, and a year."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.runner import run_pipeline
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_text_atomic
from fashion_assets.storage.months import month_range
from fashion_assets_tests.integration.conftest import Run, learn_words_quickly

SELECT = "+style_profiles,monthly_style_report"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("2024-04", id="four_months", marks=pytest.mark.slow),
        pytest.param("2024-12", id="a_year", marks=pytest.mark.long),
    ],
)
def months(request: pytest.FixtureRequest) -> list[str]:
    return month_range("2024-01", request.param)


@pytest.fixture(scope="module")
def arrived(months: list[str], tmp_path_factory: pytest.TempPathFactory, cli: Run) -> Path:
    """A data root in which small months wait to be landed."""
    root = tmp_path_factory.mktemp("arrived")
    size = ("--months", str(len(months)), "--posts-per-month", "16", "--products", "0", "--seed", "3")
    made = cli("sample", root, *size)
    assert made.returncode == 0, made.stderr
    write_text_atomic(root / "author_salt", "0" * 64)
    learn_words_quickly(root)
    return root


def copy_of(arrived: Path, to: Path) -> Settings:
    shutil.copytree(arrived, to, copy_function=shutil.copy2)
    return Settings(data_dir=to)


def one_by_one(settings: Settings, months: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Each month by a run of its own, in this order, from a data root where nothing is made yet."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    for month in months:
        run_pipeline(build_definitions(settings), settings, months=month, select=SELECT)
    return digests(settings.root)


def digests(root: Path) -> dict[str, str]:
    """The digest of the file of each monthly table and each model; reports carry a time and are only counted."""
    tables = [path for path in (root / "lake").glob("*/2024-*.parquet") if path.parent.name != "landing"]
    models = [*(root / "models").glob("*/*.safetensors")]
    found = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*tables, *models)
    }
    pages = (root / "reports").glob("2024-*/style_report.html")
    return found | {str(page.relative_to(root)): "made" for page in pages}


@pytest.fixture(scope="module")
def sequential(arrived: Path, months: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        settings = copy_of(arrived, tmp_path_factory.mktemp("sequential") / "data")
        found = one_by_one(settings, months, patch)
    for asset in ("style_profiles", "style_clusters", "multimodal_embeddings"):
        assert len([name for name in found if name.startswith(f"lake/{asset}/")]) == len(months), asset
    assert len([name for name in found if name.startswith("models/style_model/")]) == len(months)
    return found


def test_in_random_order(
    arrived: Path,
    months: list[str],
    sequential: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shuffled = months.copy()
    random.Random(2).shuffle(shuffled)
    assert shuffled != months
    settings = copy_of(arrived, tmp_path / "data")
    assert one_by_one(settings, shuffled, monkeypatch) == sequential


def test_all_at_once_killed_and_gone_on_with(
    arrived: Path, months: list[str], sequential: dict[str, str], tmp_path: Path, cli: Run
) -> None:
    settings = copy_of(arrived, tmp_path / "data")
    span = f"{months[0]}:{months[-1]}"
    arguments = ("run", "--data-dir", str(settings.root), "--months", span, "--select", SELECT)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "fashion_assets.cli", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    reached, tick = (
        settings.root / "lake" / "style_clusters" / f"{months[len(months) // 2]}.parquet",
        threading.Event(),
    )
    while running.poll() is None and not reached.exists():
        tick.wait(0.05)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert digests(settings.root) != sequential

    resumed = cli(*arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert digests(settings.root) == sequential
    assert "Nothing new" in cli(*arguments).stdout
