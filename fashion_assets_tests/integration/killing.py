"""Runs of a small data root that are killed at random points, run again, and compared with an undisturbed one.

``python -m fashion_assets_tests.integration.killing FOLDER --trials 8``, with ``ONE_THREAD`` in its environment, prints
a JSON line for each trial. One process has everything imported and has made the undisturbed run; each run of a trial is
a fork of it, so that a trial costs what the run computes and not what Python loads.

A kill strikes when the process has used a share, drawn uniformly, of the CPU time that a whole run takes: the wall
clock says little on a machine that others use. A watcher, another fork, reads every file that becomes visible.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fashion_assets.settings import Settings

#: All but products and experiments: landing, models learned once, three months, trends, reports, warehouse.
SELECT = "+style_registry,+style_trends,+keyword_trends,+weekly_trends,monthly_style_report,warehouse"
#: The lightest classifier: what is tried here is what is lost, not what is learned.
RECIPE = json.dumps({"heads": ["logistic"]})
#: Files that people and other processes read, each of which has to be whole whenever it is there.
READ = {".parquet", ".json", ".duckdb", ".safetensors", ".png"}
#: Landing notes that hold times of day; their rows are compared without these columns.
TIMES = {"landed_at", "changed_ns", "seen_at", "mtime_ns"}
_SECONDS_AT_MOST = 600.0
#: Environment of the process: pools of threads do not live through a fork, but for Numba's own kind.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "NUMBA_THREADING_LAYER": "workqueue"}


def prepare(folder: Path) -> Path:
    """A data root with three small months in ``incoming/``."""
    from fashion_assets.sample import make_sample

    root = folder / "arrived"
    make_sample(root, months=3, posts_per_month=14, products=0, seed=3)
    shutil.rmtree(root / "incoming" / "products", ignore_errors=True)
    (root / "author_salt").write_text("0" * 64)
    (root / "models" / "tfashion").mkdir(parents=True)
    (root / "models" / "tfashion" / "recipe.json").write_text(RECIPE)
    return root


def copy_of(arrived: Path, to: Path) -> Path:
    shutil.copytree(arrived, to, copy_function=shutil.copy2)
    return to


def run(root: Path) -> int:
    """What ``fashion-assets run --data-dir ROOT`` does, in this process: how many assets x months it made."""
    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.runner import run_pipeline

    os.environ["DAGSTER_HOME"] = ""  # that of the data root
    settings = Settings(data_dir=root)
    return run_pipeline(build_definitions(settings), settings, select=SELECT).made


def fork(work: Callable[[], int]) -> int:
    """The process id of a fork that does ``work`` and exits with what it returns; with 1 after an exception."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(child: int) -> tuple[int, float]:
    """(exit code, minus the signal where one ended it, CPU seconds) of a fork."""
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def kill_after(child: int, cpu_seconds: float) -> bool:
    """Whether the process was killed (SIGKILL) after so much CPU time; False if it ended before."""
    ticks = os.sysconf("SC_CLK_TCK")
    deadline = time.monotonic() + _SECONDS_AT_MOST
    while time.monotonic() < deadline:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        if fields[0] == "Z":
            break
        if (int(fields[11]) + int(fields[12])) / ticks >= cpu_seconds:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    return ended(child)[0] == -signal.SIGKILL


def visible(root: Path) -> list[Path]:
    """The files that a reader sees: no hidden ones, and not Dagster's own storage."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [
            name for name in names if not name.startswith(".") and name not in ("dagster_home", "incoming")
        ]
        found += [
            Path(folder, name) for name in files if not name.startswith(".") and Path(name).suffix in READ
        ]
    return sorted(found)


def read_whole(path: Path) -> None:
    """Read the file as its readers do. Raises where it is not whole."""
    match path.suffix:
        case ".parquet":
            import pyarrow.parquet as pq

            pq.read_table(path, partitioning=None, page_checksum_verification=True)
        case ".json":
            json.loads(path.read_text(encoding="utf-8"))
        case ".safetensors":
            from safetensors.numpy import load

            load(path.read_bytes())
        case ".png":
            from PIL import Image

            with Image.open(path) as picture:
                picture.load()
        case ".duckdb":
            warehouse_digests(path)


def warehouse_digests(path: Path) -> dict[str, str]:
    """Table -> rows and a hash of their content."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        told = {name: f'select count(*), sum(hash(t)::hugeint) from "{name}" t' for name in sorted(names)}
        return {name: str(connection.execute(statement).fetchone()) for name, statement in told.items()}


