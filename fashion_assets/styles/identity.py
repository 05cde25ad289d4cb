"""Ids across a full scan: new clusters take over the ids of the old ones they overlap.

Belongs here: numbering, matching, and the events that the posts in common tell of. Does not: months that go on without
a scan (`continuation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.lineage import StyleEvent

MIN_OVERLAP = 0.3
"""Smallest Jaccard overlap of an old and a new style that are one. Half of an evenly split style overlaps by
0.5, so one half keeps the id; a new style that grew on the edge of an old one overlaps by less than 0.3 as
long as it holds under 30 % of the posts which the old model counted to that style."""


@dataclass(frozen=True)
class Identities:
    """Ids (k,) int32 of the new clusters, the next id never used, and how many ids were kept and how many are
    new.
    """

    ids: npt.NDArray[np.int32]
    next_id: int
    n_kept: int
    n_new: int


def first_ids(labels: npt.NDArray[np.int32], k: int, *, next_id: int = 0) -> Identities:
    """Ids from `next_id` upwards, the largest cluster first, where there are no earlier styles to go on."""
    ids = np.empty(k, np.int32)
    ids[_largest_first(labels, range(k))] = np.arange(next_id, next_id + k, dtype=np.int32)
    return Identities(ids, next_id + k, 0, k)


def carry_ids(
    labels: npt.NDArray[np.int32],
    known: npt.NDArray[np.int32],
    k: int,
    known_ids: npt.NDArray[np.int32],
    next_id: int,
    *,
    min_overlap: float = MIN_OVERLAP,
) -> Identities:
    """Ids for clusters 0..k-1, from last month's where the posts are mostly the same.

    `labels` (n,) are the new clusters and `known` (n,) the rows of `known_ids` by last month's model for the
    same posts, -1 for none. The pairs maximise the number of posts in common (Hungarian method, Kuhn 1955); a
    pair under `min_overlap` (posts in common / posts in either) is no pair. Other clusters get ids from
    `next_id` upwards, largest first; an id is never used again, not even if its style is gone.
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((k, len(known_ids)), np.int64)
    seen = (known >= 0) & (labels >= 0)
    np.add.at(counts, (labels[seen], known[seen]), 1)
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    union = sizes[:, None] + counts.sum(axis=0)[None, :] - counts
    ids = np.full(k, -1, np.int32)
    for new, old in zip(*linear_sum_assignment(counts, maximize=True), strict=True):
        if counts[new, old] > 0 and counts[new, old] >= min_overlap * union[new, old]:
            ids[new] = known_ids[old]
    fresh = _largest_first(labels, np.flatnonzero(ids < 0))
    ids[fresh] = np.arange(next_id, next_id + len(fresh), dtype=np.int32)
    return Identities(ids, next_id + len(fresh), k - len(fresh), len(fresh))


def first_events(labels: npt.NDArray[np.int32], ids: npt.NDArray[np.int32]) -> tuple[StyleEvent, ...]:
    """Every style is born: there were none before. By id."""
    sizes = np.bincount(labels[labels >= 0], minlength=len(ids))
    events = [
        StyleEvent(
            "born",
            int(one),
            (),
            int(size),
            f"found by the first scan among {len(labels)} posts of the window",
        )
        for one, size in zip(ids, sizes, strict=True)
    ]
    return tuple(sorted(events, key=lambda one: one.style_id))


def overlap_events(
    labels: npt.NDArray[np.int32],
    ids: npt.NDArray[np.int32],
    known: npt.NDArray[np.int32],
    known_ids: npt.NDArray[np.int32],
) -> tuple[StyleEvent, ...]:
    """What a scan made of the old styles, by id; arguments as in `carry_ids` and what it gave.

    A new style that got most of its posts from one old style split from it; an old one whose id is gone and most of
    whose posts are in one style that carries on merged into that. The evidence says "of the window": its figures count
    what the model is fitted on, which is months of posts where a page shows one month's.
    """
    counts = np.zeros((len(ids), len(known_ids)), np.int64)
    seen = (known >= 0) & (labels >= 0)
    np.add.at(counts, (labels[seen], known[seen]), 1)
    sizes = np.bincount(labels[labels >= 0], minlength=len(ids))
    old_ids, old_sizes = known_ids.tolist(), counts.sum(axis=0)
    events = []
    for row, style_id in enumerate(ids.tolist()):
        source = int(counts[row].argmax())
        shared, size = int(counts[row, source]), int(sizes[row])
        told = f"full scan: {shared} of its {size} posts of the window were in style {old_ids[source]}"
        if style_id in old_ids:
            shared = int(counts[row, old_ids.index(style_id)])
            told = f"full scan: {shared} of its {size} posts of the window were its own before"
            events.append(StyleEvent("survive", style_id, (), size, told))
        elif 2 * shared > size:
            events.append(StyleEvent("split", style_id, (old_ids[source],), size, told))
        else:
            events.append(StyleEvent("born", style_id, (), size, told))
    for column, style_id in enumerate(old_ids):
        if style_id in ids:
            continue
        heir, size = int(counts[:, column].argmax()), int(old_sizes[column])
        shared = int(counts[heir, column])
        told = f"full scan: {shared} of its {size} posts of the window are in style {ids[heir]}"
        if 2 * shared > size and int(ids[heir]) in old_ids:
            events.append(StyleEvent("merge", style_id, (int(ids[heir]),), size, told))
        else:
            events.append(StyleEvent("dead", style_id, (), size, told))
    return tuple(sorted(events, key=lambda one: one.style_id))


def _largest_first(
    labels: npt.NDArray[np.int32], clusters: range | npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    wanted = np.asarray(clusters, dtype=np.intp)
    sizes = np.bincount(labels[labels >= 0], minlength=int(wanted.max(initial=-1)) + 1)
    return wanted[np.argsort(-sizes[wanted], kind="stable")]
