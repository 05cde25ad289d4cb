"""The word classifier beside what it replaces: published split, honest splits, words of real posts.

    python benchmarks/word_classifier.py --data ../shared/data
    python benchmarks/word_classifier.py --data ../shared/data --only honest --heads logistic

Needs the files of `--data`: `tfashion/topics_filtered.csv` and `tfashion/non_fashion_lines.txt` (the published word
lists), `xhs/post_texts_dated.csv` (posts without labels, for vectors and contrast), `keywords/labelled_words.json`
(hand-labelled words of posts). The encoder is the embedded one throughout. Sections, each with --only:

- `published`: rows with their repeats split at random; the published head's table of epochs (aim: reproduced, it was
  F1 .9403 on BERT vectors) and, on the same rows, TF-IDF of character 1-3-grams with logistic regression. It flatters:
  most fashion rows that are validated hold a word that was trained on.
- `honest`: words that are in one part only, Han, both labels alike in length, by word and by family (no relative of
  a tested word is trained on). Aim: F1 at least .93 by word. `spare` are the negatives that the matching of lengths
  leaves over. Three ways with them: down-sampling throws them away, weights and focal loss use them all.
- `development`: the labelled words of posts, ambiguous ones not scored. Aim: F1 and precision at least .88. Below it
  the same words with each constant of `tfashion/known_words.py` one unit up and down, from one model's decisions.

Intervals are 95 % bootstrap over the tested words.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.post_words import PostWords, words_of_posts
from fashion_assets.keywords.scorers import LexiconScorer
from fashion_assets.tfashion import known_words
from fashion_assets.tfashion.corpus import CorpusContrast
from fashion_assets.tfashion.evaluation import Evaluation, Labels, evaluate_scores, read_labels
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.figures import HonestRows, honest_rows, reference_figures
from fashion_assets.tfashion.model import TfashionModel
from fashion_assets.tfashion.post_files import read_posts
from fashion_assets.tfashion.recipe import Recipe
from fashion_assets.tfashion.sources import read_negative_words, read_positive_words
from fashion_assets.tfashion.train import classifier, labelled_words
from fashion_assets.tfashion.training import learn
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets.tfashion.words import reference_split, training_form

SECTIONS = ("published", "honest", "development")
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Data:
    """The files of `--data`, each read when it is first asked for."""

    folder: Path

    @property
    def positives(self) -> Path:
        return self.folder / "tfashion" / "topics_filtered.csv"

    @property
    def negatives(self) -> Path:
        return self.folder / "tfashion" / "non_fashion_lines.txt"

    @property
    def posts(self) -> Path:
        return self.folder / "xhs" / "post_texts_dated.csv"

    def sides(self) -> tuple[Any, Any]:
        return read_positive_words(self.positives), read_negative_words(self.negatives)

    def labels(self) -> Labels:
        return read_labels(self.folder / "keywords" / "labelled_words.json")


@cache
def posts_of(path: Path) -> list[PostWords]:
    return list(words_of_posts(read_posts(path)))


@cache
def embedded(path: Path | None, seed: int) -> WordVectors:
    """Vectors of the embedded encoder, learned from the posts of a file, or without one from the lexicon."""
    from fashion_assets.encoders.cbow_training import train_or_lexicon

    posts = posts_of(path) if path else []
    return WordVectors(train_or_lexicon([post.words for post in posts], seed=seed)[0])


class RememberedFacts(WordFacts):
    """Facts of words that were all worked out before, so that many fits on the same words are quick."""

    def of(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = self.__dict__["rows"]
        return self.__dict__["made"][[rows[word] for word in words]]

    def remember(self, words: Sequence[str]) -> None:
        distinct = sorted(set(words))
        self.__dict__["made"] = super().of(distinct)
        self.__dict__["rows"] = {word: row for row, word in enumerate(distinct)}


def told(judged: Evaluation) -> str:
    figures = {"F1": judged.f1, "P": judged.precision, "R": judged.recall, "AUC": judged.auc}
    return "  ".join(
        f"{name} {figure.value:.3f} ({figure.lo:.3f}-{figure.hi:.3f})" for name, figure in figures.items()
    )


def row(name: str, judged: Evaluation, seconds: float | None = None) -> None:
    taken = "" if seconds is None else f"  {seconds:5.0f} s"
    print(f"  {name:<44} {told(judged)}{taken}", flush=True)


def timed(call: Callable[..., Evaluation], *given: Any) -> tuple[Evaluation, float]:
    start = time.perf_counter()
    judged = call(*given)
    return judged, time.perf_counter() - start


def baseline(
    train: Sequence[str], truth: BoolArray, weights: Any, tested: Sequence[str], labels: BoolArray, seed: int
) -> Evaluation:
    """TF-IDF of character 1-3-grams and logistic regression, cut at one half."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3))
    # liblinear with C = 10 is within .003 of the figures that the issue tells of this baseline.
    model = LogisticRegression(C=10.0, max_iter=1000, solver="liblinear")
    model.fit(grams.fit_transform(train), truth, sample_weight=weights)
    return evaluate_scores(labels, model.predict_proba(grams.transform(tested))[:, 1], 0.5, seed=seed)


