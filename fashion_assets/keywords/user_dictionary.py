"""The user dictionary: reviewed terms that both segmenters keep whole, in a text file that people edit.

One `term<TAB>facet` a line, the facet optional, `#` comments. Belongs here: reading, checking and adding. Does not
belong here: finding terms (`new_words`) and cutting by them (`tokens`, which take `UserDictionary.terms`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fashion_assets.keywords.lexicon import FACETS
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.segmenters import HAN
from fashion_assets.keywords.tokens import MAX_WORD_CHARS, is_content_form
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

#: First lines of a new file, so that whoever opens it knows what it is.
HEADING = "# Terms that are kept whole, one a line: the term, a tab, and its facet (or nothing).\n"

#: A space with a Chinese character on each side: old money 风 may have one, 美 拉德 may not.
_SPACE_IN_HAN = re.compile(rf"[{HAN}]\s+[{HAN}]")


@dataclass(frozen=True)
class UserDictionary:
    """The terms in normal form, in file order, each with its facet ("" for none)."""

    terms: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def digest(self) -> str:
        """The SHA-256 of the terms and facets as 64 hex digits; equal for equal terms in any order."""
        lines = "\n".join(f"{term}\t{facet}" for term, facet in sorted(self.terms.items()))
        return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def read_user_dictionary(path: Path) -> UserDictionary:
    """The dictionary in a file; a missing file is an empty dictionary.

    Raises UserError, naming file and line, for what is no term (one character, over 40, only numbers or marks,
    control characters, a space between Chinese characters), an unknown facet, and a term with two facets.
    """
    found: dict[str, tuple[str, int]] = {}
    for line, term, facet in _entries(path, _lines(path)):
        earlier, earlier_line = found.get(term, ("", line))
        if earlier and facet and earlier != facet:
            raise UserError(
                f"{path}:{line}: the term {term!r} has the facet {facet}, and {earlier} on line {earlier_line}; "
                "delete one of the two lines."
            )
        found[term] = (earlier or facet, earlier_line if earlier else line)
    return UserDictionary(MappingProxyType({term: facet for term, (facet, _) in found.items()}))


def add_terms(path: Path, terms: Iterable[tuple[str, str]]) -> UserDictionary:
    """The dictionary after adding (term, facet) pairs to its file, which is written whole or not at all.

    A term that is there gets the new facet if one is given; comments and order stay, and adding the same again
    leaves the file as it is. Raises UserError as `read_user_dictionary`, naming a faulty pair by its place.
    """
    now = read_user_dictionary(path).terms
    wanted: dict[str, str] = {}
    for number, (raw, facet) in enumerate(terms, start=1):
        term, facet = _checked(f"The new term {number}", raw.strip(" "), facet.strip())
        wanted[term] = facet or wanted.get(term, now.get(term, ""))
    new = {term: facet for term, facet in wanted.items() if now.get(term) != facet}
    if new:
        write_text_atomic(path, _merged(path, new))
    return read_user_dictionary(path)


def _merged(path: Path, new: Mapping[str, str]) -> str:
    """The file's text with `new` in it: lines of terms that change are taken out, and all come at the end."""
    lines = _lines(path)
    replaced = {line for line, term, _ in _entries(path, lines) if term in new}
    kept = [text for line, text in enumerate(lines, start=1) if line not in replaced]
    head = "".join(f"{text}\n" for text in kept) if path.exists() else HEADING
    return head + "".join(f"{term}\t{facet}".rstrip("\t") + "\n" for term, facet in new.items())


def _lines(path: Path) -> list[str]:
    """The file's lines, none if it is missing. Only line feeds end a line: rarer breaks are faults in a term."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise UserError(
            f"The user dictionary {path} could not be opened: {reason}. Give a text file."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"The user dictionary {path} is not UTF-8 (byte {error.start}). Save it as UTF-8, a term a line."
        ) from error
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _entries(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Line number, term in normal form and facet of each line that holds a term."""
    for line, text in enumerate(lines, start=1):
        written = text.split("#", 1)[0].strip(" \t")
        if not written:
            continue
        where = f"{path}:{line}"
        term, *rest = (part.strip(" ") for part in written.split("\t"))
        _refuse_if(
            where,
            len(rest) > 1,
            f"{written!r} has {len(rest)} tabs",
            "write the term, one tab and its facet",
        )
        yield line, *_checked(where, term, rest[0] if rest else "")


def _checked(where: str, raw: str, facet: str) -> tuple[str, str]:
    """The term in normal form and its facet, or UserError with a sentence that begins with `where`."""
    control = next((c for c in raw if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")), None)
    if control is not None:
        raise UserError(
            f"{where}: {raw[:MAX_WORD_CHARS]!r} holds the control character U+{ord(control):04X}; delete it."
        )
    term = normalise_word(raw)
    shown = repr(raw if len(raw) <= MAX_WORD_CHARS else raw[:MAX_WORD_CHARS] + "…")
    # ＃ becomes # in normal form, and in the file that begins a comment.
    _refuse_if(where, "#" in term, f"{shown} holds a #, which begins a comment", "write it without")
    _refuse_if(where, len(term) < 2, f"{shown} is one character", "a term needs two or more")
    _refuse_if(
        where,
        len(term) > MAX_WORD_CHARS,
        f"{shown} has {len(term)} characters",
        f"a term has at most {MAX_WORD_CHARS}",
    )
    _refuse_if(
        where,
        bool(_SPACE_IN_HAN.search(term)),
        f"{shown} has a space between Chinese characters",
        "write them together, or as two terms",
    )
    _refuse_if(where, not is_content_form(term), f"{shown} is a number or has no letter", "a term is a word")
    if facet and facet not in FACETS:
        raise UserError(
            f"{where}: the term {shown} has the facet {facet!r}; use one of {', '.join(FACETS)}, or none."
        )
    return term, facet


def _refuse_if(where: str, refused: bool, found: str, wanted: str) -> None:
    if refused:
        raise UserError(f"{where}: {found}; {wanted}.")
