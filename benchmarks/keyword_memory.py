"""Memory of `fashion_keywords` for a month of a million posts, which passes through in batches.

    fashion-assets keywords train --data-dir D
    python benchmarks/keyword_memory.py --trained D                      # variations of 2,000 made posts
    python benchmarks/keyword_memory.py --trained D --posts POSTS.csv    # variations of the posts of a crawl file

Aim: a peak below 2 GB.

The month of cleaned posts is written by one process; another materialises the asset, which reads, scores and
writes batch by batch, with the classifier of the data root D. Its peak is that of its resident memory
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

    Lake(root / "lake").write_stream("cleaned_posts", MONTH, TableStream(CLEANED_POSTS, parts()))


def extract_month(root: Path, trained: Path) -> dict[str, float]:
    """Materialise the month's keywords by the classifier of the data root ``trained``, and say what it took."""
    from fashion_assets.definitions import build_definitions
    from fashion_assets.settings import Settings

    (root / "models").symlink_to((trained / "models").absolute())
    settings = Settings(data_dir=root)
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    start = time.perf_counter()
    done = job.execute_in_process(
        asset_selection=[dg.AssetKey("fashion_keywords")],
        partition_key=f"{MONTH}-01",
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    [materialization] = done.asset_materializations_for_node("fashion_keywords")
    told = {name: value.value for name, value in materialization.metadata.items()}
    return {
        "seconds": time.perf_counter() - start,
        "posts": told["posts"],
        "words": told["words_scored"] + told["words_reused"],
        "keywords": told["distinct_keywords"],
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
    parser.add_argument("--trained", type=Path, required=True, help="a data root with a trained classifier")
    parser.add_argument("--posts-count", type=int, default=1_000_000, help="posts (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the variations (default %(default)s)")
    parser.add_argument("--child", choices=("write", "extract"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "write":
        write_month(given.root, given.posts, given.posts_count, given.seed)
        return 0
    if given.child == "extract":
        print(json.dumps(extract_month(given.root, given.trained)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        again = [sys.executable, __file__, *sys.argv[1:], "--root", folder, "--child"]
        subprocess.run([*again, "write"], check=True)
        written = (Path(folder) / "lake" / "cleaned_posts" / f"{MONTH}.parquet").stat().st_size
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
