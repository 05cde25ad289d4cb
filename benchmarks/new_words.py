"""Time and memory of new-word discovery on many posts.

    python benchmarks/new_words.py                                                   # 100,000 made posts
    python benchmarks/new_words.py --posts ../shared/data/xhs/post_texts_dated.csv --count 1000000

No aim was set. Posts are spliced: the beginning of one, two random characters, the end of another, so that each
holds strings that no other has, which is what fills the tables. CPU seconds, without those of making the posts; the
memory is the peak of the process and what discovery added to it.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from keyword_posts import base_posts

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.new_words import discover_new_words
from fashion_assets.keywords.segmenters import load_segmenter

CHARACTERS = [chr(code) for code in range(0x4E00, 0x9000)]


def spliced(texts: Sequence[str], n: int, seed: int) -> Iterator[str]:
    """`n` posts, the same ones every time."""
    draw = random.Random(seed)
    for _ in range(n):
        first, second = draw.choice(texts), draw.choice(texts)
        cut = draw.randrange(len(first) + 1)
        yield f"{first[:cut]}{''.join(draw.choices(CHARACTERS, k=2))} {second[len(second) // 2 :]}"


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=Path, help="a crawl CSV to vary; without it posts are made")
    parser.add_argument("--count", type=int, default=100_000, help="posts (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the variations (default %(default)s)")
    given = parser.parse_args()
    texts = [f"{post.title}\n{post.body}" for post in base_posts(given.posts, given.seed)]
    load_segmenter()
    known = list(load_lexicon().terms())
    before = peak_mb()
    start = time.process_time()
    n_characters = sum(map(len, spliced(texts, given.count, given.seed)))
    making = time.process_time() - start
    start = time.process_time()
    found = discover_new_words(spliced(texts, given.count, given.seed), known=known)
    taken = time.process_time() - start - making
    share = found.attrs["share"]
    print(f"posts {given.count:,} with {n_characters:,} characters; {share:.0%} of the posts counted")
    print(f"{len(found)} proposed, {taken:.1f} CPU s, {given.count / taken:,.0f} posts/s")
    print(f"peak {peak_mb():,.0f} MB, of which {peak_mb() - before:,.0f} MB by discovery")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
