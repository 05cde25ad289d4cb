"""What each style of a month is like: share, engagement, words, a name, the posts and pictures that show it
best.

Belongs here: one row per style from tables that exist. Does not: drawing it (`reports/`), its course over
months (`trends/`), the choice of a name's words (`naming.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fashion_assets.encoders.tables import vectors_of
from fashion_assets.posts.same_text import EMPTY_TEXT
from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.styles.engagement import ENGAGEMENTS, winsor_limit, winsorised_mean
from fashion_assets.styles.naming import CANDIDATES, facet_of_words, name_styles
from fashion_assets.styles.representatives import diverse
from fashion_assets.styles.schemas import STYLE_PROFILES, frame_of

TOP_KEYWORDS = 10
"""Keywords per style: what a report shows on one line."""

COMMON_SHARE = 0.25
"""A word in more than a quarter of all posts is no name for a style: more styles than four share it."""

REPRESENTATIVES = 10
"""Posts and pictures per style: the ten columns of the report's grid."""

REACH = 50
"""Posts nearest to the centroid that representatives may come from; farther ones no longer show the style."""


def profile_styles(
    clusters: pd.DataFrame,
    cleaned: pd.DataFrame,
    keywords: pd.DataFrame,
    garments: pd.DataFrame,
    month: str,
    *,
    images: pd.DataFrame | None = None,
    vectors: pa.Table | None = None,
) -> pd.DataFrame:
    """STYLE_PROFILES: one row per style of `month` with at least one post, by style id.

    Shares are of the month's posts that have a style. Counts that are unknown stay out of medians and means. Posts
    of the same text (content_hash) are shown once, those without any text are told apart. Representatives are taken
    from the posts nearest to the centroid: with `multimodal_embeddings` as `vectors` those that differ among them
    (`representatives.diverse`), else simply the nearest. Pictures are the kept garments of those posts, one per post
    before a second of any; with POST_IMAGES as `images` a near-duplicate group is shown once, else a digest.
    """
    from fashion_assets.keywords.facets import class_tfidf

    rows = clusters[(clusters["month"] == month) & (clusters["style_id"] >= 0)]
    rows = rows.sort_values(["style_id", "distance", "post_id"], kind="stable")
    posts = cleaned.drop_duplicates("post_id").set_index("post_id")
    spoken = keywords.drop_duplicates("post_id").set_index("post_id")
    words = {post: list(each) for post, each in spoken["keywords"].items()}
    documents = [words.get(post, []) for post in rows["post_id"]]
    labels = rows["style_id"].to_numpy(dtype=np.int64)
    weights = class_tfidf(documents, labels, top=CANDIDATES)
    words_of = {style: [word for word, _ in weights.get(style, [])] for style in sorted(set(labels.tolist()))}
    sizes = Counter(labels.tolist())
    contents = dict(zip(cleaned["post_id"], cleaned["content_hash"], strict=True))
    seen = spoken.loc[spoken.index.isin(rows["post_id"])]
    telling = _without_common(words_of, documents)
    names = name_styles(telling, facet_of_words(seen["keywords"], seen["facets"]), sizes)
    pictures = _pictures(garments, images)
    limits = {name: winsor_limit(_counts(posts.reindex(rows["post_id"])[name])) for name in ENGAGEMENTS}
    row_of, unit = _unit_rows(vectors)

    columns: dict[str, list[Any]] = {field: [] for field in STYLE_PROFILES.names}
    for style, name in sorted(names.items()):
        members = rows.loc[labels == style, "post_id"].tolist()
        distances = dict(zip(members, rows.loc[labels == style, "distance"], strict=True))
        near = _distinct(members, contents)[:REACH]
        shown = _varied(near, distances, row_of, unit)
        low, high = (float(end) for end in wilson_interval(len(members), len(rows)))
        own = posts.reindex(members)
        columns["month"].append(month)
        columns["style_id"].append(style)
        columns["name"].append(name)
        columns["n_posts"].append(len(members))
        columns["share"].append(len(members) / len(rows))
        columns["share_low"].append(low)
        columns["share_high"].append(high)
        for kind in ENGAGEMENTS:
            columns[f"{kind}_median"].append(_median(own[kind]))
            columns[f"engagement_{kind}"].append(winsorised_mean(_counts(own[kind]), limits[kind]))
        columns["keywords"].append(words_of[style][:TOP_KEYWORDS])
        columns["representative_posts"].append(shown[:REPRESENTATIVES])
        columns["representative_images"].append(_best_pictures(shown, pictures))
    return frame_of(columns, STYLE_PROFILES)


