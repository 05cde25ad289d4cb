"""Word vectors out of the files that people share: gensim's word2vec and GloVe formats, fastText, navec.

Belongs here: telling the formats apart by content and reading them, never by pickle. Does not: what the words of a
text make of it (``averaged_words``).
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError

Vector = npt.NDArray[np.float32]

#: What is looked at to tell the format: the first line of text with 1,000 numbers is shorter.
_HEAD_BYTES: Final = 65_536
#: fastText's own mark at the start of its binary files (``FASTTEXT_FILEFORMAT_MAGIC_INT32``).
_FASTTEXT_MAGIC: Final = struct.pack("<i", 793_712_314)
_HEADER: Final = re.compile(rb"^(\d{1,9}) (\d{1,5})\s*\n")
#: A vocabulary that unpacks to more was made to fill the memory; navec's largest has 10 MB.
_MAX_VOCABULARY_BYTES: Final = 500_000_000
_EXPECTED: Final = (
    "expected word2vec (text or binary, also .gz), GloVe text, a fastText .bin, or a navec .tar; a gensim model that "
    "was saved with save() is a pickle, which is not read: write it with save_word2vec_format()"
)


@dataclass(frozen=True)
class WordVectors:
    """``size`` words with vectors of ``dim`` numbers; ``find`` gives the vector of a word, or None."""

    size: int
    dim: int
    find: Callable[[str], Vector | None]


def load_word_vectors(path: Path) -> WordVectors:
    """The vectors of the file, whatever its name says. Raises UserError for a file that is missing or damaged, or
    of a format that is not read.
    """
    if not path.is_file():
        raise UserError(f"there is no file of word vectors at {path}; {_EXPECTED}")
    try:
        found = _read(path)
        if not found.size or not found.dim:
            raise ValueError(f"it holds {found.size} words with {found.dim} numbers each")
        return found
    except (
        *ARCHIVE_FAULTS,
        MemoryError,
        AssertionError,
        ArithmeticError,
        AttributeError,
        TypeError,
    ) as error:
        raise UserError(f"the word vectors in {path} cannot be read ({error}); {_EXPECTED}") from error


def _read(path: Path) -> WordVectors:
    if tarfile.is_tarfile(path):
        return _read_navec(path)
    head = _head(path)
    if head.startswith(_FASTTEXT_MAGIC):
        return _read_fasttext(path)
    return _read_word2vec(path, head)


def _head(path: Path) -> bytes:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


def _read_word2vec(path: Path, head: bytes) -> WordVectors:
    from gensim.models import KeyedVectors

    header = _HEADER.match(head)
    if header is None:
        words = head.split(b"\n", 1)[0].split(b" ")
        if len(words) < 3 or not all(_is_number(word) for word in words[1:] if word):
            raise ValueError("its first line is neither 'words dimensions' nor a word and its numbers")
        vectors = KeyedVectors.load_word2vec_format(str(path), no_header=True)
        return _of_keyed(vectors, vectors.key_to_index)
    count, dim = int(header.group(1)), int(header.group(2))
    binary = not _is_text_row(head[header.end() :].split(b"\n", 1)[0], dim)
    # Room is made for what the header promises; each number takes two bytes of text or four binary ones at least.
    if path.suffix.lower() != ".gz" and count * dim * (4 if binary else 2) > path.stat().st_size:
        raise ValueError(f"its header promises {count:,} words of {dim} numbers, more than the file holds")
    vectors = KeyedVectors.load_word2vec_format(str(path), binary=binary, unicode_errors="replace")
    return _of_keyed(vectors, vectors.key_to_index)


def _is_text_row(line: bytes, dim: int) -> bool:
    words = line.rstrip().rsplit(b" ", dim)
    return len(words) == dim + 1 and all(_is_number(word) for word in words[1:])


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read_fasttext(path: Path) -> WordVectors:
    from gensim.models.fasttext import load_facebook_vectors

    vectors = load_facebook_vectors(str(path))

    def find(word: str) -> Vector | None:
        # A word that was never seen has the vector of its n-grams, and none if it is shorter than they are.
        return np.asarray(vectors[word], np.float32) if word in vectors else None

    return WordVectors(len(vectors.key_to_index), int(vectors.vector_size), find)


def _of_keyed(vectors: Any, index: Mapping[str, int]) -> WordVectors:
    if not index or not np.isfinite(vectors.vectors).all():
        raise ValueError("it holds no words, or NaN or infinity")
    rows: Vector = np.asarray(vectors.vectors, np.float32)

    def find(word: str) -> Vector | None:
        row = index.get(word)
        return None if row is None else rows[row]

    return WordVectors(len(index), int(rows.shape[1]), find)


def _read_navec(path: Path) -> WordVectors:
    """navec: ``vocab.bin`` (gzip: uint32 size, uint32 counts, words by line) and ``pq.bin``, the product
    quantisation of Jégou, Douze and Schmid (2011): a byte per word and part says which centroid stands there.
    """
    with tarfile.open(path) as archive:
        meta = json.loads(_navec_member(archive, "meta.json"))
        if meta.get("version") != 1:
            raise ValueError(f"it is of navec version {meta.get('version')!r}, only 1 is known")
        vocabulary = _navec_member(archive, "vocab.bin")
        quantised = _navec_member(archive, "pq.bin")
    with gzip.GzipFile(fileobj=io.BytesIO(vocabulary)) as packed:
        text = packed.read(_MAX_VOCABULARY_BYTES)
    words = text[4 + 4 * struct.unpack_from("<I", text)[0] :].decode("utf-8").splitlines()
    count, dim, parts, centroids = struct.unpack_from("<4I", quantised)
    codes = np.frombuffer(quantised, np.uint8, count * parts, offset=16).reshape(count, parts)
    table = np.frombuffer(quantised, "<f4", offset=16 + count * parts).reshape(parts, centroids, dim // parts)
    if not count or len(words) != count or int(codes.max()) >= centroids or not np.isfinite(table).all():
        raise ValueError(f"it has {len(words):,} words for {count:,} vectors, or vectors without centroids")
    index = {word: row for row, word in enumerate(words) if word not in ("<unk>", "<pad>")}
    every = np.arange(parts)

    def find(word: str) -> Vector | None:
        row = index.get(word)
        return None if row is None else np.asarray(table[every, codes[row]].reshape(dim), np.float32)

    return WordVectors(len(index), int(dim), find)


def _navec_member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    if found is None:
        raise ValueError(f"{name} in it is no file")
    return found.read()
