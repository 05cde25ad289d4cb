"""The table that this package fills: keywords per post."""

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
