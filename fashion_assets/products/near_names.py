"""Names that are the same but for a letter, or for a word of many: found without comparing all pairs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

# Two names whose letters differ by one deletion on each side are one name with a typing error, unless they
# are so short that one letter makes another product.
MIN_LETTERS_FOR_TYPO = 14
# A name of n letters has n variants of n letters. Longer ones are descriptions in the wrong column: of a million
# letters the variants would fill any memory, and their words join them anyway.
MAX_LETTERS_FOR_TYPO = 400

# Names of this many words or more are one family if they share at least this part of all their words (Jaccard): five
# words of six, six of eight. With .7, or with four words, brands begin to run together: benchmarks/product_families.py
# prints what the largest family then is, and how many of the pairs found are of one article type.
MIN_WORDS = 5
MIN_SHARED = 0.75


def near_identical_names(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs (i, j) of the different ``names`` (sorted words, one space between) that are near-identical."""
    yield from _one_letter_apart(names)
    yield from _most_words_shared(names)


def _one_letter_apart(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    owners: dict[str, int] = {}
    for index, name in enumerate(names):
        for variant in _typo_variants(name.replace(" ", "")):
            owner = owners.setdefault(variant, index)
            if owner != index:
                yield owner, index


def _typo_variants(letters: str) -> Iterable[str]:
    """``letters`` and each string with one letter left out: names one typing error apart share one."""
    yield letters
    if MIN_LETTERS_FOR_TYPO <= len(letters) <= MAX_LETTERS_FOR_TYPO:
        for position in range(len(letters)):
            yield letters[:position] + letters[position + 1 :]


def _most_words_shared(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Set-similarity join by prefix filter (Chaudhuri, Ganti and Kaushik 2006): two sets with a Jaccard index of t
    share a word among the first n - ceil(t n) + 1 of each, in any common order; rarest first leaves few to compare.
    """
    words = [frozenset(name.split(" ")) for name in names]
    frequency = Counter(word for name in words for word in name)
    holders: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(words):
        if len(name) < MIN_WORDS:
            continue
        rarest = sorted(name, key=lambda word: (frequency[word], word))
        prefix = rarest[: len(name) - math.ceil(MIN_SHARED * len(name)) + 1]
        for other in sorted({holder for word in prefix for holder in holders[word]}):
            shared = len(name & words[other])
            if shared >= MIN_SHARED * (len(name) + len(words[other]) - shared):
                yield other, index
        for word in prefix:
            holders[word].append(index)
