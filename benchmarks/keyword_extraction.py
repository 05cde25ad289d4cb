"""Keywords of a month against the reference's way, and of a second month that knows most of its words.

    python benchmarks/keyword_extraction.py                                            # made posts
    python benchmarks/keyword_extraction.py --posts ../shared/data/xhs/post_texts_dated.csv
    python benchmarks/keyword_extraction.py --encoder st:/models/text2vec-large-chinese  # a real encoder
    python benchmarks/keyword_extraction.py --encoder local:cbow:VECTORS --model D/models/tfashion

The last runs the classifier that `keywords train --data-dir D` made; VECTORS is D/models/word_vectors/cbow.safetensors.

Aims: at least 50 times the reference's way, with the same keywords; a second month with 80 % of its words
known for at most 30 % of the first.

The reference's way goes row by row: `jieba.cut`, stopwords and single characters out, encode the row's words,
classify them (reference/tfashion.md). It runs on a slice of the posts; ours on many variations of them, and
the times per post are compared, in one process with the same encoder and head. Its keywords are compared
twice: fed with our words, which shows that nothing but the order of work differs, and with plain jieba's.

Encoders: `--encoder`, and without it both the embedded one and a BERT of 4 layers of 256 with random weights,
saved and loaded as any sentence transformer is: vectors without meaning at a cost that is real. The head is
the reference's (ResNet18), untrained, its threshold in the widest gap near the middle of the scores.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from keyword_posts import Post, base_posts, post_frame, varied

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.keywords.extract import extract_keywords_stream
from fashion_assets.keywords.scorers import KeywordScorer, LexiconScorer
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.keywords.streaming import WordScores, WordScoreStore
from fashion_assets.keywords.tokens import content_tokens
from fashion_assets.storage.lake import BATCH_ROWS

AIM_RATIO, AIM_SECOND_MONTH, KNOWN_SHARE = 50, 0.30, 0.80
#: Words of a head's batch.
HEAD_BATCH = 256


class ReferenceScorer:
    """An encoder and the reference's head as a `KeywordScorer`."""

    def __init__(self, encoder: Encoder) -> None:
        import torch
        from torchvision.models import resnet18

        self.model_id = f"{encoder.model_id}+resnet18"
        self.threshold = 0.5
        self.encoder = encoder
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._head = torch.nn.Sequential(
                torch.nn.Linear(encoder.dim, 512),
                torch.nn.ReLU(),
                torch.nn.Linear(512, 512),
                torch.nn.ReLU(),
                torch.nn.Unflatten(1, (512, 1, 1)),
                torch.nn.Conv2d(512, 3, 1),
                torch.nn.AdaptiveAvgPool2d(7),
                resnet18(weights=None, num_classes=2),
            ).eval()

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """Probability (n,) of the first class."""
        import torch

        vectors = torch.from_numpy(self.encoder.encode(list(words)))
        with torch.inference_mode():
            parts = [self._head(part).softmax(1)[:, 0] for part in vectors.split(HEAD_BATCH)]
        return torch.cat(parts).numpy()

    def set_threshold(self, words: Sequence[str]) -> None:
        """Put the threshold where no score is near: scores of two batches differ in their last bits."""
        scores = np.sort(self.score(words).astype(np.float64))
        low, high = len(scores) // 3, 2 * len(scores) // 3
        widest = low + int(np.argmax(np.diff(scores[low:high])))
        self.threshold = float(scores[widest : widest + 2].mean())


def load_model(folder: Path, encoder: Encoder) -> KeywordScorer:
    """The trained word classifier of `--model`."""
    from fashion_assets.tfashion.model import TfashionModel
    from fashion_assets.tfashion.word_vectors import WordVectors

    return TfashionModel.load(folder, WordVectors(encoder))


def random_bert(folder: Path, texts: Iterable[str]) -> str:
    """The spec of a small BERT with random weights and a vocabulary of the characters of the texts."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    bert = folder / "bert"
    bert.mkdir()
    characters = sorted(set("".join(texts)) - set(" \n\t"))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    (bert / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(str(bert / "vocab.txt"), model_max_length=64).save_pretrained(str(bert))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocabulary) + 8,
            max_position_embeddings=64,
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=1024,
        )
        BertModel(config).save_pretrained(str(bert))
    modules = [Transformer(str(bert)), Pooling(256, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "random-bert"))
    return f"st:{folder / 'random-bert'}"


def text_of(post: Post) -> str:
    return "\n".join([post.title, post.body, *post.tags])


def plain_jieba_words(posts: Sequence[Post]) -> Iterable[list[str]]:
    """Words as the reference has them: cut, stopwords out, single characters out; row by row."""
    import jieba

    stops = load_stopwords()
    for post in posts:
        yield [word for word in jieba.cut(text_of(post)) if word not in stops and len(word.strip()) > 1]


def our_words(posts: Sequence[Post]) -> Iterable[list[str]]:
    """Our words of each post; row by row, each of its texts on its own."""
    for post in posts:
        yield [word for words in content_tokens([post.title, post.body, *post.tags]) for word in words]


def the_reference_way(rows: Iterable[list[str]], scorer: KeywordScorer) -> list[set[str]]:
    """Keywords per row: the row's words are encoded and classified, all of them, whatever was seen before."""
    found = []
    for words in rows:
        scores = scorer.score(words) if words else np.zeros(0)
        found.append({word for word, score in zip(words, scores, strict=True) if score >= scorer.threshold})
    return found


