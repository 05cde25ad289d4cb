"""The project's own list of words that stand in fashion posts and say nothing about dress: ``background.txt``."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from fashion_assets.keywords.lexicon import read_terms


@lru_cache(maxsize=1)
def load_background() -> frozenset[str]:
    """The terms in normal form; none of them stands in the lexicon."""
    text = (resources.files("fashion_assets.keywords") / "background.txt").read_text(encoding="utf-8")
    return frozenset(read_terms(text))
