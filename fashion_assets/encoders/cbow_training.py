"""Training of ``local:cbow``: on a corpus of tokens, or, for a first look in a notebook, on the lexicon."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.cbow import CbowModel, CbowSettings
from fashion_assets.storage.errors import UserError

#: Tokens that training should see over all epochs; below it small corpora stay close to their random start.
TARGET_TOKENS = 1_500_000
MIN_EPOCHS = 5
#: Words seen less often have no vector of their own, only that of their n-grams.
MIN_COUNT = 2
#: The first component of a handful of texts is what they say, not what all texts share; it is then not removed.
MIN_TEXTS_FOR_COMPONENT = 50
#: Some thousand posts need these many; more no longer change which words stand together.
MAX_EPOCHS = 40

#: Decimals of the component: float64 sums differ in the fifteenth digit between machines, never in the sixth.
_COMPONENT_DECIMALS = 6

#: Made-up sentences: so many terms each, and each term in so many of them; enough that facets separate.
_LEXICON_SENTENCE = 12
_LEXICON_ROUNDS = 10


def train_cbow(
    token_lists: Iterable[list[str]],
    *,
    dim: int = 128,
    epochs: int | None = None,
    seed: int = 7,
    min_count: int = MIN_COUNT,
    window: int = 20,
    bucket: int = 20_000,
    name: str = "local:cbow",
) -> CbowModel:
    """A model of the texts' words. The same texts in the same order with the same seed give the same
    digest.

    One worker only: with several, gensim's updates race and no two runs agree. Raises UserError if no word
    appears ``min_count`` times.
    """
    texts = [list(tokens) for tokens in token_lists if tokens]
    settings = CbowSettings(
        dim=dim, epochs=epochs, seed=seed, min_count=min_count, window=window, bucket=bucket
    )
    trained = _train_fasttext(texts, settings)
    keyed = trained.wv
    counts = np.asarray([keyed.get_vecattr(word, "count") for word in keyed.index_to_key], dtype=np.int64)
    model = CbowModel(
        keyed.index_to_key,
        np.array(keyed.vectors, dtype=np.float32),
        np.array(keyed.vectors_ngrams, dtype=np.float32),
        counts,
        np.zeros(dim, dtype=np.float32),
        settings,
        name,
    )
    enough = len(texts) >= MIN_TEXTS_FOR_COMPONENT
    component = first_component(model.weighted_means(texts)) if enough else np.zeros(dim, dtype=np.float32)
    return CbowModel(model.words, model.vectors, model.ngram_vectors, counts, component, settings, name)


def train_or_lexicon(token_lists: Iterable[list[str]], *, seed: int = 7) -> tuple[CbowModel, str]:
    """A model of the texts, or of the lexicon where they hold too little to learn from; and what was done."""
    texts = [list(tokens) for tokens in token_lists if tokens]
    counts = Counter(word for tokens in texts for word in tokens)
    if sum(count >= MIN_COUNT for count in counts.values()) < 2:
        return lexicon_cbow(), f"{len(texts)} texts hold no word twice; the vectors come from the lexicon"
    return train_cbow(texts, seed=seed), f"learned from {len(texts)} texts"


def _train_fasttext(texts: list[list[str]], settings: CbowSettings) -> Any:
    from gensim.models.fasttext import FastText

    model = FastText(
        sg=0,
        vector_size=settings.dim,
        window=settings.window,
        min_count=settings.min_count,
        min_n=settings.min_n,
        max_n=settings.max_n,
        bucket=settings.bucket,
        alpha=settings.alpha,
        seed=settings.seed,
        workers=1,
        sorted_vocab=1,
    )
    model.build_vocab(corpus_iterable=texts)
    if len(model.wv) == 0:
        raise UserError(
            f"word vectors need words that appear at least {settings.min_count} times; "
            f"the {len(texts)} texts given have none; give more texts or lower min_count"
        )
    model.train(
        corpus_iterable=texts,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings.epochs or epochs_for(model.corpus_total_words),
    )
    return model


def epochs_for(n_tokens: int) -> int:
    """How many rounds over ``n_tokens`` reach TARGET_TOKENS, between MIN_EPOCHS and MAX_EPOCHS."""
    return int(np.clip(round(TARGET_TOKENS / max(n_tokens, 1)), MIN_EPOCHS, MAX_EPOCHS))


def first_component(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """(d,) float32: the first right singular vector of the rows (n, d), not centred, as Arora et al. take
    it.

    The sign is fixed and the last digits are rounded away, so that another number of BLAS threads does not
    change the model's digest.
    """
    if len(rows) == 0:
        return np.zeros(rows.shape[1], dtype=np.float32)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    first = vectors[:, -1]
    first = first * np.sign(first[np.argmax(np.abs(first))])
    return np.round(first, _COMPONENT_DECIMALS).astype(np.float32)


@functools.lru_cache(maxsize=1)
def lexicon_cbow() -> CbowModel:
    """A small model of the project's own lexicon, trained in seconds and kept in memory: no corpus, no
    download.

    Terms of one facet stand beside each other in made-up sentences, so a garment is near garments and a
    colour near colours; unlike a model of the corpus it knows nothing of which goes with which.
    """
    return train_cbow(lexicon_sentences(), epochs=5, min_count=1, bucket=5_000, name="local:cbow-lexicon")


def lexicon_sentences(seed: int = 7) -> list[list[str]]:
    """Made-up sentences: windows over the shuffled terms of each facet, as many for each term."""
    from fashion_assets.keywords.lexicon import load_lexicon

    lexicon = load_lexicon()
    generator = np.random.default_rng(seed)
    sentences: list[list[str]] = []
    for facet in lexicon.facets:
        terms = lexicon.terms(facet)
        for _ in range(_LEXICON_ROUNDS):
            shuffled = [terms[index] for index in generator.permutation(len(terms))]
            starts = range(0, len(shuffled), _LEXICON_SENTENCE)
            sentences += [shuffled[start : start + _LEXICON_SENTENCE] for start in starts]
    return sentences
