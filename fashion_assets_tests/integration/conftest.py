"""One sample, run once through the command line, that the integration tests look at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def fashion_assets(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a person does; terminal output is wide and plain."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "fashion_assets.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "COLUMNS": "300", "NO_COLOR": "1", **environment},
    )


def learn_words_quickly(root: Path) -> None:
    """Have ``run`` train one head of the word classifier instead of choosing among all: what is tried is elsewhere."""
    recipe = root / "models" / "tfashion" / "recipe.json"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text('{"heads": ["logistic"]}')


@pytest.fixture(scope="session")
def cli() -> Run:
    return fashion_assets


@dataclass(frozen=True)
class Demo:
    """A data root after ``sample`` and ``run``, and what ``run`` printed."""

    root: Path
    output: str

    def truth(self, name: str) -> Path:
        return self.root / "sample_truth" / f"{name}.csv"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Another seed than the one that the sample was tuned on."""
    root = tmp_path_factory.mktemp("demo")
    made = fashion_assets(
        "sample", root, "--months", "4", "--posts-per-month", "250", "--products", "300", "--seed", "11"
    )
    assert made.returncode == 0, made.stderr
    ran = fashion_assets("run", "--data-dir", root)
    assert ran.returncode == 0, ran.stderr
    return Demo(root, ran.stdout)
