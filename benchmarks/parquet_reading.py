"""Memory and time of reading a month of vectors: in pieces, as ``storage.parquet_files`` does, beside all at once.

    python benchmarks/parquet_reading.py [--posts 50000] [--width 929]

Each side reads the same file several times in a process of its own, by turns; printed are the largest resident memory
above that before the read, in units of the table's bytes, the least CPU seconds, and the ratios.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fashion_assets.defs.process_memory import give_back_what_is_freed
from fashion_assets.encoders.tables import vector_array
from fashion_assets.storage.files import write_parquet_atomic
from fashion_assets.storage.parquet_files import read_parquet

SIDES = {
    "all at once": lambda path: pq.read_table(path, partitioning=None, page_checksum_verification=True),
    "in pieces": read_parquet,
}


def resident(field: str) -> int:
    """Bytes of ``VmRSS`` or ``VmHWM``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def measure(side: str, path: Path, repeats: int, answer: Connection) -> None:
    give_back_what_is_freed()
    pq.read_table(path, columns=["post_id"])  # what a first read imports and keeps
    peak, seconds = 0, []
    for _ in range(repeats):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew (proc(5))
        before, began = resident("VmRSS"), time.process_time()
        table = SIDES[side](path)
        seconds.append(time.process_time() - began)
        peak = max(peak, resident("VmHWM") - before)
        size = table.nbytes
        del table
    answer.send((peak / size, min(seconds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=929)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    rows = np.random.default_rng(0).normal(size=(given.posts, given.width)).astype(np.float32)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "month.parquet"
        posts = pa.array([f"{at:024x}" for at in range(given.posts)])
        write_parquet_atomic(path, pa.table({"post_id": posts, "vector": vector_array(rows)}))
        del rows
        fresh = multiprocessing.get_context("spawn")
        for side in SIDES:
            ours, theirs = fresh.Pipe(duplex=False)
            process = fresh.Process(target=measure, args=(side, path, given.repeats, theirs))
            process.start()
            found[side] = ours.recv()
            process.join()
            print(f"{side:12} peak {found[side][0]:.2f} x the table, {found[side][1]:.2f} CPU s")
    (peak, seconds), (ours_peak, ours_seconds) = found["all at once"], found["in pieces"]
    print(f"in pieces / all at once: memory {ours_peak / peak:.2f}, CPU {ours_seconds / seconds:.2f}")


if __name__ == "__main__":
    main()
