"""The content words of posts, apart by where they stand: what word vectors and contrast are learned from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from fashion_assets.keywords.extract import TAG, content_by_place, parts_of
from fashion_assets.keywords.segmenters import Engine


class PostWords(NamedTuple):
    """The content words of a post: of title and body, and of its hashtags; ``month`` "" if it is not known."""

    text: Sequence[str]
    tags: Sequence[str]
    month: str = ""

    @property
    def words(self) -> list[str]:
        """All of them in reading order."""
        return [*self.text, *self.tags]


def words_of_posts(
    batches: Iterable[pd.DataFrame], *, engine: Engine = "rjieba", user_terms: Collection[str] = ()
) -> Iterator[PostWords]:
    """One per row of frames with any of title, body (or text), tags and month, in order."""
    for batch in batches:
        months = batch["month"].tolist() if "month" in batch else [""] * len(batch)
        places = content_by_place(parts_of(batch), None, engine, user_terms)
        for month, place in zip(months, places, strict=True):
            yield PostWords(
                [word for source, words in place if source != TAG for word in words],
                [word for source, words in place if source == TAG for word in words],
                month,
            )
