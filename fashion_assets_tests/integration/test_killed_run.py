"""A run that is killed leaves nothing half-made, holds no slot, and is finished by the next."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from fashion_assets.storage.files import write_text_atomic
from fashion_assets_tests.integration.conftest import Demo, Run

pytestmark = pytest.mark.slow

ASSETS = (
    "raw_posts,cleaned_posts,quarantined_posts,word_vectors,keyword_training_words,tfashion_model,"
    "fashion_keywords,text_embeddings"
)
#: The lightest classifier: what is tried here is what is lost, not what is learned.
RECIPE = json.dumps({"heads": ["logistic"]})


def tables(root: Path, asset: str) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_parquet(path) for path in sorted((root / "lake" / asset).glob("*.parquet"))}


@pytest.mark.parametrize(
    "reached", ["cleaned_posts/2024-01", "fashion_keywords/2024-02", "text_embeddings/2024-01"]
)
def test_killed_and_run_again_equals_undisturbed(demo: Demo, tmp_path: Path, cli: Run, reached: str) -> None:
    root = tmp_path / "data"
    ignored = shutil.ignore_patterns("products", "media")
    shutil.copytree(demo.root / "incoming", root / "incoming", ignore=ignored, copy_function=shutil.copy2)
    shutil.copyfile(demo.root / "author_salt", root / "author_salt")
    write_text_atomic(root / "models" / "tfashion" / "recipe.json", RECIPE)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    command = [sys.executable, "-m", "fashion_assets.cli", "run", "--data-dir", str(root), "--select", ASSETS]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tick, target = threading.Event(), root / "lake" / f"{reached}.parquet"
    while running.poll() is None and not target.exists():
        tick.wait(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    for path in (root / "lake").rglob("*.parquet"):
        pq.read_table(path)  # whole, whatever was written at that moment

    again = cli("run", "--data-dir", root, "--select", ASSETS)
    assert again.returncode == 0, again.stderr
    assert "Nothing new" in cli("run", "--data-dir", root, "--select", ASSETS).stdout
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(root / "incoming", undisturbed / "incoming", copy_function=shutil.copy2)
    shutil.copyfile(root / "author_salt", undisturbed / "author_salt")
    write_text_atomic(undisturbed / "models" / "tfashion" / "recipe.json", RECIPE)
    whole = cli("run", "--data-dir", undisturbed, "--select", ASSETS)
    assert whole.returncode == 0, whole.stderr
    for asset in ("cleaned_posts", "quarantined_posts", "fashion_keywords", "text_embeddings"):
        ours, theirs = tables(root, asset), tables(undisturbed, asset)
        assert list(ours) == list(theirs) and ours
        for month, frame in ours.items():
            pd.testing.assert_frame_equal(frame, theirs[month], obj=f"{asset} {month}")