def _without_common(words_of: dict[int, list[str]], documents: list[list[str]]) -> dict[int, list[str]]:
    """Each style's words without those that stand in so many posts of the month that they name nothing (穿搭)."""
    counts = Counter(word for words in documents for word in set(words))
    common = {word for word, count in counts.items() if count > COMMON_SHARE * len(documents)}
    return {
        style: [word for word in words if word not in common] or words for style, words in words_of.items()
    }


def _counts(counts: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return pd.to_numeric(counts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _unit_rows(vectors: pa.Table | None) -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """post id -> row, and the rows (n, d)."""
    if vectors is None:
        return {}, np.zeros((0, 1), np.float32)
    return {post: row for row, post in enumerate(vectors["post_id"].to_pylist())}, vectors_of(vectors)


def _varied(
    near: list[str], distances: dict[str, float], row_of: dict[str, int], unit: npt.NDArray[np.float32]
) -> list[str]:
    """The posts that show the style first, then the others of `near` as they were."""
    if not near or any(post not in row_of for post in near):
        return near
    closeness = 1.0 - np.array([distances[post] for post in near], dtype=np.float64)
    order = diverse(unit[[row_of[post] for post in near]], closeness, REPRESENTATIVES)
    first = [near[index] for index in order]
    return first + [post for post in near if post not in set(first)]


def _median(counts: pd.Series[Any]) -> float:
    known = pd.to_numeric(counts, errors="coerce").dropna()
    return float(known.astype("float64").median()) if len(known) else math.nan


def _distinct(post_ids: Sequence[str], hashes: dict[str, str | None]) -> list[str]:
    """The posts in their order, each content once; a post without a known hash, or without text, is its own."""
    first: dict[str, str] = {}
    for post in post_ids:
        content = hashes.get(post)
        first.setdefault(content if isinstance(content, str) and content != EMPTY_TEXT else post, post)
    return list(first.values())


def _pictures(garments: pd.DataFrame, images: pd.DataFrame | None) -> dict[str, list[tuple[str, str]]]:
    """Per post its kept pictures as (image_id, group), the one with the most garment first."""
    kept = garments[garments["kept"].astype(bool)]
    kept = kept.sort_values(
        ["post_id", "garment_share", "image_id"], ascending=[True, False, True], kind="stable"
    )
    groups: dict[str, str] = {}
    if images is not None:
        known = images.dropna(subset=["duplicate_group"])
        groups = dict(zip(known["image_id"], known["duplicate_group"], strict=True))
    found: dict[str, list[tuple[str, str]]] = {}
    for post, image, digest in zip(kept["post_id"], kept["image_id"], kept["digest"], strict=True):
        found.setdefault(post, []).append((image, groups.get(image, digest)))
    return found


def _best_pictures(post_ids: Sequence[str], pictures: dict[str, list[tuple[str, str]]]) -> list[str]:
    """At most `REPRESENTATIVES` image ids: the first picture of each post, nearest first, then the second
    ones.
    """
    ranked = sorted(
        (turn, position, image, group)
        for position, post in enumerate(post_ids)
        for turn, (image, group) in enumerate(pictures.get(post, []))
    )
    shown: dict[str, str] = {}
    for _, _, image, group in ranked:
        shown.setdefault(group, image)
    return list(shown.values())[:REPRESENTATIVES]
