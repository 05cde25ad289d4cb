"""Tokens: `tokenize` with rjieba against jieba, in one process, same posts, same user dictionary.

    python benchmarks/tokens.py                      # made posts
    python benchmarks/tokens.py --posts POSTS.csv    # the text columns of a crawl file

Aim: at least 10 times jieba, with the same Han tokens.

jieba is called as its users call it: `Tokenizer.cut(text)` post by post, dictionaries loaded beforehand on
both sides, CPU seconds. Equal Han tokens: of all words of Chinese characters that either side finds (as spans
over the Chinese characters of the post), the share that both find.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.segmenters import HAN, PURE_HAN, JiebaSegmenter, user_words
from fashion_assets.keywords.tokens import tokenize

TEXT_COLUMNS = ("title", "text", "body", "tags", "post_title", "post_content", "post_tag")

#: Sentences that made posts are filled from; {} takes a lexicon term.
SENTENCES = (
    "今天出门随手拍了几张，{}真的太适合我了，朋友都问链接",
    "姐妹们这件{}我愿意穿一整个季节，搭{}刚刚好",
    "预算不高也能穿出高级感，{}加{}是我最近的固定公式",
    "身高165体重52kg，穿M码，{}的长度刚好盖住脚踝！",
    "去年买的{}翻出来重新搭了一遍，居然比新的还好看",
    "周末去看展穿了{}，oversize的版型很显瘦，retro感满满",
    "不要再买错{}了，面料和剪裁才是重点，其他都是智商税",
    "下班路过小店发现的{}，老板说是vintage老款，价格不到200",
)

_NOT_HAN = re.compile(f"[^{HAN}]")


def made_posts(n_posts: int, seed: int) -> list[str]:
    """Posts of a title, three to six sentences and five to ten hashtags, filled with terms of the lexicon.

    Nineteen of twenty terms are Chinese, so that about as many posts as in a real month (a fifth or so)
    may hold a term of Latin and Chinese and are read twice.
    """
    draw = random.Random(seed)
    chinese = [term for term in load_lexicon().terms() if PURE_HAN.fullmatch(term)]
    others = [term for term in load_lexicon().terms() if not PURE_HAN.fullmatch(term)]
    terms = chinese + draw.sample(others, k=len(chinese) // 19)
    posts = []
    for _ in range(n_posts):
        sentences = [draw.choice(SENTENCES) for _ in range(draw.randint(3, 6))]
        body = "。".join(s.format(*draw.choices(terms, k=s.count("{}"))) for s in sentences)
        # A hundred tags make up most of the tags of any month, as on the platform.
        tags = " ".join(f"#{term}" for term in draw.choices(terms[::40], k=draw.randint(5, 10)))
        posts.append(f"{draw.choice(terms)}分享\n{body}\n{tags}")
    return posts


def read_posts(path: Path) -> list[str]:
    """The text columns of each row, joined by line feeds."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return ["\n".join(row[c] for c in TEXT_COLUMNS if row.get(c)) for row in csv.DictReader(file)]


def best_seconds(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """CPU seconds of the fastest run of each call; they take turns, so that all meet the same machine."""
    best = [float("inf")] * len(calls)
    for _ in range(repeats):
        for at, call in enumerate(calls):
            start = time.process_time()
            call()
            best[at] = min(best[at], time.process_time() - start)
    return best


def han_spans(tokens: Sequence[str]) -> set[tuple[int, int]]:
    """Begin and end of each purely Chinese token, counted in Chinese characters of the post."""
    spans = set()
    at = 0
    for token in tokens:
        length = len(_NOT_HAN.sub("", token))
        if length and PURE_HAN.fullmatch(token):
            spans.add((at, at + length))
        at += length
    return spans


def equal_share(left: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> float:
    """Spans found by both over spans found by either, over all posts."""
    both = either = 0
    for a, b in zip(left, right, strict=True):
        spans_a, spans_b = han_spans(a), han_spans(b)
        both += len(spans_a & spans_b)
        either += len(spans_a | spans_b)
    return both / either if either else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=Path, help="a CSV of posts; without it posts are made")
    parser.add_argument("--n", type=int, default=2000, help="posts to make (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the made posts (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs per side; the fastest counts")
    given = parser.parse_args()
    posts = read_posts(given.posts) if given.posts else made_posts(given.n, given.seed)
    if not posts:
        print(f"{given.posts} holds no posts.", file=sys.stderr)
        return 1

    reference = JiebaSegmenter(user_words()).tokenizer
    # The first calls load dictionaries on both sides; only later ones are timed.
    ours, same_runs = tokenize(posts), tokenize(posts, engine="jieba")
    plain = [list(reference.cut(post)) for post in posts]
    seconds_plain, seconds_engine, seconds_ours = best_seconds(
        [
            lambda: [list(reference.cut(post)) for post in posts],
            lambda: tokenize(posts, engine="jieba"),
            lambda: tokenize(posts),
        ],
        given.repeats,
    )

    runs = [run for post in posts for run in PURE_HAN.findall(post)]
    characters, distinct = sum(map(len, posts)), len(set(runs))
    print(f"posts {len(posts)}, characters {characters}, Han runs {len(runs)}, distinct {distinct}")
    print(f"jieba.Tokenizer.cut            {seconds_plain:8.3f} s")
    for engine, seconds in (("jieba", seconds_engine), ("rjieba", seconds_ours)):
        print(f"tokenize(engine={engine!r:<8})     {seconds:8.3f} s   {seconds_plain / seconds:5.1f} x")
    print(f"equal Han tokens, rjieba and jieba engine    {equal_share(ours, same_runs):9.4%}")
    print(f"equal Han tokens, rjieba and plain jieba.cut {equal_share(ours, plain):9.4%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
