"""Two runs of one month at the same time, as the daemon and a person start them: two processes, one instance, one lake.

The queue lets them not (``dagster/partition`` has a limit of one); what is tried here is that the result does not rest
on it: a command line beside the daemon, or an instance of one's own without the limit.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.runner import prepare_dagster_home, run_pipeline
from fashion_assets.posts.landed import read_ledger
from fashion_assets.sample import make_sample
from fashion_assets.settings import Settings
from fashion_assets.storage.warehouse import query
from fashion_assets_tests.integration.killing import copy_of, ended, fork, leftovers, post_counts, slots_held

pytestmark = pytest.mark.slow

OF_A_MONTH = [
    "raw_posts",
    "cleaned_posts",
    "quarantined_posts",
    "post_images",
    "garment_images",
    "image_embeddings",
]
MONTH = "2024-01"


def tables(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob(f"lake/*/{MONTH}*.parquet"))
    }


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("arrived") / "data"
    make_sample(root, months=1, posts_per_month=40, products=0, seed=3)
    (root / "author_salt").write_text("0" * 64)
    for path in (root / "incoming").rglob("*"):  # of yesterday: a run does not wait for them to settle
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


def materialise(root: Path, begin: int) -> int:
    """What a run's process does after the daemon has started it; it begins when it is told."""
    settings = Settings(data_dir=root)
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        os.read(begin, 1)
        selected = [dg.AssetKey(asset) for asset in [*OF_A_MONTH]]
        result = job.execute_in_process(
            asset_selection=selected, partition_key=f"{MONTH}-01", instance=instance, raise_on_error=False
        )
        published = job.execute_in_process(
            asset_selection=[dg.AssetKey("warehouse")], instance=instance, raise_on_error=False
        )
    return 0 if result.success and published.success else 3


def test_two_processes_that_make_one_month_leave_what_one_leaves(
    arrived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    alone = copy_of(arrived, tmp_path / "alone")
    settings = Settings(data_dir=alone)
    run_pipeline(build_definitions(settings), settings, select=",".join([*OF_A_MONTH, "warehouse"]))
    expected = tables(alone)
    assert {f"lake/{asset}/{MONTH}.parquet" for asset in OF_A_MONTH} <= expected.keys()

    both = copy_of(arrived, tmp_path / "both")
    prepare_dagster_home(Settings(data_dir=both))
    told, tell = os.pipe()
    children = [fork(lambda: materialise(both, told)) for _ in range(2)]
    os.write(tell, b"go")
    assert [ended(child)[0] for child in children] == [0, 0]

    assert tables(both) == expected
    assert post_counts(both) == post_counts(alone)
    ledgers = [
        read_ledger(root / "lake").sort_values("file").drop(columns="landed_at") for root in (alone, both)
    ]
    assert ledgers[0].to_dict("records") == ledgers[1].to_dict("records")
    counts = [
        query(root / "warehouse.duckdb", "select count(*) as posts from posts") for root in (alone, both)
    ]
    assert counts[0].equals(counts[1])
    with dg.DagsterInstance.from_config(str(both / "dagster_home")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 4
    assert slots_held(both) == 0 and leftovers(both) == 0
    # What the two have recorded, one after the other, is what lies there: nothing is to be made again.
    settings = Settings(data_dir=both)
    monkeypatch.setenv("DAGSTER_HOME", "")
    again = run_pipeline(build_definitions(settings), settings, select=",".join(OF_A_MONTH))
    assert again.nothing_to_do
