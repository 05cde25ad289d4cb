"""The styles as of a month: found by a full scan the first time, carried on from the month before ever after.

Belongs here: which of the two, and the model of a scan. Does not: the scan (`partition.py`), ids across it
(`identity.py`), the month that goes on (`carried.py`), months without posts (`unchanged.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.styles.carried import carried_on
from fashion_assets.styles.centroids import settle, spherical_centroids
from fashion_assets.styles.identity import carry_ids, first_events, first_ids, overlap_events
from fashion_assets.styles.living import ALWAYS
from fashion_assets.styles.model import StyleModel, by_model, check_same_space, post_keys
from fashion_assets.styles.params import StyleParams
from fashion_assets.styles.partition import PartitionParams, find_partition
from fashion_assets.styles.silhouette import silhouette_score
from fashion_assets.styles.unchanged import without_posts
from fashion_assets.styles.window import (
    Modality,
    Posts,
    block_weights,
    choose_modality,
    read_posts,
    stratified_rows,
)

__all__ = ["StyleParams", "fit_style_model"]

#: A window of this many times the posts of the last scan is scanned anew: the first of few posts finds few styles.
SCAN_GROWTH = 2

#: From this many posts on a scan is not repeated for more of them.
ENOUGH_SCANNED = 5_000

#: Multimodal models stay so until the share of posts with both falls under this part of `min_multimodal_share`: a
#: share that wavers about the threshold must not change the space, and with it the styles, every month.
MODALITY_SLACK = 0.8


def fit_style_model(
    table: pa.Table,
    month: str,
    *,
    text_dim: int,
    previous: StyleModel | None = None,
    params: StyleParams | None = None,
    copies: Mapping[str, str] | None = None,
) -> StyleModel:
    """The styles of a window of `multimodal_embeddings` as of `month`, with the ids of `previous` where they
    go on.

    With a `previous` model its styles are carried on and events are found (`continuation.py`). A full scan is made
    without one; when the modality changes; when the window has grown `SCAN_GROWTH` times since the last scan of few
    posts, and then last month's styles stay unless the scan is clearly better; and if `params.full_scan` asks for it.

    Of posts that show the same pictures (`copies`: post -> the post that stands for it, see
    `media.copies.copied_posts`) one is fitted on, unless the fit looks at texts alone; `assign_styles` counts them
    all. Fitted on posts with both modalities if they are at least `min_multimodal_share` of all that have any,
    else on text or on images, whichever more posts have; `.modality` says which. The same posts in any order,
    the same `previous` and the same parameters give the same model. A window of few or identical posts gives
    one style, an empty one none, and `k_reason` says so. Raises UserError for mixed encoders, wrong widths,
    repeated posts, NaN.
    """
    params = params or StyleParams()
    posts = read_posts(table, text_dim, ordered=True)
    if previous is not None:
        check_same_space(previous, posts)
    both_before = previous is not None and previous.modality == "multimodal"
    modality = choose_modality(posts, params.min_multimodal_share * (MODALITY_SLACK if both_before else 1))
    usable = np.flatnonzero(posts.having(modality))
    if modality != "text":
        usable = _standing(usable, posts, copies or {})
    if not len(usable):
        return without_posts(month, posts, modality, previous, params)
    scan = previous is None or not previous.k
    if previous is not None and not scan:
        if not (posts.months[usable] == month).any():
            return without_posts(month, posts, modality, previous, params)
        few = previous.n_scanned < ENOUGH_SCANNED and len(usable) >= SCAN_GROWTH * previous.n_scanned
        scan = few or params.full_scan or modality != previous.modality
    with one_blas_thread():  # a last digit may decide what is nearest
        if previous is None or scan:
            return _scanned(month, posts, usable, modality, previous, params)
        return carried_on(month, posts, usable, previous, params)


def _scanned(
    month: str,
    posts: Posts,
    usable: npt.NDArray[np.intp],
    modality: Modality,
    previous: StyleModel | None,
    params: StyleParams,
) -> StyleModel:
    """A model of a full scan of the window; ids of `previous` by the posts in common."""
    fit_rows = stratified_rows(posts.months, usable, params.max_fit_rows, params.seed)
    unit = posts.unit(modality, fit_rows)
    known = by_model(previous, posts)[0].first[fit_rows] if previous is not None and previous.k else None
    partition = find_partition(
        unit,
        PartitionParams(
            k_range=(params.k_min, params.k_max),
            reduction=params.reduction,
            n_components=params.n_components,
            n_neighbors=params.n_neighbors,
            seed=params.seed,
        ),
        None if params.full_scan else known,
    )
    labels, _ = settle(unit, partition.labels)
    k = int(labels.max()) + 1
    if previous is None or known is None:
        found = first_ids(labels, k, next_id=previous.next_style_id if previous is not None else 0)
        events = first_events(labels, found.ids)
    else:
        found = carry_ids(
            labels, known, k, previous.style_ids, previous.next_style_id, min_overlap=params.min_overlap
        )
        events = overlap_events(labels, found.ids, known, previous.style_ids)
    order = np.argsort(found.ids)

    def means(kind: Modality) -> npt.NDArray[np.float32]:
        having = np.flatnonzero(posts.having(kind)[fit_rows])
        return spherical_centroids(posts.unit(kind, fit_rows[having]), labels[having], k)[order]

    return StyleModel(
        month=month,
        modality=modality,
        style_ids=found.ids[order],
        joint_centroids=means("multimodal"),
        text_centroids=means("text"),
        image_centroids=means("image"),
        style_sizes=np.bincount(labels, minlength=k)[order].astype(np.int64),
        style_max_ages=np.full(k, ALWAYS, np.int32),
        retired_ids=np.zeros(0, np.int32),
        retired_centroids=unit[:0],
        seen_posts=post_keys(posts.post_ids),
        weights=block_weights(posts),
        model_ids=(posts.model_id,) if posts.model_id else (),
        events=events,
        silhouette_curve=partition.curve,
        k_reason=partition.reason,
        reduction=partition.reduction,
        note=partition.note,
        silhouette_micro=partition.micro,
        silhouette_macro=partition.macro,
        silhouette_unreduced=silhouette_score(unit, labels) if 1 < k < len(unit) else None,
        scan_month=month,
        n_scanned=len(usable),
        next_style_id=found.next_id,
        n_window=len(posts.post_ids),
        n_usable=len(usable),
        n_fit=len(fit_rows),
        n_kept_ids=found.n_kept,
        n_new_ids=found.n_new,
        previous_month=previous.month if previous is not None else None,
        seed=params.seed,
    )


def _standing(rows: npt.NDArray[np.intp], posts: Posts, copies: Mapping[str, str]) -> npt.NDArray[np.intp]:
    """The rows without those whose pictures an earlier one of them shows."""
    first: dict[str, int] = {}
    for row in rows.tolist():
        post_id = posts.post_ids[row]
        first.setdefault(copies.get(post_id, post_id), row)
    return np.fromiter(first.values(), dtype=np.intp, count=len(first))
