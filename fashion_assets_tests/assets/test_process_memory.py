"""A process that has loaded the definitions gives back what it frees, and holds no output of a step that is over."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.defs.batch_run import run_batch
from fashion_assets.defs.planning import Batch

#: Arrays of a step, and between them small ones that outlive it, as a model's would. The first round is a step before,
#: after which glibc would give arrays of this size no pages of their own any more.
STEP = """
import numpy as np
from fashion_assets.defs.process_memory import give_back_what_is_freed

give_back_what_is_freed()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def step(size):
    freed, kept = [], []
    for _ in range(60):
        freed.append(np.ones(size, np.uint8))
        kept.append(np.ones(100_000, np.uint8))
    del freed
    return kept

first = step(30_000_000)
before = resident()
second = step(4_000_000)
print(resident() - before)
"""


class Table(list[int]):
    """A value that can be watched."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_arrays_go_back_to_the_system() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "ARROW_"))}
    found = subprocess.run(
        [sys.executable, "-c", STEP], env=environment, capture_output=True, text=True, check=True
    )
    # 6 MB are kept; 240 MB were freed.
    assert int(found.stdout) < 60_000_000


def test_arrow_takes_its_buffers_from_the_same_place() -> None:
    code = (
        "import pyarrow as pa; from fashion_assets.defs.process_memory import give_back_what_is_freed as give;"
        "give(); print(pa.default_memory_pool().backend_name)"
    )
    for wanted, expected in (("", "system"), ("mimalloc", "mimalloc")):
        environment = {k: v for k, v in os.environ.items() if k != "ARROW_DEFAULT_MEMORY_POOL"}
        if wanted:
            environment["ARROW_DEFAULT_MEMORY_POOL"] = wanted
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == expected


def test_a_batch_holds_no_output_of_a_step_that_is_over(tmp_path: Path) -> None:
    made: list[weakref.ref[Table]] = []
    alive: list[bool] = []

    class Nowhere(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

        def load_input(self, context: dg.InputContext) -> list[int]:
            return []

    @dg.asset
    def first() -> Table:
        table = Table([1])
        made.append(weakref.ref(table))
        return table

    @dg.asset
    def second(first: list[int]) -> None:
        gc.collect()  # Dagster's own frames go round in a circle
        alive.append(made[0]() is not None)

    defs = dg.Definitions([first, second], resources={"io_manager": Nowhere()})
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = run_batch(job, instance, Batch(("first", "second"), None))
        run = instance.get_run_by_id(result.run_id)
    assert result.success and alive == [False]
    assert run is not None and run.asset_selection == {dg.AssetKey("first"), dg.AssetKey("second")}
