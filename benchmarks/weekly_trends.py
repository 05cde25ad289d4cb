"""Time and memory of the weekly counts: from months of posts in a lake to one table of weeks.

    python benchmarks/weekly_trends.py                              # 24 months of 50,000 posts, about a minute
    python benchmarks/weekly_trends.py --months 1 --posts 1000000   # one large month

No aim was set. The lake is made, ten keywords a post, Zipf-like as words are, and 100 styles; then the weeks of all
styles and of the 200 most frequent words are counted in a process that did not write it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import shift_month
from fashion_assets.trends.coverage import first_day, last_day, read_coverage
from fashion_assets.trends.weekly import (
    MAX_WEEKLY_KEYWORDS,
    count_keyword_weeks,
    count_style_weeks,
    weekly_table,
)

KEYWORDS_PER_POST, VOCABULARY, STYLES = 10, 60_000, 100


def write_lake(lake: Lake, months: list[str], n_posts: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    share = 1 / np.arange(1, VOCABULARY + 1)
    vocabulary = pa.array([f"词语{at}" for at in range(VOCABULARY)])
    for month in months:
        ids = pa.array([f"{month}{at:017x}" for at in range(n_posts)])
        drawn = draw.choice(VOCABULARY, size=n_posts * KEYWORDS_PER_POST, p=share / share.sum())
        ends = pa.array(np.arange(n_posts + 1, dtype=np.int32) * KEYWORDS_PER_POST)
        words = pa.ListArray.from_arrays(ends, vocabulary.take(pa.array(drawn.astype(np.int32))))
        styles = pa.array(draw.integers(0, STYLES, n_posts).astype(np.int32))
        lake.write("fashion_keywords", month, pa.table({"post_id": ids, "keywords": words}))
        lake.write("style_clusters", month, pa.table({"post_id": ids, "style_id": styles}))
        first, n_days = first_day(month), (last_day(month) - first_day(month)).days + 1
        days = (first - date(1970, 1, 1)).days + draw.integers(0, n_days, n_posts)
        posts = {
            "post_id": ids,
            "post_date": pa.array(days.astype(np.int32)).cast(pa.date32()),
            "content_hash": ids,
            "fetched_at": pa.array([last_day(month) + timedelta(days=9)] * n_posts).cast(pa.timestamp("s")),
        }
        lake.write("cleaned_posts", month, pa.table(posts).take(draw.permutation(n_posts)))


def report(lake: Lake, months: list[str], n_posts: int) -> None:
    def peak_gb() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

    before, started = peak_gb(), time.process_time()
    coverage = read_coverage(lake, months)
    words = [f"词语{at}" for at in range(MAX_WEEKLY_KEYWORDS)]
    styles = list(range(STYLES))
    counted = {
        "style": (count_style_weeks(lake, months, styles), [str(style) for style in styles]),
        "keyword": (count_keyword_weeks(lake, months, words), words),
    }
    tables = [weekly_table(each, kind, ids, ids, months, coverage) for kind, (each, ids) in counted.items()]
    taken = time.process_time() - started
    print(f"weeks of {STYLES} styles and {len(words)} keywords, {len(months)} months of {n_posts:,} posts")
    print(
        f"  {sum(map(len, tables)):,} rows, {taken:.1f} CPU s, {n_posts * len(months) / taken:,.0f} posts/s"
    )
    print(f"  peak {peak_gb():.2f} GB, of which {peak_gb() - before:.2f} GB by counting")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=24, help="months (default %(default)s)")
    parser.add_argument("--posts", type=int, default=50_000, help="posts of a month (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of what is made (default %(default)s)")
    parser.add_argument("--child", choices=("write", "count"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    months = [shift_month("2022-01", at) for at in range(given.months)]
    if given.child == "write":
        write_lake(Lake(given.root), months, given.posts, given.seed)
    elif given.child == "count":
        report(Lake(given.root), months, given.posts)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for child in ("write", "count"):
                subprocess.run(
                    [sys.executable, __file__, *sys.argv[1:], "--root", folder, "--child", child], check=True
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