class Watcher:
    """A process that reads every file of ``root`` as soon as it is visible, until ``stop`` is called."""

    def __init__(self, root: Path) -> None:
        self._answers, answers = os.pipe()
        questions, self._stop = os.pipe()
        self._child = fork(lambda: self._watch(root, questions, answers))
        os.close(questions)
        os.close(answers)

    def _watch(self, root: Path, questions: int, answers: int) -> int:
        os.close(self._stop)
        os.set_blocking(questions, False)
        seen: set[tuple[str, int, int]] = set()
        faults: list[str] = []
        last = False
        while True:
            for path in visible(root):
                try:
                    status = path.stat()
                    key = (str(path), status.st_ino, status.st_mtime_ns)
                    if key not in seen:
                        seen.add(key)
                        read_whole(path)
                except FileNotFoundError:
                    continue  # replaced or removed since it was listed
                except Exception as fault:
                    faults.append(f"{path}: {type(fault).__name__}: {fault}")
            if last:
                break
            try:
                last = os.read(questions, 1) == b""
            except BlockingIOError:
                time.sleep(0.02)
        os.write(answers, json.dumps({"read": len(seen), "faults": faults[:20]}).encode())
        return 0

    def stop(self) -> dict[str, Any]:
        """{"read": different files and versions of files, "faults": those that were not whole}."""
        os.close(self._stop)
        told = b""
        while piece := os.read(self._answers, 1 << 16):
            told += piece
        os.close(self._answers)
        assert ended(self._child)[0] == 0
        return dict(json.loads(told))


def content(root: Path) -> dict[str, str]:
    """Digest of every table, model and page of the root, and of every table of the warehouse.

    Tables of ``landing/`` are compared without times of day, reports by being there: they tell when they were made.
    """
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for path in visible(root / "lake"):
        name = str(path.relative_to(root))
        if "landing" in path.parts and path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            rows = table.drop_columns(
                [column for column in table.column_names if column in TIMES]
            ).to_pylist()
            found[name] = hashlib.sha256(json.dumps(rows, default=str, sort_keys=True).encode()).hexdigest()
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((root / "models").glob("*/*.safetensors")):
        found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((root / "reports").rglob("*.html")):
        found[str(path.relative_to(root))] = "made"
    told = warehouse_digests(root / "warehouse.duckdb")
    return found | {f"warehouse/{name}": rows for name, rows in told.items()}


def post_counts(root: Path) -> dict[str, int]:
    """Rows of cleaned and refused posts, different cleaned posts, and rows that arrived."""
    from fashion_assets.storage.lake import Lake

    lake = Lake(root / "lake")
    months = lake.months("cleaned_posts")
    ids = [
        one
        for month in months
        for one in lake.read("cleaned_posts", month, ["post_id"])["post_id"].to_pylist()
    ]
    return {
        "arrived": sum(lake.row_count("raw_posts", month) for month in months),
        "cleaned": len(ids),
        "different": len(set(ids)),
        "refused": sum(lake.row_count("quarantined_posts", month) for month in months),
    }


def slots_held(root: Path) -> int:
    """Pool slots of the root's instance that are claimed or waited for."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(root / "dagster_home")) as instance:
        storage = instance.event_log_storage
        told = [storage.get_concurrency_info(key) for key in storage.get_concurrency_keys()]
        return sum(info.active_slot_count + len(info.pending_steps) for info in told)


def leftovers(root: Path) -> int:
    """Hidden files of writers that were killed."""
    return sum(1 for _ in root.rglob(".*.tmp*"))


def one_trial(arrived: Path, root: Path, expected: dict[str, str], cpu_seconds: float) -> dict[str, Any]:
    """Kill a run of a fresh root after ``cpu_seconds``, run again, and tell what is found."""
    copy_of(arrived, root)
    watcher = Watcher(root)
    killed = kill_after(fork(lambda: 0 * run(root)), cpu_seconds)
    files = visible(root)
    lake = [path for path in files if path.suffix == ".parquet" and "landing" not in path.parts]
    hidden = leftovers(root)
    faults = []
    for path in files:
        try:
            read_whole(path)
        except Exception as fault:
            faults.append(f"{path}: {fault}")
    code, _ = ended(fork(lambda: 0 * run(root)))
    made_again = ended(fork(lambda: min(run(root), 100)))[0]
    seen = watcher.stop()
    result: dict[str, Any] = {
        "killed": killed,
        "cpu_seconds": round(cpu_seconds, 2),
        "tables_at_kill": len(lake),
        "hidden_at_kill": hidden,
        "partial_at_kill": faults,
        "watched": seen["read"],
        "partial_watched": seen["faults"],
        "exit_code": code,
        "made_by_a_third_run": made_again,
    }
    if code == 0:
        now = content(root)
        result |= {
            "compared": len(now),
            "different": sorted(
                name for name in expected.keys() | now.keys() if expected.get(name) != now.get(name)
            ),
            "posts": post_counts(root),
            "slots_held": slots_held(root),
            "hidden_after": leftovers(root),
        }
    shutil.rmtree(root)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    arrived = prepare(given.folder)
    whole = copy_of(arrived, given.folder / "undisturbed")
    made = run(whole)  # in this process, which has everything loaded and compiled from now on
    expected = content(whole)
    timed = copy_of(arrived, given.folder / "timed")
    code, seconds = ended(fork(lambda: 0 * run(timed)))
    told = {"made": made, "seconds": round(seconds, 2), "posts": post_counts(whole), "exit_code": code}
    told["different"] = [name for name, digest in content(timed).items() if expected.get(name) != digest]
    tell(told)
    for number in range(given.trials):
        draw = random.Random(given.seed * 1000 + number).uniform(0, seconds)
        tell(one_trial(arrived, given.folder / f"trial{number}", expected, draw))


def tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
