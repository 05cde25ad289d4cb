"""Counts and weights over keywords: facets per month, most frequent keywords, and class-based TF-IDF."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd


def facet_counts(keywords: pd.DataFrame) -> pd.DataFrame:
    """One row per month and facet of FASHION_KEYWORDS: `n_posts` that name it, `n_keywords` named, in file
    order.

    Keywords without a facet are counted under "".
    """
    return _counted(_exploded(keywords), ["month", "facet"])


def top_keywords(keywords: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """The `n` keywords of most posts: columns keyword, facet, n_posts, share (of all posts given); ties by
    word.
    """
    rows = _exploded(keywords)
    counts = rows.groupby(["keyword", "facet"], as_index=False, sort=True).agg(n_posts=("row", "nunique"))
    counts["share"] = counts["n_posts"] / max(1, len(keywords))
    ordered = counts.sort_values(["n_posts", "keyword"], ascending=[False, True], kind="stable")
    return ordered.head(max(0, n)).reset_index(drop=True)


def class_tfidf(
    documents: Sequence[Sequence[str]], labels: npt.NDArray[np.int_], top: int = 10
) -> dict[int, list[tuple[str, float]]]:
    """Per label (ascending) its `top` words with their weights, heaviest first, ties by word.

    W(t, c) = tf(t, c) * log(1 + A / f(t)): tf counts the word in the joined documents of the class, f over
    all classes, A is the average number of words per class (Grootendorst 2022, "BERTopic", eq. 2). A label
    whose documents are all empty gets an empty list. As many labels as documents are needed, else
    `ValueError`.
    """
    if len(documents) != len(labels):
        raise ValueError(
            f"There are {len(documents)} documents and {len(labels)} labels; each document needs one."
        )
    in_class: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for document, label in zip(documents, labels, strict=True):
        in_class[int(label)].update(document)
    if not in_class:
        return {}
    overall: Counter[str] = Counter()
    for counts in in_class.values():
        overall.update(counts)
    average = sum(overall.values()) / len(in_class)
    weights: dict[int, list[tuple[str, float]]] = {}
    for label in sorted(in_class):
        weighted = [(w, tf * float(np.log1p(average / overall[w]))) for w, tf in in_class[label].items()]
        weights[label] = sorted(weighted, key=lambda item: (-item[1], item[0]))[: max(0, top)]
    return weights


def _exploded(keywords: pd.DataFrame) -> pd.DataFrame:
    """One row per keyword of a post: row (position of the post), month, keyword, facet."""
    rows = [
        (position, month, keyword, facet)
        for position, (month, words, facets) in enumerate(
            zip(keywords["month"], keywords["keywords"], keywords["facets"], strict=True)
        )
        for keyword, facet in zip(words, facets, strict=True)
    ]
    return pd.DataFrame(rows, columns=["row", "month", "keyword", "facet"])


def _counted(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return rows.groupby(by, as_index=False, sort=True).agg(
        n_posts=("row", "nunique"), n_keywords=("keyword", "size")
    )
