"""A name for each style from its most characteristic words, e.g. 温柔·连衣裙: how it looks, then what it is.

Belongs here: the choice of words. Does not: their weights (`fashion_assets.keywords.facets.class_tfidf`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

LOOK_FACETS = ("style", "colour", "pattern", "material", "cut")
"""Facets of the first word, the telling ones first."""

THING_FACETS = ("garment", "footwear", "bag", "accessory")
"""Facets of the second word, what a person wears."""

SEPARATOR = "·"

CANDIDATES = 30
"""Characteristic words that a name may be built from; further down they no longer tell styles apart."""


def facet_of_words(documents: Iterable[Sequence[str]], facets: Iterable[Sequence[str]]) -> dict[str, str]:
    """The facet that each word has most often ("" only if it has no other); ties by name."""
    votes: dict[str, Counter[str]] = {}
    for words, kinds in zip(documents, facets, strict=True):
        for word, kind in zip(words, kinds, strict=True):
            votes.setdefault(word, Counter())[kind or ""] += 1
    return {
        word: min(counts, key=lambda kind: (kind == "", -counts[kind], kind))
        for word, counts in votes.items()
    }


def name_styles(
    words_of: Mapping[int, Sequence[str]], facets: Mapping[str, str], sizes: Mapping[int, int]
) -> dict[int, str]:
    """A name for each style, unique among them. `words_of` lists a style's words, the most characteristic
    first.

    The largest style chooses first. A look word and a thing word make the name; without them the two most
    characteristic words; without any word the style's number. A name that is taken gives way to the next
    pair, then gets a third word, then the number.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    for style in sorted(words_of, key=lambda key: (-sizes.get(key, 0), key)):
        name = next(
            (each for each in _candidates(words_of[style][:CANDIDATES], facets) if each not in taken), None
        )
        if name is None:
            first = next(_candidates(words_of[style], facets), "风格")
            name = f"{first} {style}"
        names[style] = name
        taken.add(name)
    return names


def _candidates(words: Sequence[str], facets: Mapping[str, str]) -> Iterator[str]:
    """Possible names, best first: the pair of the strongest words, then pairs with later ones."""
    looks = _by_facet(words, facets, LOOK_FACETS)
    things = _by_facet(words, facets, THING_FACETS)
    pairs = [
        (rank_look + rank_thing, look, thing)
        for rank_look, look in enumerate(looks)
        for rank_thing, thing in enumerate(things)
        if look not in thing and thing not in look
    ]
    for _, look, thing in sorted(pairs, key=lambda pair: pair[0]):
        yield f"{look}{SEPARATOR}{thing}"
    if not pairs:
        for second in range(1, len(words)):
            yield f"{words[0]}{SEPARATOR}{words[second]}"
        if len(words) == 1:
            yield words[0]
    elif len(words) > 2:
        _, look, thing = min(pairs, key=lambda pair: pair[0])
        for word in words:
            if word not in (look, thing):
                yield f"{look}{SEPARATOR}{thing}{SEPARATOR}{word}"


def _by_facet(words: Sequence[str], facets: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """The words of the wanted facets. A "style" word goes before a colour of the same list by one facet's
    rank.
    """
    ranked = [
        (position + wanted.index(facets[word]), position, word)
        for position, word in enumerate(words)
        if facets.get(word) in wanted
    ]
    return [word for _, _, word in sorted(ranked)]
