"""The project's own fashion lexicon: one text file per facet beside this module, and the look-up over them.

Belongs here: the word lists and `load_lexicon`. Does not belong here: stopwords, scores, anything learned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.storage.errors import UserError

FACETS: tuple[str, ...] = (
    "garment",
    "footwear",
    "accessory",
    "bag",
    "material",
    "colour",
    "pattern",
    "cut",
    "style",
    "hair_beauty",
    "brand",
    "body_type",
    "season",
    "occasion",
)

#: Facets whose terms head a longer Chinese word: 格子半身裙 is a garment because 半身裙 is one. Names,
#: wearers, seasons and occasions are left out: a word that merely ends in one (小生日, 太子妃) says nothing
#: about dress.
HEAD_FACETS: frozenset[str] = frozenset(
    {
        "garment",
        "footwear",
        "accessory",
        "bag",
        "material",
        "colour",
        "pattern",
        "cut",
        "style",
        "hair_beauty",
    }
)

#: A head has at least this many characters; of one character only those below are safe.
MIN_HEAD_CHARS = 2

#: Characters that hardly end any other kind of Chinese word, so that 绒布裙 or 阔摆裤 need no entry of their
#: own. 包 (面包, 红包), 色 (角色), 衣 (糖衣), 袋 (脑袋), 链 (供应链) and 领 (白领) do, and are left out.
ONE_CHARACTER_HEADS: Mapping[str, str] = {
    "裙": "garment",
    "裤": "garment",
    "衫": "garment",
    "鞋": "footwear",
    "靴": "footwear",
    "袜": "accessory",
    "妆": "hair_beauty",
}

#: Longest word that is looked at for a head; anything longer is a sentence, not a word.
MAX_HEADED_CHARS = 16

_HAN_END = re.compile(r"[\u4e00-\u9fff]\Z")


class Lexicon:
    """Terms by facet, looked up in normal form. Built by `load_lexicon`; unchanging, safe to share by
    threads.
    """

    def __init__(self, terms_by_facet: Mapping[str, tuple[str, ...]]) -> None:
        self._terms_by_facet = dict(terms_by_facet)
        self._facet_of = {term: facet for facet, terms in self._terms_by_facet.items() for term in terms}

    @property
    def facets(self) -> tuple[str, ...]:
        """The facet names, in the order of the files."""
        return tuple(self._terms_by_facet)

    def terms(self, facet: str | None = None) -> tuple[str, ...]:
        """The terms of one facet, or of all, in file order and normal form. An unknown facet is a
        `UserError`.
        """
        if facet is None:
            return tuple(self._facet_of)
        if facet not in self._terms_by_facet:
            raise UserError(
                f"The lexicon has no facet {facet!r}; its facets are {', '.join(self._terms_by_facet)}."
            )
        return self._terms_by_facet[facet]

    def exact_facet(self, term: str) -> str | None:
        """The facet that lists this very term (after `normalise_word`), or None."""
        return self._facet_of.get(normalise_word(term))

    def head(self, term: str) -> str | None:
        """The longest listed term that the word ends in and is longer than, or None; for words ending in
        Chinese.
        """
        word = normalise_word(term)
        if len(word) > MAX_HEADED_CHARS or not _HAN_END.search(word):
            return None
        for start in range(1, len(word) - MIN_HEAD_CHARS + 1):
            if self._facet_of.get(word[start:]) in HEAD_FACETS:
                return word[start:]
        last = word[-1]
        return last if len(word) > 1 and last in ONE_CHARACTER_HEADS else None

    def facet(self, term: str) -> str | None:
        """The facet of the term itself, else that of its longest head (格子半身裙 -> garment), else None."""
        listed = self.exact_facet(term)
        if listed is not None:
            return listed
        head = self.head(term)
        if head is None:
            return None
        return self._facet_of.get(head) or ONE_CHARACTER_HEADS[head]

    def __contains__(self, term: object) -> bool:
        return isinstance(term, str) and self.exact_facet(term) is not None

    def __len__(self) -> int:
        return len(self._facet_of)


def read_terms(text: str) -> tuple[str, ...]:
    """The terms of one list file: a term a line, `#` comments and empty lines left out, in order, no
    repeats.
    """
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The lexicon that comes with the package: read once, then shared."""
    folder = resources.files(__name__)
    return Lexicon(
        {facet: read_terms((folder / f"{facet}.txt").read_text(encoding="utf-8")) for facet in FACETS}
    )
