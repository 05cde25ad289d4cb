"""One thread of BLAS: in a process of its own, where no library that brings one is loaded yet."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LATE = """
import numpy, sys
from threadpoolctl import threadpool_info
from fashion_assets.networks.cores import one_blas_thread
assert "scipy.linalg" not in sys.modules
with one_blas_thread():
    import scipy.linalg, sklearn.linear_model
    inside = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
outside = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
print(inside, outside)
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="BLAS has one thread on one core")
def test_a_library_that_is_loaded_inside_has_one_thread_too() -> None:
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    found = subprocess.run(
        [sys.executable, "-c", LATE], env=os.environ | counts, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    inside, outside = found.stdout.strip()[1:-1].split("] [")
    assert set(inside.split(", ")) == {"1"} and set(outside.split(", ")) == {"2"}