def frames(posts: Iterable[Post]) -> Iterable[pd.DataFrame]:
    left, at = iter(posts), 0
    while rows := list(islice(left, BATCH_ROWS)):
        yield post_frame(rows, at)
        at += len(rows)


def extracted(posts: Iterable[Post], scores: WordScores) -> list[set[str]]:
    """Our way: keywords per post."""
    found: list[set[str]] = []
    for part in extract_keywords_stream(frames(posts), scores):
        found += map(set, part["keywords"])
    return found


def timed(call: Callable[[], list[set[str]]]) -> tuple[float, list[set[str]]]:
    gc.collect()
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def equal(left: Sequence[set[str]], right: Sequence[set[str]]) -> float:
    return sum(a == b for a, b in zip(left, right, strict=True)) / len(left)


def shared(left: Sequence[set[str]], right: Sequence[set[str]]) -> float:
    """Keywords that both have over those that either has, over all posts."""
    both = sum(len(a & b) for a, b in zip(left, right, strict=True))
    return both / max(1, sum(len(a | b) for a, b in zip(left, right, strict=True)))


def two_months(base: Sequence[Post]) -> tuple[list[Post], list[Post], float]:
    """Two months of as many posts each, the first knowing `KNOWN_SHARE` of the second's distinct words; the
    share that was reached.

    The second month is made of new posts and of posts of the first: as many new ones as the share allows.
    """
    words = list(map(set, our_words(base)))
    first, fresh = list(range(0, len(base), 2)), list(range(1, len(base), 2))
    known = set().union(*(words[at] for at in first))

    def second(n_new: int) -> list[int]:
        return fresh[:n_new] + first[: len(first) - n_new]

    def share(n_new: int) -> float:
        met = set().union(*(words[at] for at in second(n_new)))
        return len(met & known) / len(met)

    n_new = bisect_left(range(len(fresh)), -KNOWN_SHARE, key=lambda n: -share(n))
    return [base[at] for at in first], [base[at] for at in second(n_new)], share(n_new)


def report_speed(base: Sequence[Post], scorer: KeywordScorer, slice_posts: int, count: int) -> None:
    piece = list(islice(varied(base, slice_posts, 1), slice_posts))
    many = list(varied(base, count, 2))
    # What both sides load once is loaded before.
    list(plain_jieba_words(piece[:1]))
    scorer.score(["裙子"])
    reference_seconds, plain = timed(lambda: the_reference_way(plain_jieba_words(piece), scorer))
    scores = WordScores(scorer)
    our_seconds, _ = timed(lambda: extracted(many, scores))
    fed = the_reference_way(our_words(piece), scorer)
    ours = extracted(piece, WordScores(scorer))
    per_reference, per_ours = reference_seconds / len(piece), our_seconds / len(many)
    print(
        f"  the reference's way  {len(piece):>7,} posts {reference_seconds:8.2f} s  {per_reference * 1e6:9,.0f} us/post"
    )
    print(
        f"  ours                 {len(many):>7,} posts {our_seconds:8.2f} s  {per_ours * 1e6:9,.0f} us/post"
        f"  ({scores.n_scored:,} distinct words)"
    )
    print(f"  {per_reference / per_ours:.0f} x; aim {AIM_RATIO} x")
    print(f"  equal keywords, the reference's way on our words   {equal(fed, ours):8.2%} of posts")
    print(f"  shared keywords, the reference's way on plain jieba {shared(plain, ours):7.2%} of keywords")


def report_second_month(base: Sequence[Post], scorer: KeywordScorer, folder: Path) -> None:
    first, second, known = two_months(base)
    seconds = []
    for posts in (first, second):
        scores = WordScores(scorer, WordScoreStore(folder, scorer.model_id))
        seconds.append(timed(lambda posts=posts, scores=scores: extracted(posts, scores))[0])
    print(
        f"  second month of {len(second):,} posts, {known:.1%} of its {scores.n_scored + scores.n_reused:,} words "
        f"known: {seconds[1]:.2f} s after {seconds[0]:.2f} s = {seconds[1] / seconds[0]:.2f}; "
        f"aim {AIM_SECOND_MONTH:.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=Path, help="a crawl CSV; without it posts are made")
    parser.add_argument("--encoder", help="one encoder instead of the two")
    parser.add_argument("--model", type=Path, help="a trained word classifier for --encoder")
    parser.add_argument("--slice", type=int, default=500, help="posts of the reference (default %(default)s)")
    parser.add_argument("--count", type=int, default=100_000, help="posts of ours (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of made posts (default %(default)s)")
    given = parser.parse_args()
    if given.model and not given.encoder:
        parser.error("--model needs the --encoder that it was trained with")
    base = base_posts(given.posts, given.seed)
    # Dictionaries and the like are loaded by the first call.
    extracted(base[:100], WordScores(LexiconScorer()))
    words = sorted({word for row in our_words(base) for word in row})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        specs = [given.encoder] if given.encoder else ["local:cbow", random_bert(folder, words)]
        for at, spec in enumerate(specs):
            encoder = load_encoder(spec)
            print(f"{encoder.model_id}, {encoder.dim} dimensions, {len(base):,} posts, {len(words):,} words")
            if given.model:
                scorer: KeywordScorer = load_model(given.model, encoder)
            else:
                scorer = ReferenceScorer(encoder)
                scorer.set_threshold(words)
            report_speed(base, scorer, given.slice, given.count)
            report_second_month(base, scorer, folder / f"scores-{at}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
