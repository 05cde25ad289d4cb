"""How fast crawl files are landed: what a tick of the sensor may read before Dagster's 60 seconds are over.

    python benchmarks/landing_speed.py [--rows 20000]

Lands made posts of six months as one crawl file, as one of three times the rows, and as ten files; prints megabytes,
CPU seconds and megabytes a CPU second of each.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
import time
from datetime import datetime
from pathlib import Path

from fashion_assets.posts.landing import land_incoming

COLUMNS = (
    *("poster_id", "post_id", "post_title", "post_date", "post_content"),
    *("post_fetch_time", "post_like", "post_collect"),
)
WORDS = (
    *("马面裙", "新中式", "穿搭", "法式", "碎花", "连衣裙", "通勤", "西装"),
    *("显瘦", "小个子", "春天", "约会", "温柔", "牛仔", "外套"),
)


def write_crawl(incoming: Path, rows: int, files: int) -> int:
    """The bytes of `files` new crawl files with `rows` made posts in all."""
    draw = random.Random(1)
    for number in range(files):
        with (incoming / f"{number}.csv").open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target)
            writer.writerow(COLUMNS)
            for row in range(number * rows // files, (number + 1) * rows // files):
                title, content = ("".join(draw.choices(WORDS, k=length)) for length in (6, 100))
                author = f"{draw.getrandbits(88):022x}"
                day = f"2024-0{1 + row % 6}-05"
                writer.writerow([author, f"{row:024x}", title, day, content, "2024-07-01 10:00:00", 12, 3])
    return sum(path.stat().st_size for path in incoming.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    for n, files in ((rows, 1), (3 * rows, 1), (rows, 10)):
        with tempfile.TemporaryDirectory() as folder:
            incoming = Path(folder) / "incoming"
            incoming.mkdir()
            megabytes = write_crawl(incoming, n, files) / 1e6
            began = time.process_time()
            landing = land_incoming(incoming, Path(folder) / "lake", b"s" * 32, now=datetime(2024, 8, 1))
            used = time.process_time() - began
            landed = sum(found.status == "landed" for found in landing.files)
            print(
                f"{n:7,} posts in {files:2} files, {landed} landed: {megabytes:5.1f} MB in {used:4.1f} CPU s, "
                f"{megabytes / used:.1f} MB a CPU second",
                flush=True,
            )


if __name__ == "__main__":
    main()
