"""Strings of Chinese characters, counted over posts: what `new_words` measures.

Belongs here: texts to character codes, and the counting. Does not belong here: which string is a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.keywords.segmenters import PURE_HAN
from fashion_assets.keywords.tokens import is_missing
from fashion_assets.storage.errors import UserError

#: Code of whatever is not a Chinese character of `segmenters.HAN`, however much of it; those follow from 1.
BREAK = 0
_BEFORE_HAN = 0x4E00 - 1

#: Bits of a code: `segmenters.HAN` has 20,950 characters.
CODE_BITS = 15

#: Most characters and breaks of a corpus: string, code and position of two posts or more then fit into 63 bits.
MAX_CHARACTERS = 1 << 24

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HanCorpus:
    """Different posts as one row of codes: Chinese characters, and one `BREAK` between, before and after runs."""

    #: (n,) uint16.
    codes: npt.NDArray[np.uint16]
    #: (n,) the post of each position, ascending.
    posts: Int32s
    #: Texts given; different posts kept; share of all different posts that is kept (a power of a half).
    n_read: int
    n_posts: int
    share: float

    def text(self, start: int, end: int) -> str:
        """The characters from `start` to before `end`, a space for each break."""
        return "".join(chr(code + _BEFORE_HAN) if code else " " for code in self.codes[start:end].tolist())


def read_han_corpus(texts: Iterable[str | None], max_characters: int = MAX_CHARACTERS) -> HanCorpus:
    """The texts' runs of Chinese characters, one text at a time; equal posts, compared by these runs, once.

    Where they hold more than `max_characters`, an even sample of the different posts is kept, drawn by the hash of
    the text and so independent of their order (Gibbons 2001, "Distinct sampling"). UserError for what is no text.
    """
    kept: dict[int, bytes] = {}
    held, halvings, row = 0, 0, -1
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            if is_missing(text):
                continue
            raise UserError(f"text {row} is a {type(text).__name__}; expected str (None if missing).")
        runs = "\n".join(PURE_HAN.findall(text)).encode("utf-16-le")
        digest = int.from_bytes(hashlib.blake2b(runs, digest_size=8).digest())
        if not runs or digest % (1 << halvings) or digest in kept:
            continue
        # A single endless post is cut: alone it would push out every sample that holds it.
        runs = runs[: 2 * (max_characters // 2)]
        kept[digest] = runs
        held += len(runs) // 2 + 1
        while held >= max_characters:
            halvings += 1
            kept = {found: post for found, post in kept.items() if not found % (1 << halvings)}
            held = sum(len(post) // 2 + 1 for post in kept.values())
    lengths = np.fromiter((len(post) // 2 + 1 for post in kept.values()), dtype=np.int64, count=len(kept))
    line_feed = "\n".encode("utf-16-le")
    codes = np.frombuffer(line_feed + b"".join(post + line_feed for post in kept.values()), dtype="<u2")
    codes = np.where(codes == ord("\n"), BREAK, codes - _BEFORE_HAN).astype(np.uint16)
    posts = np.repeat(np.arange(len(kept), dtype=np.int32), lengths)
    return HanCorpus(codes, np.concatenate([np.zeros(1, np.int32), posts]), row + 1, len(kept), 0.5**halvings)


@dataclass(frozen=True)
class Strings:
    """The strings of one length in enough posts, `n` of them, in the order of their characters' codes."""

    length: int
    #: (n,) posts that hold each; all its places; and where it stands first.
    n_posts: Int64s
    frequency: Int64s
    first: Int64s
    #: (n,) row of all but its last character, and of all but its first, in the `Strings` one character shorter.
    head: Int64s
    tail: Int64s


def count_strings(corpus: HanCorpus, min_posts: int, max_chars: int) -> Iterator[tuple[Strings, Int64s]]:
    """Strings of 1, 2, … `max_chars` characters that stand in at least `min_posts` (2 or more) posts, and their
    places: those of string 0, then of string 1, …, ascending within each.

    A longer string is only counted where both strings one shorter are frequent (the a-priori rule of Agrawal and
    Srikant 1994), so each length has fewer places to look at.
    """
    size = len(corpus.codes)
    codes = corpus.codes.astype(np.int64)
    places = np.flatnonzero(codes)
    # Row of the string that starts at each position; -1 for none. Of length 0 there is one, everywhere.
    row_at = np.zeros(size + 1, dtype=np.int32)
    for length in range(1, max_chars + 1):
        places = places[(row_at[places] >= 0) & (row_at[places + 1] >= 0)] if length > 1 else places
        keys = (row_at[places].astype(np.int64) << CODE_BITS) | codes[places + length - 1]
        keys, places = sorted_by_key(keys, places, size)
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        votes = posts_per_group(starts, corpus.posts[places])
        frequency = np.diff(starts, append=len(keys))
        kept = votes >= min_posts
        places = places[np.repeat(kept, frequency)]
        frequency = frequency[kept]
        first = places[np.cumsum(frequency) - frequency] if len(frequency) else places
        head, tail = row_at[first].astype(np.int64), row_at[first + 1].astype(np.int64)
        yield Strings(length, votes[kept], frequency, first, head, tail), places
        row_at = np.full(size + 1, -1, dtype=np.int32)
        row_at[places] = np.repeat(np.arange(len(frequency), dtype=np.int32), frequency)


def posts_per_group(starts: Int64s, posts: Int32s) -> Int64s:
    """Different posts (g,) in each of g groups; `posts` (n,) ascend within a group, which begins at `starts`."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    votes = np.empty(len(posts), dtype=np.int64)
    votes[0] = 1
    votes[1:] = posts[1:] != posts[:-1]
    votes[starts] = 1
    return np.add.reduceat(votes, starts)


def sorted_by_key(keys: Int64s, places: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """Keys and places sorted by key, then place. One sort of packed numbers is several times faster than argsort."""
    bits = size.bit_length()
    packed = (keys << bits) | places
    packed.sort()
    return packed >> bits, packed & ((1 << bits) - 1)
