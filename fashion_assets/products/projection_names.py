"""Category names as distributions over labels: what a name means, in the labels that were learned.

Two ways, averaged: the text classifier reads the name as if it were a product's text, and the name is compared with
the labels' own names, by word vectors (which know words that stand in like texts) and by letters (which know Sandal and
Sandals). Then each label is shared among the targets by how near each is: a target is what it is nearer to than the
other targets are, not what it is near to.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder

FloatArray = npt.NDArray[np.float64]

# Softmax temperature of the cosines between names: at 0.1 a label at cosine 0.8 weighs e^3 = 20 times one at 0.5.
NAME_TEMPERATURE = 0.1
# Share of the names' similarity in the mean of both ways; the classifier has the rest. It knows how products are
# called, which is not how categories are (benchmarks/category_projection.py prints other shares).
NAME_SIMILARITY_WEIGHT = 0.75
# Letters in a row that names are compared by, within words.
LETTERS = (2, 5)
# Columns that a table of categories may call the names.
NAME_COLUMNS = ("category", "target_category", "name", "label", "title")

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")


def read_category_names(path: Path) -> list[str]:
    """The names in a file, in order: a text file with one a line, or a CSV with a column ``category`` (or its only
    column). Blank lines are left out. Raises UserError if there is none, one stands twice, or no column fits.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; give the target categories, one name a line")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if path.suffix.lower() == ".csv":
        rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
        header = [cell.strip().casefold() for cell in rows[0]] if rows else []
        column = next((header.index(name) for name in NAME_COLUMNS if name in header), None)
        if column is None and len(header) > 1:
            raise UserError(
                f"{path}:1 has the columns {', '.join(header)}; name the one with the categories {NAME_COLUMNS[0]}"
            )
        cells = rows if column is None else rows[1:]
        names = [row[column or 0].strip() for row in cells if len(row) > (column or 0)]
    else:
        names = [line.strip() for line in text.splitlines()]
    names = [name for name in names if name]
    if not names:
        raise UserError(f"{path} names no category; write one name a line")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f"{path} names {repeated[0]!r} more than once; every category must be different")
    return names


def spoken(name: str) -> str:
    """The name as words: ``CasualShoes``, ``casual_shoes`` and ``Casual Shoes`` alike; and/or signs are gaps."""
    split = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name))
    return " ".join(_NO_WORD.sub(" ", split).split()).casefold()


def name_vectors(names: Sequence[str], encoder: Encoder) -> npt.NDArray[np.float32]:
    """(n, d) unit vectors of the names; zeros for a name without a word that the encoder takes.

    ``local:cbow`` is asked word by word and averaged: its sentence vectors lack the direction that texts share, which
    names do not have, and its character n-grams know parts of unseen words.
    """
    from fashion_assets.encoders.cbow import CbowModel

    if not isinstance(encoder, CbowModel):
        return np.asarray(encoder.encode([spoken(name) for name in names]), dtype=np.float32)
    rows = np.zeros((len(names), encoder.dim), dtype=np.float32)
    for row, name in enumerate(names):
        words = spoken(name).split()
        if words:
            vectors = encoder.word_vectors(words)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            mean = (vectors / np.where(lengths > 0, lengths, 1.0)).mean(axis=0)
            rows[row] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return rows


def letter_cosines(targets: Sequence[str], labels: Sequence[str]) -> FloatArray:
    """(c, k) cosines of the names' runs of letters (``LETTERS``), rare runs weighing more (TF-IDF)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    every = [spoken(name) for name in (*targets, *labels)]
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=LETTERS, lowercase=False).fit_transform(every)
    return np.asarray((rows[: len(targets)] @ rows[len(targets) :].T).toarray(), dtype=np.float64)


def name_similarities(targets: Sequence[str], labels: Sequence[str], encoder: Encoder) -> FloatArray:
    """(c, k) mean of the cosines by word vectors and by letters."""
    by_words = name_vectors(targets, encoder).astype(np.float64) @ name_vectors(labels, encoder).T
    return np.asarray((by_words + letter_cosines(targets, labels)) / 2, dtype=np.float64)


def softened(similarities: npt.ArrayLike, temperature: float = NAME_TEMPERATURE) -> FloatArray:
    """(c, k) softmax over the labels of similarities divided by ``temperature``; uniform where all are equal."""
    scores = np.asarray(similarities, np.float64) / temperature
    scores -= scores.max(axis=1, keepdims=True)
    raised = np.exp(scores)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def shared_labels(distributions: npt.ArrayLike) -> FloatArray:
    """(c, k) rows of sum 1 in which each label's mass, over all targets, was scaled to 1 first.

    A label that one target alone is near counts for it in full; one that all are near says little of any.
    """
    q = np.asarray(distributions, dtype=np.float64)
    shares = q / np.maximum(q.sum(axis=0, keepdims=True), 1e-12)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12), dtype=np.float64)


def name_distributions(
    targets: Sequence[str],
    label_names: Sequence[str],
    classified: npt.ArrayLike,
    encoder: Encoder,
    *,
    similarity_weight: float = NAME_SIMILARITY_WEIGHT,
) -> FloatArray:
    """(c, k) distributions of the target names over the labels: the mean of ``classified`` (c, k), what the text
    classifier says of the names, and the names' similarities, as ``shared_labels``.

    A name that is a label's own, but for case and word breaks, gets half of its mass there. Raises UserError for a
    weight that is no share.
    """
    if not 0 <= similarity_weight <= 1:
        raise UserError(f"the weight of similar names is {similarity_weight}; give a share from 0 to 1")
    near = softened(name_similarities(targets, label_names, encoder))
    found = shared_labels(
        (1 - similarity_weight) * np.asarray(classified, dtype=np.float64) + similarity_weight * near
    )
    own = {spoken(name): column for column, name in enumerate(label_names)}
    for row, name in enumerate(targets):
        if (column := own.get(spoken(name))) is not None:
            found[row] /= 2
            found[row, column] += 0.5
    return found
