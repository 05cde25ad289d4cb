"""Scores of words that outlive a batch, a month and a process: each distinct word is scored once.

Belongs here: what is remembered between the batches of `extract.extract_keywords_stream`. Does not belong
here: the scoring itself (`scorers`, `tfashion`), reading and writing of the table (`storage`).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.keywords.scorers import KeywordScorer
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic
from fashion_assets.storage.parquet_files import read_parquet

#: New words that are gathered before they become a shard: what a killed run scores again at most, against the
#: number of files.
SHARD_WORDS = 50_000

#: Key of the model id in the metadata of a shard.
_MODEL_ID_KEY = b"model_id"


def _shard_schema(model_id: str) -> pa.Schema:
    fields = [pa.field("word", pa.string(), nullable=False), pa.field("score", pa.float32(), nullable=False)]
    return pa.schema(fields, metadata={_MODEL_ID_KEY: model_id.encode()})


class WordScoreStore:
    """Scores of one model's words on disk: `<folder>/<model id, safe>/<uuid>.parquet`.

    Shards are written once, whole, and never changed, so any number of processes may add at the same time; a
    word that two of them add is there twice, with the same score. Another model has another folder.
    """

    def __init__(self, folder: Path, model_id: str) -> None:
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", model_id).strip("._")[:80]
        # With a digest of the whole id, so that no two ids share a folder.
        self.folder = folder / f"{readable}-{hashlib.sha256(model_id.encode()).hexdigest()[:12]}"
        self.model_id = model_id

    def load(self) -> dict[str, float]:
        """Every stored word with its score. Raises UserError naming a shard that is damaged or of another
        model.
        """
        scores: dict[str, float] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                table = read_parquet(path)
                words, values = table["word"].to_pylist(), table["score"].to_pylist()
            except (OSError, KeyError, pa.ArrowInvalid) as fault:
                raise UserError(
                    f"the word scores in {path} cannot be read ({fault}); delete the file, and its words are "
                    "scored again"
                ) from fault
            found = (table.schema.metadata or {}).get(_MODEL_ID_KEY, b"").decode()
            if found != self.model_id:
                raise UserError(
                    f"the word scores in {path} are of {found!r}; expected {self.model_id!r}; delete the file, "
                    "and its words are scored again"
                )
            scores.update(zip(words, values, strict=True))
        return scores

    def add(self, scores: dict[str, float]) -> None:
        """Store these words' scores as one shard; nothing to store writes nothing."""
        if not scores:
            return
        columns = [pa.array(scores, pa.string()), pa.array(scores.values(), pa.float32())]
        table = pa.table(columns, schema=_shard_schema(self.model_id))
        write_parquet_atomic(self.folder / f"{uuid.uuid4().hex}.parquet", table)


class WordScores:
    """The scores of every distinct word asked so far, each asked of the scorer once.

    With a `store`, words that it holds are not scored at all, and new scores are added to it: in shards as
    they gather, the rest by `save`. The store is read when the first word is asked for.
    """

    def __init__(self, scorer: KeywordScorer, store: WordScoreStore | None = None) -> None:
        if store is not None and store.model_id != scorer.model_id:
            raise UserError(
                f"the stored word scores are of {store.model_id!r}, the scorer is {scorer.model_id!r}; "
                "give each model a store of its own"
            )
        self.scorer = scorer
        self.store = store
        #: Distinct words that the scorer was asked for, and those whose score came from the store. Together
        #: they are the distinct words met.
        self.n_scored = 0
        self.n_reused = 0
        self._met: dict[str, float] = {}
        self._stored: dict[str, float] | None = None
        self._unsaved: dict[str, float] = {}

    def passing(self, words: Iterable[str]) -> dict[str, float]:
        """Those of the words whose score reaches the scorer's threshold, with it, in order of the words sorted.

        Only words that were never met are scored, in one batch, sorted, so that batches of the scorer do not
        depend on the order of posts. Raises UserError if the scorer gives not one finite number per word.
        """
        asked = sorted(set(words))
        self._meet([word for word in asked if word not in self._met])
        # Scores are float32: a threshold of 0.7 has to let the float32 nearest to 0.7 pass.
        least = float(np.float32(self.scorer.threshold))
        return {word: score for word in asked if (score := self._met[word]) >= least}

    def save(self) -> None:
        """Put what was scored since the last shard into the store, if there is one."""
        if self.store is not None:
            self.store.add(self._unsaved)
        self._unsaved = {}

    def _meet(self, words: list[str]) -> None:
        if self._stored is None:
            self._stored = self.store.load() if self.store is not None else {}
        known = {word: self._stored.pop(word) for word in words if word in self._stored}
        self._met.update(known)
        self.n_reused += len(known)
        new = [word for word in words if word not in known]
        if not new:
            return
        scores = dict(zip(new, self._scored(new), strict=True))
        self._met.update(scores)
        self.n_scored += len(new)
        if self.store is not None:
            self._unsaved.update(scores)
            if len(self._unsaved) >= SHARD_WORDS:
                self.save()

    def _scored(self, words: list[str]) -> list[float]:
        scores = np.asarray(self.scorer.score(words), dtype=np.float32)
        if scores.shape != (len(words),):
            raise UserError(
                f"the scorer {self.scorer.model_id!r} gave scores of shape {scores.shape} for {len(words)} "
                "words; expected one each"
            )
        wrong = np.flatnonzero(~np.isfinite(scores))
        if len(wrong):
            raise UserError(
                f"the scorer {self.scorer.model_id!r} gave {scores[wrong[0]]} for the word "
                f"{words[wrong[0]]!r}; expected a number from 0 to 1: train it again"
            )
        return [float(score) for score in scores]


class KeywordTally:
    """What is told about a month of FASHION_KEYWORDS, counted part by part while it is written."""

    def __init__(self) -> None:
        self.n_posts = 0
        self.n_posts_without_keyword = 0
        #: Posts that name each keyword, and each facet ("" for none).
        self.posts_by_keyword: Counter[str] = Counter()
        self.posts_by_facet: Counter[str] = Counter()

    def add(self, part: pd.DataFrame) -> pd.DataFrame:
        """Count the part, and hand it on."""
        self.n_posts += len(part)
        for keywords, facets in zip(part["keywords"], part["facets"], strict=True):
            self.n_posts_without_keyword += not keywords
            self.posts_by_keyword.update(keywords)  # a post holds each of its keywords once
            self.posts_by_facet.update(set(facets))
        return part

    def top_keywords(self, n: int = 20) -> list[str]:
        """The `n` keywords of most posts; ties by word."""
        ordered = sorted(self.posts_by_keyword.items(), key=lambda item: (-item[1], item[0]))
        return [keyword for keyword, _ in ordered[:n]]
