"""The inline engine and memory: an encoder's process that the system kills, and one that it gives no more.

Real processes: each run is a fork of its own, as ``fashion-assets run`` is a process. Whatever the end, it is told in a
sentence, nothing half-made is visible, and the next run ends as an undisturbed one does.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.run_summaries import read_summaries
from fashion_assets.defs.runner import StepFailed, run_pipeline
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.local_visual import LocalVisualEncoder
from fashion_assets.sample import make_sample
from fashion_assets.settings import Settings
from fashion_assets_tests.integration.killing import copy_of, ended, fork, leftovers, slots_held

pytestmark = pytest.mark.slow

SELECT = "+image_embeddings"
ASSET = "image_embeddings"


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("arrived") / "data"
    make_sample(root, months=1, posts_per_month=12, products=0, seed=3)
    (root / "author_salt").write_text("0" * 64)
    return root


@pytest.fixture(scope="module")
def undisturbed(arrived: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = copy_of(arrived, tmp_path_factory.mktemp("undisturbed") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run(root)
    found = tables(root)
    assert f"lake/{ASSET}/2024-01.parquet" in found
    return found


def run(root: Path) -> int:
    """What ``fashion-assets run`` does; how much it made."""
    settings = Settings(data_dir=root)
    return run_pipeline(build_definitions(settings), settings, select=SELECT).made


def run_with_encoder(root: Path, encode: Callable[..., Any]) -> int:
    LocalVisualEncoder.encode = encode  # type: ignore[method-assign]
    return run(root)


def tables(root: Path) -> dict[str, str]:
    """Digest of each visible table of the month."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("lake/*/2024-01.parquet"))
    }


def rows_cached(root: Path) -> int:
    import pyarrow.parquet as pq

    return sum(
        pq.read_metadata(path).num_rows for path in (root / "models").rglob("embedding_cache/**/*.parquet")
    )


def test_a_run_whose_encoder_is_killed_for_memory_is_told_and_gone_on_with(
    arrived: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setitem(EmbeddingCache.__init__.__kwdefaults__, "shard_rows", 8)  # type: ignore[arg-type]
    root = copy_of(arrived, tmp_path / "data")
    encode, calls = LocalVisualEncoder.encode, []

    def killed(self: LocalVisualEncoder, items: Iterable[Any], refused: dict[int, str] | None = None) -> Any:
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does to the process that takes too much
        return encode(self, items, refused)

    assert ended(fork(lambda: run_with_encoder(root, killed)))[0] == -signal.SIGKILL
    assert f"lake/{ASSET}/2024-01.parquet" not in tables(root)
    kept = rows_cached(root)
    assert kept == 8, "what was encoded before stays"

    assert run(root) == 1, "the images' vectors; all before them were made"
    assert tables(root) == undisturbed
    settings = Settings(data_dir=root)
    errors = [line["error"] for line in read_summaries(settings, 20) if line["outcome"] == "FAILURE"]
    assert errors == ["the process of this run is gone; it was killed"]
    assert slots_held(root) == 0 and leftovers(root) == 0
    [made] = [line["made"] for line in read_summaries(settings, 20)[:1]]
    assert [one["reused"] for one in made] == [8]


def test_an_encoder_that_gets_no_more_memory_ends_its_step_with_a_sentence(
    arrived: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    root = copy_of(arrived, tmp_path / "data")
    encode = LocalVisualEncoder.encode

    def greedy(self: LocalVisualEncoder, items: Iterable[Any], refused: dict[int, str] | None = None) -> Any:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (256 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        np.ones(1 << 30, dtype=np.uint8)
        return encode(self, items, refused)

    def told() -> int:
        try:
            run_with_encoder(root, greedy)
        except StepFailed as fault:
            (root / "told").write_text(str(fault), encoding="utf-8")
            return 7
        return 0

    assert ended(fork(told))[0] == 7
    said = (root / "told").read_text(encoding="utf-8")
    assert said.startswith(f"{ASSET} of 2024-01 failed: MemoryError: Unable to allocate 1.00 GiB"), said
    with dg.DagsterInstance.from_config(str(root / "dagster_home")) as instance:
        [failed] = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        retried = instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    assert not retried, "no retry gives it more"
    assert run(root) == 1
    assert tables(root) == undisturbed
    assert slots_held(root) == 0 and leftovers(root) == 0
