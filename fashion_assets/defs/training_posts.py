"""The posts that word vectors and word classifier learn from: those in the lake, and files that were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.defs.resources import recipe_path, user_dictionary_path
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.keywords.post_words import PostWords

#: Posts that are learned from at most, evenly over the months: their words have to fit in memory, and with so many
#: posts the counts of words hardly change any more.
MAX_POSTS = 200_000

_COLUMNS = ["post_id", "month", "title", "body", "tags"]


def training_posts(settings: Settings, lake: Lake) -> list[PostWords]:
    """The words of the posts, oldest month first, then those of the recipe's files; at most MAX_POSTS of each.

    Beyond that a post is in by the digest of its id, so the choice does not depend on the order of rows.
    """
    from itertools import chain, islice

    from fashion_assets.keywords.post_words import words_of_posts
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.tfashion.post_files import read_posts
    from fashion_assets.tfashion.recipe import read_recipe

    terms = tuple(read_user_dictionary(user_dictionary_path(settings)).terms)
    files = chain.from_iterable(read_posts(Path(name)) for name in read_recipe(recipe_path(settings)).posts)
    landed = words_of_posts(_landed(lake), engine=settings.tokenizer, user_terms=terms)
    given = words_of_posts(files, engine=settings.tokenizer, user_terms=terms)
    return [*landed, *islice(given, MAX_POSTS)]


def _landed(lake: Lake) -> Iterator[pd.DataFrame]:
    from fashion_assets.defs.io_managers import to_frame

    months = lake.months("cleaned_posts")
    n_posts = sum(lake.row_count("cleaned_posts", month) for month in months)
    share = MAX_POSTS / max(n_posts, 1)
    for month in months:
        for batch in lake.batches("cleaned_posts", month, _COLUMNS):
            frame = to_frame(batch)
            yield frame if share >= 1 else frame[[_drawn(post_id, share) for post_id in frame["post_id"]]]


def _drawn(post_id: str, share: float) -> bool:
    return int.from_bytes(hashlib.sha256(post_id.encode()).digest()[:8]) < share * 2**64


def training_version(settings: Settings) -> str:
    """The data version of ``keyword_training_words``: its recipe with the files' contents, and the reviewed terms."""
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.tfashion.recipe import read_recipe

    recipe = read_recipe(recipe_path(settings)).digest()
    reviewed = read_user_dictionary(user_dictionary_path(settings)).digest
    return hashlib.sha256(f"{recipe} {reviewed}".encode()).hexdigest()
