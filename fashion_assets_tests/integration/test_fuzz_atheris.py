"""Coverage-guided fuzzing of every parser for a bounded time, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fashion_assets_tests.fuzz.seeds import seeds

pytestmark = pytest.mark.long

#: Seconds of fuzzing per target, seconds for one input, MB of memory.
SECONDS, HANG, MEMORY = int(os.environ.get("FUZZ_SECONDS", "20")), 15, 3000


@pytest.mark.parametrize("name", sorted(seeds()))
def test_nothing_breaks_a_promise(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (pip install atheris)")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds()[name]):
        (corpus / str(number)).write_bytes(data)
    options = [f"-max_total_time={SECONDS}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", "-max_len=20000"]
    command = [sys.executable, "-W", "ignore", "-m", "fashion_assets_tests.fuzz", name, str(corpus), *options]
    ran = subprocess.run(
        [*command, f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=SECONDS + 200,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert ran.returncode == 0, f"{found[:1]!r}\n{ran.stdout[-3000:]}\n{ran.stderr[-1500:]}"
    assert "Done " in ran.stderr  # how many inputs were run, in libFuzzer's words
