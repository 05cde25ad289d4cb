"""The tables that this package fills: keywords per post, and proposed new words."""

from __future__ import annotations

import pyarrow as pa

#: One row per post of `cleaned_posts`, also when the post has no keyword. `keywords`, `facets`, `sources` and
#: `scores` are parallel; `tokens` are all content tokens of the post, which is what counts and weights start
#: from.
FASHION_KEYWORDS: pa.Schema = pa.schema(
    [
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("keywords", pa.list_(pa.string()), nullable=False),
        pa.field("facets", pa.list_(pa.string()), nullable=False),
        pa.field("sources", pa.list_(pa.string()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("phrases", pa.list_(pa.string()), nullable=False),
        pa.field("tokens", pa.list_(pa.string()), nullable=False),
    ]
)

#: One row per proposed term of `new_words`, the best first. `parts` is how the segmenter cuts it now; `n_posts` the
#: different posts that hold it and `frequency` all its places in them; `pmi` is normalised, in [-1, 1]; the entropies
#: are in nats.
NEW_WORDS: pa.Schema = pa.schema(
    [
        pa.field("word", pa.string(), nullable=False),
        pa.field("parts", pa.list_(pa.string()), nullable=False),
        pa.field("n_posts", pa.int64(), nullable=False),
        pa.field("frequency", pa.int64(), nullable=False),
        pa.field("pmi", pa.float64(), nullable=False),
        pa.field("left_entropy", pa.float64(), nullable=False),
        pa.field("right_entropy", pa.float64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("example", pa.string(), nullable=False),
    ]
)
