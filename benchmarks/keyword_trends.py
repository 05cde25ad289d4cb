"""Time and memory of `keyword_trends`: from counts to the table, and from the lake to the counts.

    python benchmarks/keyword_trends.py                             # both, about two minutes
    python benchmarks/keyword_trends.py --only table --keywords 5000 --months 24
    python benchmarks/keyword_trends.py --only counts --posts 1000000

No aim was set. `table`: made counts of --keywords over --months, Zipf-like as words are, through series, stages,
bursts and forecasts to the Arrow table of the asset. `counts`: one made month of --posts with ten keywords each, read
from a lake batch by batch; the memory is what counting adds, measured in a process that did not write the month.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import shift_month
from fashion_assets.trends.keyword_bursts import find_bursts
from fashion_assets.trends.keyword_counts import KeywordCounts, count_keywords
from fashion_assets.trends.lifecycle import life_cycle
from fashion_assets.trends.schemas import KEYWORD_TRENDS
from fashion_assets.trends.series import keyword_series
from fashion_assets.trends.tables import keyword_trends

MONTH = "2024-01"
KEYWORDS_PER_POST, VOCABULARY = 10, 60_000


def made_counts(n_keywords: int, n_months: int, seed: int) -> KeywordCounts:
    draw = np.random.default_rng(seed)
    month_posts = draw.integers(20_000, 40_000, n_months)
    rate = np.minimum(0.3 / np.arange(1, n_keywords + 1) ** 0.8, 0.3)
    posts = draw.binomial(month_posts[None, :], rate[:, None])
    shape = (n_keywords, n_months)
    return KeywordCounts(
        [shift_month("2020-01", at) for at in range(n_months)],
        np.array(sorted(f"词{at}" for at in range(n_keywords)), dtype=object),
        np.full(n_keywords, "garment", dtype=object),
        posts[draw.permutation(n_keywords)],
        draw.random(shape) * 100,
        draw.random(shape) * 10,
        month_posts,
        posts.sum(axis=0),
    )


def write_month(lake: Lake, n_posts: int, seed: int) -> None:
    """`fashion_keywords` and, in another order, `cleaned_posts` of one month."""
    draw = np.random.default_rng(seed)
    ids = [f"{at:024x}" for at in range(n_posts)]
    share = 1 / np.arange(1, VOCABULARY + 1)
    drawn = draw.choice(VOCABULARY, size=n_posts * KEYWORDS_PER_POST, p=share / share.sum()).astype(np.int32)
    ends = pa.array(np.arange(n_posts + 1, dtype=np.int32) * KEYWORDS_PER_POST)
    words = pa.array([f"词语{at}" for at in range(VOCABULARY)]).take(pa.array(drawn))
    facets = pa.array(["garment", "colour", ""]).take(pa.array(drawn % 3))
    columns = {
        "post_id": ids,
        "keywords": pa.ListArray.from_arrays(ends, words),
        "facets": pa.ListArray.from_arrays(ends, facets),
    }
    lake.write("fashion_keywords", MONTH, pa.table(columns))
    order = draw.permutation(n_posts)
    posts = {
        "post_id": [ids[at] for at in order],
        "content_hash": [hashlib.sha256(ids[at].encode()).hexdigest() for at in order],
        "likes": draw.integers(0, 999, n_posts),
        "collects": draw.integers(0, 999, n_posts),
    }
    lake.write("cleaned_posts", MONTH, pa.table(posts))


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def timed(what: str, call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    made = call()
    print(f"  {what:<28} {time.perf_counter() - start:7.2f} s", flush=True)
    return made


def report_table(n_keywords: int, n_months: int, seed: int) -> None:
    counts = made_counts(n_keywords, n_months, seed)
    print(f"table of {n_keywords:,} keywords over {n_months} months")
    series = timed("series with intervals", lambda: keyword_series(counts))
    timed("stages", partial(life_cycle, series))
    del series  # or the table would be built beside it
    timed("bursts", lambda: find_bursts(counts.posts, counts.month_posts))
    table = timed("the whole table", lambda: keyword_trends(counts))
    timed("to Arrow", lambda: pa.Table.from_pandas(table, schema=KEYWORD_TRENDS, preserve_index=False))
    print(f"  {len(table):,} rows; peak of the process {peak_gb():.2f} GB")


def report_counts(root: Path) -> None:
    before, start = peak_gb(), time.perf_counter()
    counts = count_keywords(Lake(root), [MONTH])
    taken = time.perf_counter() - start
    n_posts = int(counts.month_posts[0])
    print(f"counts of one month of {n_posts:,} posts, {n_posts * KEYWORDS_PER_POST:,} keywords")
    print(f"  {len(counts.keywords):,} keywords kept, {taken:.1f} s, {n_posts / taken:,.0f} posts/s")
    print(f"  peak {peak_gb():.2f} GB, of which {peak_gb() - before:.2f} GB by counting")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("table", "counts"), help="one of the two")
    parser.add_argument("--keywords", type=int, default=50_000, help="of the table (default %(default)s)")
    parser.add_argument("--months", type=int, default=60, help="of the table (default %(default)s)")
    parser.add_argument("--posts", type=int, default=1_000_000, help="of the counts (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of what is made (default %(default)s)")
    parser.add_argument("--child", choices=("write", "count"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "write":
        write_month(Lake(given.root), given.posts, given.seed)
    elif given.child == "count":
        report_counts(given.root)
    else:
        if given.only != "table":
            with tempfile.TemporaryDirectory() as folder:
                again = [sys.executable, __file__, *sys.argv[1:], "--root", folder, "--child"]
                subprocess.run([*again, "write"], check=True)
                subprocess.run([*again, "count"], check=True)
        if given.only != "counts":
            report_table(given.keywords, given.months, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