def published(data: Data, seed: int) -> None:
    positives, negatives = data.sides()
    facts = WordFacts(embedded(data.posts, seed), CorpusContrast.count([]))
    print("published split (rows with repeats), published head on the embedded encoder", flush=True)
    start = time.perf_counter()
    table = reference_figures(positives, negatives, facts, seed=seed)
    print(table.round(4).to_string(index=False), f"\n  {time.perf_counter() - start:.0f} s", flush=True)
    split = reference_split(positives, negatives, seed)
    held_out = split["validation"].to_numpy(dtype=bool)
    words, labels = split["word"].to_numpy(), split["label"].to_numpy(dtype=bool)
    fashion = words[held_out & labels]
    known = np.isin(fashion, words[~held_out]).mean()
    print(
        f"  {held_out.sum():,} validation rows; {known:.0%} of the fashion ones hold a word of the training rows"
    )
    row(
        "TF-IDF 1-3-grams, logistic",
        *timed(baseline, words[~held_out], labels[~held_out], None, words[held_out], labels[held_out], seed),
    )


#: Name, head, options of the head, whether spare negatives are trained on, whether the labels weigh the same.
_WAYS: tuple[tuple[str, str, dict[str, Any], bool, bool], ...] = (
    ("logistic, weights", "logistic", {}, True, True),
    ("mlp, weights", "mlp", {}, True, True),
    ("mlp, down-sampling", "mlp", {}, False, True),
    ("mlp, focal loss gamma 2, no weights", "mlp", {"gamma": 2.0}, True, False),
    ("mlp, focal loss gamma 2 and weights", "mlp", {"gamma": 2.0}, True, True),
)


def honest(data: Data, seed: int, heads: Sequence[str]) -> None:
    positives, negatives = data.sides()
    facts = RememberedFacts(embedded(data.posts, seed), CorpusContrast.count(posts_of(data.posts)))
    start = time.perf_counter()
    facts.remember(sorted({training_form(word) for side in (positives, negatives) for word in side.words}))
    print(f"honest splits; features of all words {time.perf_counter() - start:.0f} s", flush=True)
    for by_family in (False, True):
        rows = honest_rows(positives, negatives, by_family=by_family, seed=seed)
        print(
            f" {'by family' if by_family else 'by word'}: {(rows.train & ~rows.spare).sum():,} words to train on and "
            f"{(rows.train & rows.spare).sum():,} spare, {rows.tested.sum():,} tested"
        )
        tested, labels = rows.chosen(rows.tested), rows.labels[rows.tested]
        for name, used in (("", rows.train & ~rows.spare), (", weights", rows.train)):
            words, truth, heavy = rows.chosen(used), rows.labels[used], rows.weights(used)
            row(
                f"TF-IDF 1-3-grams, logistic{name or ', down-sampling'}",
                *timed(baseline, words, truth, heavy, tested, labels, seed),
            )
        for name, head, options, spare, weighted in _WAYS:
            # By family the two heads are compared, by word the balances too: each fit takes its time.
            if head not in heads or (by_family and not (spare and weighted and not options)):
                continue
            row(
                name,
                *timed(ours, rows, facts, head, options, spare, weighted, seed),
            )


