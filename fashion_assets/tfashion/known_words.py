"""What is known of a word before it is judged: the lexicon names it, or the list of words without fashion does.

A head cannot learn how far to trust the lists, because it learns from them; so their weight is set here, in
log-odds that are added to the head's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.scorers import LexiconScorer

#: Facets that tell when, where and by whom something is worn. Their terms are everyday words as well (上班, 海边),
#: so the head keeps a say; so it does with brands, many of which are ordinary words.
CONTEXT_FACETS = frozenset({"season", "occasion", "body_type", "brand"})

#: Log-odds that are added for a term of a look, of context, for a word of no list, and for one of the background.
#: The training words are clean terms and clean everyday words, about half of each; the words of posts are mostly
#: everyday words, names and scraps of cut words, so a word of no list has to be well above even. All four were chosen
#: in quarter steps on the labelled development words, as a whole (``benchmarks/word_classifier.py`` prints the
#: neighbouring choices); F1 changes by under .02 within one unit of each.
LOOK, CONTEXT, UNLISTED, BACKGROUND = 4.5, 1.0, -4.25, -7.5


def knowledge_digest() -> str:
    """SHA-256 of the lexicon, the background and the numbers above: what scores depend on beside the model's file."""
    lexicon = LexiconScorer().model_id
    background = "\n".join(sorted(load_background()))
    numbers = f"{LOOK} {CONTEXT} {UNLISTED} {BACKGROUND} {sorted(CONTEXT_FACETS)}"
    return hashlib.sha256(f"{lexicon}\n{numbers}\n{background}".encode()).hexdigest()


def known_log_odds(words: Sequence[str], background: Collection[str]) -> npt.NDArray[np.float64]:
    """(n,) log-odds to add, by what the lexicon and the list ``background`` know of each word."""
    lexicon = load_lexicon()
    out = np.full(len(words), UNLISTED)
    for row, word in enumerate(words):
        facet = lexicon.exact_facet(word)
        if facet is not None:
            out[row] = CONTEXT if facet in CONTEXT_FACETS else LOOK
        elif word in background:
            out[row] = BACKGROUND
    return out
