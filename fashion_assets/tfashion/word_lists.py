"""The words that need no file: the project's lexicon and background, and frequent words of the general dictionary."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np

from fashion_assets.keywords.dictionary import load_dictionary
from fashion_assets.keywords.lexicon import load_lexicon

#: Dictionary words without a fashion term in them that are learned from as the other side: the most frequent,
#: which posts are full of, and some of the next most frequent, so that rarer words are not strange.
N_FREQUENT, N_RARER, RARER_UP_TO = 8_000, 4_000, 80_000

#: What segmenters meet most; longer entries of the dictionary are names and idioms.
_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}")


def dictionary_terms(seed: int) -> list[str]:
    """Words of the general dictionary that the lexicon does not know, sorted."""
    lexicon = load_lexicon()
    ranked = sorted(
        (-entry.frequency, word) for word, entry in load_dictionary().items() if _WORD.fullmatch(word)
    )
    # Asking the lexicon is what takes time: no further than needed.
    unknown = (word for _, word in ranked if lexicon.facet(word) is None)
    words = list(islice(unknown, RARER_UP_TO))
    rarer = words[N_FREQUENT:]
    chosen = np.random.default_rng(seed).permutation(len(rarer))[:N_RARER]
    return sorted([*words[:N_FREQUENT], *(rarer[place] for place in chosen)])
