"""The table of words that the classifier learns from."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

#: Where a training word comes from. Within a label the earlier name wins when several hold the word.
POSITIVE_ORIGINS: Final = ("lexicon", "positives")
NEGATIVE_ORIGINS: Final = ("background", "contrast", "negatives", "dictionary")

#: What became of a word: learned from; on both sides of the files; outvoted by the other side; left out to
#: balance the classes; no word to learn from.
STATES: Final = ("used", "conflict", "overruled", "surplus", "dropped")

#: One row per word and label, so a word that two sides disagree about has two rows; what is dropped has one
#: per origin and reason. The `rows` add up to the rows of all files and lists that were given.
TRAINING_WORDS: Final = pa.schema(
    [
        pa.field("word", pa.string(), nullable=False),  # normal form, no white space in a word with Han
        pa.field("label", pa.bool_(), nullable=False),  # True: fashion
        pa.field("origin", pa.string(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),  # a term of a list counts as one row
        pa.field("family", pa.string(), nullable=False),  # "" unless used
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # "" if used
        pa.field("fold", pa.int8(), nullable=False),  # 0-4, whole families; -1 unless used
        pa.field("weight", pa.float32(), nullable=False),  # mean 1 over the used words; 0 unless used
    ]
)
