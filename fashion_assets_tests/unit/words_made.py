"""A small made vocabulary of both kinds, word vectors that take no time, and a classifier trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fashion_assets.encoders.cbow import CbowModel, CbowSettings
from fashion_assets.keywords.post_words import PostWords
from fashion_assets.tfashion.calibration import PlattCalibration
from fashion_assets.tfashion.corpus import CorpusContrast
from fashion_assets.tfashion.evidence import CharEvidence
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.heads import make_head
from fashion_assets.tfashion.model import TfashionModel
from fashion_assets.tfashion.sources import RawWords
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets.tfashion.words import training_words

LOOKS = ("碎花", "格纹", "条纹", "真丝", "牛仔", "针织", "蕾丝", "羊绒", "法式", "复古", "修身", "高腰")
GARMENTS = ("长裙", "短裙", "衬衫", "外套", "风衣", "毛衣", "长裤", "短靴")
TOPICS = ("历史", "经济", "政府", "铁路", "人口", "天气", "数学", "选举", "农业", "医院", "石油", "法律")
THINGS = ("问题", "部门", "学院", "报告", "年代", "地区", "会议", "制度")

FASHION = [look + garment for look in LOOKS for garment in GARMENTS]
OTHER = [topic + thing for topic in TOPICS for thing in THINGS]


def cbow(dim: int = 8, seed: int = 0, words: tuple[str, ...] = ()) -> CbowModel:
    """Random vectors for the n-grams; `words` have one of their own."""
    rng = np.random.default_rng(seed)
    return CbowModel(
        list(words),
        rng.normal(size=(len(words), dim)).astype(np.float32),
        rng.normal(size=(500, dim)).astype(np.float32),
        np.ones(len(words), dtype=np.int64),
        np.zeros(dim, dtype=np.float32),
        CbowSettings(dim=dim, bucket=500),
    )


def facts(posts: tuple[PostWords, ...] = (), **vectors: Any) -> WordFacts:
    return WordFacts(WordVectors(cbow(**vectors)), CorpusContrast.count(posts))


def labelled(fashion: list[str] = FASHION, other: list[str] = OTHER, seed: int = 0) -> pd.DataFrame:
    """TRAINING_WORDS of the made vocabulary alone, all of them used."""
    return training_words(
        RawWords(fashion), RawWords(other), lexicon_terms=(), background_terms=(), seed=seed
    )


def classifier(
    known: WordFacts | None = None,
    *,
    uses_lists: bool = False,
    head: str = "logistic",
    story: dict[str, Any] | None = None,
    **options: Any,
) -> TfashionModel:
    """A model of the made vocabulary, without the choice and the judging that `learn` adds."""
    known = known or facts()
    words, labels = [*FASHION, *OTHER], np.arange(len(FASHION) + len(OTHER)) < len(FASHION)
    evidence = CharEvidence.fit(words, labels)
    matrix = known.matrix(words, evidence, head)
    fitted = make_head(head, matrix.shape[1], 1, **options)
    fitted.fit(matrix, labels)
    return TfashionModel(fitted, known, evidence, PlattCalibration(0.5, -0.25), 0.5, uses_lists, story or {})
