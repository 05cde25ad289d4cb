"""A month that goes on from the last: centroids follow their styles, and events are found and told.

No new clustering is made, so what did not change keeps its id by construction. In this order: centroids follow
(`tracking.py`), styles without posts end (`endings.py`), groups that no style reaches are born or return
(`arrivals.py`), styles split and merge (`divisions.py`), and the centroids settle.

Belongs here: the order of the steps. Does not: reading posts, modalities, files (`model.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.arrivals import welcome
from fashion_assets.styles.centroids import nearest_two
from fashion_assets.styles.divisions import merge, split
from fashion_assets.styles.endings import bury, posts_of_the_gone
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.living import ALWAYS, ContinuationParams, LivingStyles, PostWindow, Rows
from fashion_assets.styles.tracking import Tracked, recency_weights, track

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class StyleState:
    """What one month hands on to the next: living `ids` (k,), ascending, their `centroids` (k, d), and `max_ages` (k,),
    how many months before the newest the posts go back that a style's centroid rests on; ids (r,) and centroids (r, d)
    of styles that are gone and may return; the next id never used.
    """

    ids: IntArray
    centroids: Rows
    max_ages: IntArray
    retired_ids: IntArray
    retired_centroids: Rows
    next_id: int

    @classmethod
    def start(cls, ids: IntArray, centroids: Rows, next_id: int) -> StyleState:
        """A state without history."""
        nothing = np.zeros(0, np.int32)
        return cls(ids, centroids, np.full(len(ids), ALWAYS, np.int32), nothing, centroids[:0], next_id)


@dataclass(frozen=True)
class Continuation:
    """The state after the month; per row of the window the row of its style in `state.ids` (n,) and the weight with
    which it moved that style's centroid (n,), 0 for strays; the events by style id.
    """

    state: StyleState
    labels: IntArray
    weights: npt.NDArray[np.float64]
    events: tuple[StyleEvent, ...]


def continue_styles(
    unit: Rows,
    ages: npt.NDArray[np.integer],
    state: StyleState,
    *,
    elapsed: int = 1,
    params: ContinuationParams | None = None,
) -> Continuation:
    """Last month's styles on a window of unit rows (n, d), n >= 1, with at least one style.

    `ages` (n,) counts months before the newest, which is 0; `elapsed` are the months since `state` was made. New styles
    get ids from `state.next_id` on, a dead one that returns its own. The same rows in the same order give the same
    answer.
    """
    params = params or ContinuationParams()
    window = PostWindow(unit, np.asarray(ages, dtype=np.int64))
    weights = recency_weights(window.ages, params.half_life)
    styles = LivingStyles(
        ids=[int(one) for one in state.ids],
        centroids=state.centroids.astype(np.float32),
        max_ages=[min(int(age) + elapsed, ALWAYS) for age in state.max_ages],
        next_id=state.next_id,
        retired={int(one): row for one, row in zip(state.retired_ids, state.retired_centroids, strict=True)},
    )

    def follow(rounds: int) -> Tracked:
        followed = track(window, weights, styles, rounds=rounds, spreads=params.spreads)
        styles.centroids = followed.centroids
        return followed

    weights = np.where(posts_of_the_gone(window, styles, params), 0.0, weights)
    found = follow(params.rounds)
    weights = np.where(bury(window, found, styles, params), 0.0, weights)
    found = follow(1)
    welcome(window, found, styles, params)
    split(window, found, styles, params)
    found = follow(params.rounds)
    if merge(window, found, styles, params):
        found = follow(params.rounds)
    labels = nearest_two(unit, styles.centroids).first
    order = np.argsort(styles.ids)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    labels = np.where(labels >= 0, place[labels], -1).astype(np.int32)
    styles.events += _survivors(state, labels, place, styles)
    retired = sorted(styles.retired)
    return Continuation(
        state=StyleState(
            ids=np.asarray(styles.ids, np.int32)[order],
            centroids=styles.centroids[order],
            max_ages=np.asarray(styles.max_ages, np.int32)[order],
            retired_ids=np.asarray(retired, np.int32),
            retired_centroids=np.asarray([styles.retired[one] for one in retired], np.float32).reshape(
                len(retired), unit.shape[1]
            ),
            next_id=styles.next_id,
        ),
        labels=labels,
        weights=np.where(found.within, weights, 0.0),
        events=tuple(sorted(styles.events, key=lambda one: one.style_id)),
    )


def _survivors(
    state: StyleState, labels: IntArray, place: IntArray, styles: LivingStyles
) -> list[StyleEvent]:
    events = []
    for style_id, start in zip(state.ids.tolist(), state.centroids, strict=True):
        if style_id not in styles.ids:
            continue
        row = styles.ids.index(style_id)
        moved, n_posts = float(1 - start @ styles.centroids[row]), int((labels == place[row]).sum())
        told = f"{n_posts} posts of the window; its centroid moved by a cosine distance of {moved:.3f}"
        if style_id in styles.moves:
            told += f" ({styles.moves[style_id]})"
        events.append(StyleEvent("survive", style_id, (), n_posts, told))
    return events
