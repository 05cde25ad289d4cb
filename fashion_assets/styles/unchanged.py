"""Models that take the styles of another month as they are, or hold none: there is nothing to fit on.

Belongs here: a month without posts, and one that arrives after later months. Does not: fitting (`fitting.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.living import ALWAYS
from fashion_assets.styles.model import StyleModel, check_same_space, post_keys
from fashion_assets.styles.params import StyleParams
from fashion_assets.styles.selection import scan_k
from fashion_assets.styles.window import Modality, Posts, number_of_month, read_posts


def taken_as_they_are(
    source: StyleModel, table: pa.Table, month: str, *, text_dim: int, arrived_after: str
) -> StyleModel:
    """The styles of `source` for a month that arrived after a later one had its model, so that ids mean the same.

    `source` is the model before that month, or where there is none the one after it. A style born here would have an
    id that the later month has given to another. `table` are the posts of the month's window; they are known to the
    model but move nothing. Raises UserError as `fit_style_model` does.
    """
    posts = read_posts(table, text_dim, ordered=True)
    check_same_space(source, posts)
    elapsed = max(number_of_month(month) - number_of_month(source.month), 0)
    told = f"this month arrived after {arrived_after}; the styles of {source.month} are taken as they are"
    return replace(
        source,
        month=month,
        k_reason=f"k = {source.k}: {told}.",
        style_max_ages=np.minimum(source.style_max_ages + elapsed, ALWAYS).astype(np.int32),
        seen_posts=post_keys(posts.post_ids),
        events=tuple(StyleEvent("survive", int(one), (), 0, told) for one in source.style_ids),
        n_window=len(posts.post_ids),
        n_usable=0,
        n_fit=0,
        n_kept_ids=source.k,
        n_new_ids=0,
        previous_month=source.month if source.month < month else None,
    )


def without_posts(
    month: str, posts: Posts, modality: Modality, previous: StyleModel | None, params: StyleParams
) -> StyleModel:
    """Last month's styles unchanged, or no style at all, for a month that has nothing to fit on."""
    nothing = (
        f"none of the {int((posts.months == month).sum())} posts of {month} has a text or picture vector"
    )
    if previous is not None:
        elapsed = number_of_month(month) - number_of_month(previous.month)
        told = f"no post of {month} to go by"
        return replace(
            previous,
            month=month,
            k_reason=f"{nothing}; the {previous.k} styles of {previous.month} are carried on.",
            style_max_ages=np.minimum(previous.style_max_ages + elapsed, ALWAYS).astype(np.int32),
            seen_posts=post_keys(posts.post_ids),
            events=tuple(StyleEvent("survive", int(one), (), 0, told) for one in previous.style_ids),
            n_window=len(posts.post_ids),
            n_usable=0,
            n_fit=0,
            n_kept_ids=previous.k,
            n_new_ids=0,
            previous_month=previous.month,
        )
    none = np.zeros(0, np.intp)
    return StyleModel(
        month=month,
        modality=modality,
        style_ids=np.zeros(0, np.int32),
        joint_centroids=posts.unit("multimodal", none),
        text_centroids=posts.unit("text", none),
        image_centroids=posts.unit("image", none),
        style_sizes=np.zeros(0, np.int64),
        style_max_ages=np.zeros(0, np.int32),
        retired_ids=np.zeros(0, np.int32),
        retired_centroids=posts.unit(modality, none),
        seen_posts=post_keys(posts.post_ids),
        weights=(0.0, 0.0),
        model_ids=(posts.model_id,) if posts.model_id else (),
        events=(),
        silhouette_curve=scan_k(posts.unit("multimodal", none), [], params.seed),
        k_reason=f"no style: {nothing}.",
        reduction="none",
        note="",
        silhouette_micro=None,
        silhouette_macro=None,
        silhouette_unreduced=None,
        scan_month=month,
        n_scanned=0,
        next_style_id=0,
        n_window=len(posts.post_ids),
        n_usable=0,
        n_fit=0,
        n_kept_ids=0,
        n_new_ids=0,
        previous_month=None,
        seed=params.seed,
    )
