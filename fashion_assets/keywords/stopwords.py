"""The stopword list: the project's own words plus, if wanted, a file of the user's."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from fashion_assets.keywords.lexicon import read_terms
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.storage.errors import UserError


@lru_cache(maxsize=1)
def _own_stopwords() -> frozenset[str]:
    text = (resources.files("fashion_assets.keywords") / "stopwords.txt").read_text(encoding="utf-8")
    return frozenset(map(normalise_word, read_terms(text)))


def load_stopwords(extra: Path | None = None) -> frozenset[str]:
    """The stopwords in normal form: the package's list, and the words of the file `extra` (one a line, `#`
    comments).

    A file that is missing or not UTF-8 is a `UserError`.
    """
    if extra is None:
        return _own_stopwords()
    try:
        text = extra.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise UserError(
            f"The stopword file {extra} could not be opened: {reason}. Give a UTF-8 text file."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"The stopword file {extra} is not UTF-8 (byte {error.start}). Save it as UTF-8, one word a line."
        ) from error
    return _own_stopwords() | {word for word in map(normalise_word, read_terms(text)) if word}
