"""Load: a made history goes through the whole pipeline month by month, as a user runs it.

    python benchmarks/load_history.py                                   # 24 months of 50,000 posts: hours on 2 cores
    python benchmarks/load_history.py --months 3                        # three whole months of 50,000
    python benchmarks/load_history.py --months 24 --posts 2000          # the slope
    python benchmarks/load_history.py --months 24 --posts 2000 --select +monthly_style_report   # of months alone
    python benchmarks/load_history.py --root DIR --months 24 --minutes 10   # goes on where it stopped

Each month a crawl file is put into `incoming/` and `fashion-assets run` is started as a process of its own; what it
makes is everything down to the warehouse. Posts are those of `fashion-assets sample`, in its crawl forms, with its
repeats (within one crawl) and bad rows; every month draws its own authors. `--pictures` is the share of posts with
pictures, each drawn for its post and delivered as one archive a month: a picture costs far more than a text, so with
few of them styles rest on texts. `--late` is the share of posts that come a month late, so that the month before is
made again.

Printed per month: wall and CPU seconds of the process and the largest memory of its process tree (resident, pages
that processes share counted once, sampled, and never less than the kernel's high-water mark), and the seconds of its
steps by stage, from Dagster's records. Then the slope: seconds per month behind, by least squares with a 95 %
interval, of the whole run, of the steps of months, and of the steps that are made of all months. Months that learn the
words anew, as the corpus has doubled, make every month again: they are marked and stand outside the slope. Aims: a
slope whose interval holds 0, a peak under 3 GB.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fashion_assets.sample import crawl_files, faults
from fashion_assets.sample.delivery import Delivery, Post, deliver, fetch_time, make_posts, make_record
from fashion_assets.sample.pictures import draw_plan, encode_picture, plan_pictures
from fashion_assets.storage.months import shift_month

FIRST_MONTH, STYLE_WINDOW = "2022-01", 12
POLL_SECONDS = 0.25
GROUPS = ("posts", "keywords", "media", "embeddings", "styles", "reports", "checks", "learning", "whole")
WHOLE = ("trends", "warehouse", "products")
LEARNED = ("word_vectors", "keyword_training_words", "tfashion_model")


@dataclass
class Month:
    """What one month took: seconds, `peak` bytes, seconds of steps by stage, whether words were learned again."""

    month: str
    posts: int
    pictures: int
    wall: float
    cpu: float
    peak: int
    began: float
    stages: dict[str, float] = field(default_factory=dict)
    whole: dict[str, float] = field(default_factory=dict)
    months_made: int = 0
    #: Largest memory by second of the clock.
    memory: dict[int, int] = field(default_factory=dict)
    step_memory: dict[str, int] = field(default_factory=dict)

    @property
    def made_all_again(self) -> bool:
        return self.stages.get("learning", 0.0) > 0


def posts_of(at: int, given: argparse.Namespace) -> tuple[list[Post], list[Post]]:
    """(posts of the month that come with it, posts that come a month late)."""
    chance = random.Random(given.seed * 1_000 + at)
    posts = make_posts(shift_month(FIRST_MONTH, at), 1, given.posts, chance)
    posts = [one if chance.random() < given.pictures else replace(one, n_pictures=0) for one in posts]
    n_late = round(given.late * len(posts))
    return posts[n_late:], posts[:n_late]


def deliver_month(root: Path, at: int, given: argparse.Namespace) -> tuple[int, int]:
    """(posts of the crawl file, pictures of the archive) after writing both into `incoming/`."""
    month, chance = shift_month(FIRST_MONTH, at), random.Random(given.seed * 1_000 + at + 500)
    now, late = posts_of(at, given)[0], posts_of(at - 1, given)[1] if at and given.late else []
    rows = deliver(now, month, 1, chance)
    for post in late:
        fetched = fetch_time(month, 0, (0, 5), chance)
        rows.append(Delivery(post, 0, "late", fetched, make_record(post, fetched, 1.0, False, chance)))
    form = crawl_files.crawl_form(at)
    n_bad = round(faults.FAULT_SHARE * given.posts)
    bad = faults.make_bad_rows(rows, n_bad, at * n_bad, form.suffix == ".jsonl", chance)
    name = f"crawl_{month}{form.suffix}"
    content, _ = crawl_files.write_crawl(name, form, rows, bad, chance)
    incoming = root / "incoming"
    (incoming / "media").mkdir(parents=True, exist_ok=True)
    plans = plan_pictures(
        [row.post for row in rows if row.kind != "repeat" and row.post.n_pictures], at, chance
    )
    plans = [plan for plan in plans if not plan.broken and not plan.copy_of]
    if plans:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for plan in plans:
                pixels = draw_plan(plan).pixels
                archive.writestr(
                    f"{plan.post_id}/{plan.name}", encode_picture(pixels, Path(plan.name).suffix)
                )
        (incoming / "media" / f"pictures_{month}.zip").write_bytes(packed.getvalue())
    (incoming / name).write_bytes(content)
    return len(now) + len(late), len(plans)


class TreeMemory(threading.Thread):
    """The largest resident memory of a process and all below it, by looking four times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.seconds, self.over = pid, Counter[int](), threading.Event()

    def run(self) -> None:
        while not self.over.wait(POLL_SECONDS):
            processes = _tree(self.pid)
            size = sum(map(_resident, processes))
            if size > max(self.seconds.values(), default=0):
                # A process that was just forked shares all its pages: before a new peak is believed, the longer look.
                size = min(size, sum(map(_proportional, processes)))
            now = int(time.time())
            self.seconds[now] = max(self.seconds[now], size)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            tasks = Path(f"/proc/{one}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _proportional(pid: int) -> int:
    """Resident bytes of a process with each shared page by its part; all if the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _resident(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def run_month(root: Path, log: Path, select: str) -> tuple[float, float, int, dict[int, int]]:
    """(wall seconds, CPU seconds, largest bytes, the same by second) of one `fashion-assets run` on the data root."""
    environment = {**os.environ, "DAGSTER_HOME": "", "FASHION_DATA_DIR": str(root)}
    command = [sys.executable, "-m", "fashion_assets.cli", "run", "--data-dir", str(root)]
    command += ["--select", select] if select else []
    began = time.monotonic()
    with log.open("a") as told:
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=subprocess.STDOUT)
        memory = TreeMemory(process.pid)
        memory.start()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    memory.over.set()
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}; its output is in {log}")
    seconds = time.monotonic() - began
    peak = max([used.ru_maxrss * 1024, *memory.seconds.values()])
    return seconds, used.ru_utime + used.ru_stime, peak, dict(memory.seconds)


def read_stages(root: Path, months: list[Month]) -> None:
    """Fill in the seconds of steps by stage, from the records of the runs that began in each month's turn."""
    import dagster as dg

    from fashion_assets.definitions import build_definitions
    from fashion_assets.settings import Settings

    graph = build_definitions(Settings(data_dir=root)).resolve_asset_graph()
    group_of = {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()}
    group_of["clean_month"] = "posts"
    for one in months:
        one.stages, one.whole, one.step_memory, one.months_made = {}, {}, {}, 0
    with dg.DagsterInstance.from_config(str(root / "dagster_home")) as instance:
        made: dict[int, set[str]] = {}
        for record in instance.get_run_records():
            at = max(
                (n for n, one in enumerate(months) if one.began <= record.create_timestamp.timestamp()),
                default=0,
            )
            partition = record.dagster_run.tags.get("dagster/partition", "")
            if partition[:4].isdigit():
                made.setdefault(at, set()).add(partition)
            for step in instance.get_run_step_stats(record.dagster_run.run_id):
                seconds = (step.end_time or 0) - (step.start_time or 0)
                if not step.start_time or not step.end_time:
                    continue
                group = group_of.get(step.step_key, "checks")
                if step.step_key in LEARNED:
                    group = "learning"
                elif group != "checks" and not partition[:4].isdigit():
                    group = "whole"
                one = months[at]
                during = range(int(step.start_time), int(step.end_time) + 1)
                largest = max(one.memory.get(second, 0) for second in during)
                one.step_memory[step.step_key] = max(one.step_memory.get(step.step_key, 0), largest)
                one.stages[group] = one.stages.get(group, 0.0) + seconds
                if group == "whole":
                    one.whole[step.step_key] = one.whole.get(step.step_key, 0.0) + seconds
        for at, partitions in made.items():
            months[at].months_made = len(partitions)


def slope(values: list[tuple[int, float]]) -> str:
    """Seconds per month behind by least squares, with its 95 % interval (Student's t)."""
    import numpy as np
    from scipy import stats

    if len(values) < 4 or not any(second for _, second in values):
        return f"not told of {len(values)} months" if len(values) < 4 else "none were made"
    at, seconds = (np.asarray(column, dtype=float) for column in zip(*values, strict=True))
    fitted = stats.linregress(at, seconds)
    reach = float(stats.t.ppf(0.975, len(at) - 2) * fitted.stderr)
    share = fitted.slope / seconds.mean()
    return (
        f"{fitted.slope:+.3f} s per month behind (95 %: {fitted.slope - reach:+.3f} to {fitted.slope + reach:+.3f}), "
        f"{share:+.2%} of the mean of {seconds.mean():.1f} s, {len(at)} months"
    )


def report(months: list[Month]) -> None:
    used = [group for group in GROUPS if any(one.stages.get(group) for one in months)]
    print(f"{'month':8} {'posts':>7} {'pict.':>6} {'wall s':>7} {'CPU s':>7} {'peak GB':>7}  ", end="")
    print(" ".join(f"{name:>10}" for name in used), f"{'rest':>7} {'made':>5}")
    for one in months:
        rest = one.wall - sum(one.stages.values())
        print(f"{one.month:8} {one.posts:7,} {one.pictures:6,} {one.wall:7.1f} {one.cpu:7.1f} ", end="")
        print(
            f"{one.peak / 1e9:7.2f}  ", " ".join(f"{one.stages.get(name, 0):10.1f}" for name in used), end=""
        )
        print(f" {rest:7.1f} {one.months_made:5}{' words learned again' if one.made_all_again else ''}")
    whole: Counter[str] = Counter()
    for one in months[-3:]:
        whole.update({name: seconds / len(months[-3:]) for name, seconds in one.whole.items()})
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in whole.most_common())
    print(f"made of all months, mean of the last three: {told}")
    largest: dict[str, int] = {}
    for one in months:
        for name, size in one.step_memory.items():
            largest[name] = max(size, largest.get(name, 0))
    told = ", ".join(
        f"{name} {size / 1e9:.2f}" for name, size in sorted(largest.items(), key=lambda x: -x[1])[:12]
    )
    print(f"largest memory during a step, GB: {told}")
    for name, first in (("all months", 1), (f"months with a full window of {STYLE_WINDOW}", STYLE_WINDOW)):
        steady = [(at, one) for at, one in enumerate(months) if at >= first and not one.made_all_again]
        print(f"slope, {name} but the first and those that learned the words again")
        print(f"  CPU, whole run    {slope([(at, one.cpu) for at, one in steady])}")
        monthly = [
            (at, sum(s for g, s in one.stages.items() if g not in ("whole", "learning")))
            for at, one in steady
        ]
        print(f"  steps of months   {slope(monthly)}")
        print(f"  steps of a whole  {slope([(at, one.stages.get('whole', 0.0)) for at, one in steady])}")
    print(f"peak of the process tree: {max(one.peak for one in months) / 1e9:.2f} GB (aim: under 3 GB)")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=24, help="months of the history (default %(default)s)")
    parser.add_argument("--posts", type=int, default=50_000, help="posts a month (default %(default)s)")
    parser.add_argument(
        "--pictures", type=float, default=0.02, help="share of posts with pictures (default %(default)s)"
    )
    parser.add_argument(
        "--late", type=float, default=0.0, help="share of posts a month late (default %(default)s)"
    )
    parser.add_argument(
        "--select", default="", help="only these assets, as `fashion-assets run` (default: all)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of what is made (default %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no month after so many minutes"
    )
    parser.add_argument(
        "--root", type=Path, help="data root that stays and is gone on with (default: a new one)"
    )
    given = parser.parse_args()
    root = given.root or Path(tempfile.mkdtemp(prefix="load_"))
    root.mkdir(parents=True, exist_ok=True)
    book = root / "load_history.json"
    kept = json.loads(book.read_text()) if book.exists() else {"months": []}
    done = [Month(**one) for one in kept["months"]]
    for one in done:  # JSON makes keys texts
        one.memory = {int(second): size for second, size in one.memory.items()}
    began = time.monotonic()
    try:
        for at in range(given.months):
            if at < len(done):
                continue
            if time.monotonic() - began > given.minutes * 60:
                break
            posts, pictures = deliver_month(root, at, given)
            started = time.time()
            wall, cpu, peak, memory = run_month(root, root / "load_history.log", given.select)
            month = Month(
                shift_month(FIRST_MONTH, at), posts, pictures, wall, cpu, peak, started, memory=memory
            )
            done.append(month)
            book.write_text(json.dumps({"months": [asdict(one) for one in done]}))
            print(
                f"{done[-1].month}: {wall:.0f} s, {cpu:.0f} CPU s, {peak / 1e9:.2f} GB",
                file=sys.stderr,
                flush=True,
            )
        read_stages(root, done)
        report(done)
    finally:
        if given.root is None:
            shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
