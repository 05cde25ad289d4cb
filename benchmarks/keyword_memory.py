"""Memory of `fashion_keywords` for a month of a million posts, which passes through in batches.

    python benchmarks/keyword_memory.py                      # variations of 2,000 made posts
    python benchmarks/keyword_memory.py --posts POSTS.csv    # variations of the posts of a crawl file

Aim: a peak below 2 GB.

The month of cleaned posts is written by one process; another materialises the keywords through Dagster and
the lake's I/O manager, reading, scoring and writing batch by batch. Its peak is that of its resident memory
(`getrusage` and, as a cross-check, `VmHWM`), everything that it has loaded included. One post in five holds a
word that no other post has, so the words to be remembered grow with the month.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import dagster as dg
from keyword_posts import base_posts, post_frame, varied

MONTH = "2024-01"
NEW_WORD_SHARE = 0.2
AIM_GB = 2.0


def write_month(root: Path, posts: Path | None, n: int, seed: int) -> None:
    """`cleaned_posts` of one month with `n` rows."""
    import pandas as pd

    from fashion_assets.posts.schemas import CLEANED_POSTS
    from fashion_assets.storage.lake import BATCH_ROWS, Lake
    from fashion_assets.storage.tables import TableStream

    made = varied(base_posts(posts, seed), n, seed, new_word_share=NEW_WORD_SHARE)

    def parts() -> Iterator[pd.DataFrame]:
        at = 0
        while rows := list(islice(made, BATCH_ROWS)):
            frame = post_frame(rows, at, MONTH)
            frame["text"] = frame["title"] + "\n" + frame["body"]
            empty = {name: None for name in CLEANED_POSTS.names if name not in frame}
            yield frame.assign(**empty)
            at += len(rows)

    Lake(root).write_stream("cleaned_posts", MONTH, TableStream(CLEANED_POSTS, parts()))


def extract_month(root: Path) -> dict[str, float]:
    """Materialise the month's keywords and say what it took."""
    from fashion_assets.defs.io_managers import LakeIOManager, to_frame
    from fashion_assets.defs.schemas import SCHEMAS
    from fashion_assets.keywords.extract import extract_keywords_stream
    from fashion_assets.keywords.schemas import FASHION_KEYWORDS
    from fashion_assets.keywords.scorers import LexiconScorer
    from fashion_assets.keywords.streaming import KeywordTally, WordScores
    from fashion_assets.storage.lake import Lake
    from fashion_assets.storage.tables import TableStream

    scores, tally = WordScores(LexiconScorer()), KeywordTally()

    @dg.asset(partitions_def=dg.MonthlyPartitionsDefinition("2024-01-01", end_date="2024-03-01"))
    def fashion_keywords() -> dg.MaterializeResult:
        columns = ["post_id", "month", "title", "body", "tags"]
        batches = map(to_frame, Lake(root).batches("cleaned_posts", MONTH, columns))
        parts = map(tally.add, extract_keywords_stream(batches, scores))
        told = lambda: {"posts": tally.n_posts, "top_keywords": ", ".join(tally.top_keywords())}  # noqa: E731
        return dg.MaterializeResult(value=TableStream(FASHION_KEYWORDS, parts, told))

    start = time.perf_counter()
    done = dg.materialize(
        [fashion_keywords],
        partition_key=f"{MONTH}-01",
        resources={"io_manager": LakeIOManager(root, SCHEMAS)},
    )
    [materialization] = done.asset_materializations_for_node("fashion_keywords")
    return {
        "seconds": time.perf_counter() - start,
        "posts": materialization.metadata["dagster/row_count"].value,
        "words": scores.n_scored,
        "keywords": len(tally.posts_by_keyword),
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "high_water_kb": _high_water_kb(),
    }


def _high_water_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=Path, help="a crawl CSV to vary; without it posts are made")
    parser.add_argument("--posts-count", type=int, default=1_000_000, help="posts (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the variations (default %(default)s)")
    parser.add_argument("--child", choices=("write", "extract"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "write":
        write_month(given.root, given.posts, given.posts_count, given.seed)
        return 0
    if given.child == "extract":
        print(json.dumps(extract_month(given.root)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        again = [sys.executable, __file__, *sys.argv[1:], "--root", folder, "--child"]
        subprocess.run([*again, "write"], check=True)
        written = (Path(folder) / "cleaned_posts" / f"{MONTH}.parquet").stat().st_size
        told = subprocess.run([*again, "extract"], check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(told.splitlines()[-1])
    peak = found["peak_kb"] / 1024**2
    print(f"posts {found['posts']:,} in {written / 1e6:,.0f} MB of Parquet")
    print(f"distinct words scored {found['words']:,}, keywords {found['keywords']:,}")
    print(f"{found['seconds']:.0f} s, {found['posts'] / found['seconds']:,.0f} posts/s")
    print(f"peak {peak:.2f} GB (VmHWM {found['high_water_kb'] / 1024**2:.2f} GB); aim below {AIM_GB:.0f} GB")
    return 0 if peak < AIM_GB else 1


if __name__ == "__main__":
    raise SystemExit(main())
