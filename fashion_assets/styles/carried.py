"""The model of a month that goes on from an earlier one.

Belongs here: from posts and the model before to the next model. Does not: the events (`continuation.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.continuation import StyleState, continue_styles
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.model import StyleModel, post_keys
from fashion_assets.styles.params import StyleParams
from fashion_assets.styles.silhouette import macro_average, silhouette_samples
from fashion_assets.styles.tracking import weighted_centroids
from fashion_assets.styles.window import Modality, Posts, block_weights, number_of_month, stratified_rows


def carried_on(
    month: str, posts: Posts, usable: npt.NDArray[np.intp], previous: StyleModel, params: StyleParams
) -> StyleModel:
    """The styles of `previous` in this month's window, and what became of them."""
    modality = previous.modality
    rows = stratified_rows(posts.months, usable, params.max_warm_rows, params.seed)
    unit = posts.unit(modality, rows)
    going = continue_styles(
        unit,
        number_of_month(month) - np.array([number_of_month(each) for each in posts.months[rows]]),
        StyleState(
            ids=previous.style_ids,
            centroids=previous.centroids(modality),
            max_ages=previous.style_max_ages,
            retired_ids=previous.retired_ids,
            retired_centroids=previous.retired_centroids,
            next_id=previous.next_style_id,
        ),
        elapsed=number_of_month(month) - number_of_month(previous.month),
        params=replace(params.continuation, seed=params.seed),
    )
    state, k = going.state, len(going.state.ids)

    def means(kind: Modality) -> npt.NDArray[np.float32]:
        if kind == modality:
            return state.centroids
        before = previous.centroids(kind)
        otherwise = np.zeros((k, before.shape[1]), np.float32)
        for row in np.flatnonzero(np.isin(state.ids, previous.style_ids)):
            otherwise[row] = before[np.searchsorted(previous.style_ids, state.ids[row])]
        of_it = np.flatnonzero(posts.having(kind)[rows] & (going.weights > 0))
        return weighted_centroids(
            posts.unit(kind, rows[of_it]), going.labels[of_it], going.weights[of_it], otherwise
        )

    scored = np.flatnonzero(going.labels >= 0)
    scored = stratified_rows(posts.months[rows], scored, params.max_fit_rows, params.seed)
    enough = 1 < len(np.unique(going.labels[scored])) < len(scored)
    silhouettes = silhouette_samples(unit[scored], going.labels[scored]) if enough else None
    micro = float(silhouettes.mean()) if silhouettes is not None else None
    kept = int(np.isin(state.ids, previous.style_ids).sum())
    return StyleModel(
        month=month,
        modality=modality,
        style_ids=state.ids,
        joint_centroids=means("multimodal"),
        text_centroids=means("text"),
        image_centroids=means("image"),
        style_sizes=np.bincount(going.labels[going.labels >= 0], minlength=k).astype(np.int64),
        style_max_ages=state.max_ages,
        retired_ids=state.retired_ids,
        retired_centroids=state.retired_centroids,
        seen_posts=post_keys(posts.post_ids),
        weights=block_weights(posts),
        model_ids=(posts.model_id,) if posts.model_id else (),
        events=going.events,
        silhouette_curve=previous.silhouette_curve,
        k_reason=_reason(k, previous, going.events),
        reduction=previous.reduction,
        note=previous.note,
        silhouette_micro=micro,
        silhouette_macro=(
            macro_average(silhouettes, going.labels[scored]) if silhouettes is not None else None
        ),
        silhouette_unreduced=micro,
        scan_month=previous.scan_month,
        n_scanned=previous.n_scanned,
        next_style_id=state.next_id,
        n_window=len(posts.post_ids),
        n_usable=len(usable),
        n_fit=len(rows),
        n_kept_ids=kept,
        n_new_ids=k - kept,
        previous_month=previous.month,
        seed=params.seed,
    )


def _reason(k: int, previous: StyleModel, events: tuple[StyleEvent, ...]) -> str:
    counts = Counter(one.event for one in events if one.event != "survive")
    changes = ", ".join(f"{count} {event}" for event, count in sorted(counts.items())) or "no change"
    scanned = (
        f"k = {len(previous.silhouette_curve)} values" if len(previous.silhouette_curve) else "no value of k"
    )
    return (
        f"k = {k}: the {previous.k} styles of {previous.month} carried on ({changes}). The silhouette curve is that of "
        f"the last full scan, {previous.scan_month}, over {scanned}."
    )