def ours(
    rows: HonestRows,
    facts: WordFacts,
    head: str,
    options: dict[str, Any],
    spare: bool,
    weighted: bool,
    seed: int,
) -> Evaluation:
    used = rows.train & (~rows.spare | spare)
    learned = learn(
        rows.chosen(used),
        rows.labels[used],
        rows.folds[used],
        facts,
        weights=rows.weights(used) if weighted else None,
        heads=(head,),
        fashion_share=0.5,
        seed=seed,
        options={head: options},
    )
    tested = rows.chosen(rows.tested)
    probability = learned.calibration.apply(
        learned.head.decision(facts.matrix(tested, learned.evidence, head))
    )
    return evaluate_scores(rows.labels[rows.tested], probability, learned.threshold, seed=seed)


def development(data: Data, seed: int) -> None:
    labels = data.labels()
    print(
        f"labelled words of posts: {len(labels.words)} scored, {labels.fashion.sum()} of them fashion, "
        f"{len(labels.ambiguous)} ambiguous"
    )
    lexicon = LexiconScorer()
    row(
        "lexicon alone",
        evaluate_scores(labels.fashion, lexicon.score(labels.words), lexicon.threshold, seed=seed),
    )
    files = Recipe(
        positives=(str(data.positives),), negatives=(str(data.negatives),), posts=(str(data.posts),)
    )
    for name, recipe in (
        ("trained by default (lists, no posts)", Recipe()),
        ("trained with posts", Recipe(posts=(str(data.posts),))),
        ("trained with the published files and posts", files),
    ):
        start = time.perf_counter()
        path = data.posts if recipe.posts else None
        posts = posts_of(path) if path else []
        words = labelled_words(recipe, posts, seed=seed)
        model, learned = classifier(recipe, words, posts, embedded(path, seed), seed=seed)
        judged = evaluate_scores(labels.fashion, model.score(labels.words), model.threshold, seed=seed)
        row(f"{name}: {learned.head.name}", judged, time.perf_counter() - start)
    neighbours(model, labels, seed)


def neighbours(model: TfashionModel, labels: Labels, seed: int) -> None:
    """The figures with each constant of `known_words` one unit lower and higher, without training again."""
    features = model.facts.matrix(labels.words, model.evidence, model.head.name)
    decision = model.head.decision(features).astype(np.float64)
    of_head = model.calibration.slope * decision + model.calibration.intercept
    print("the constants of known_words.py, one unit down and up (precision, recall, F1)")
    for name in ("LOOK", "CONTEXT", "UNLISTED", "BACKGROUND"):
        value = float(getattr(known_words, name))
        cells = []
        for step in (-1.0, 0.0, 1.0):
            with patch.object(known_words, name, value + step):
                odds = of_head + known_words.known_log_odds(labels.words, load_background())
            judged = evaluate_scores(labels.fashion, odds, 0.0, n_boot=1, seed=seed)
            figures = f"{judged.precision.value:.3f} {judged.recall.value:.3f} {judged.f1.value:.3f}"
            cells.append(f"{value + step:5.1f}: {figures}")
        print(f"  {name:<10} {'   '.join(cells)}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="a section; may be given again")
    parser.add_argument(
        "--heads", nargs="+", choices=("logistic", "mlp"), default=["logistic", "mlp"], help="of `honest`"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of splits and heads (default %(default)s)")
    given = parser.parse_args()
    data, sections = Data(given.data), given.only or SECTIONS
    if "development" in sections:
        development(data, given.seed)
    if "honest" in sections:
        honest(data, given.seed, given.heads)
    if "published" in sections:
        published(data, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
