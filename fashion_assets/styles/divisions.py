"""Styles with a valley through their recent posts split; neighbours without a valley between theirs merge.

Belongs here: which posts are tested and what follows. Does not: the test (`valley.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.living import ContinuationParams, LivingStyles, PostWindow
from fashion_assets.styles.origins import mover_to, parent_of, part_of, returning
from fashion_assets.styles.tracking import Tracked
from fashion_assets.styles.valley import Valley, two_groups, unit_mean, valley_between


def split(window: PostWindow, found: Tracked, styles: LivingStyles, params: ContinuationParams) -> None:
    """Take apart the styles whose recent posts are two groups; the larger one keeps the id."""
    for row in range(len(found.centroids)):
        own = np.flatnonzero(found.within & (found.labels == row))
        # without the posts that a style which was found a moment ago has taken
        own = own[(window.unit[own] @ styles.centroids.T).argmax(axis=1) == row]
        for months in range(window.recent(params.style_posts, params.max_recent, own), params.max_recent + 1):
            rows = own[window.ages[own] < months]
            recent = np.flatnonzero(window.ages < months)
            cut = two_groups(window.unit[rows], params.seed) if len(rows) >= params.style_posts // 2 else None
            if cut is not None and _are_two(*cut, window.ages[rows] == 0, len(recent), params):
                _take_apart(row, rows, cut, recent, months, window, found, styles, params)
                break


def _are_two(
    valley: Valley,
    side: npt.NDArray[np.int32],
    newest: npt.NDArray[np.bool_],
    n_recent: int,
    params: ContinuationParams,
) -> bool:
    sizes = np.bincount(side, minlength=2)
    smaller = int(sizes.min())
    # both are there in the newest month: a style that moved is one place before and another now
    present = np.bincount(side[newest], minlength=2) >= 0.5 * sizes * float(newest.mean())
    return bool(
        present.all()
        and max(valley.depth) <= params.split_depth
        and valley.p_value <= params.split_p
        and smaller >= max(params.min_posts, params.min_half * len(side))
        and float(wilson_interval(smaller, n_recent)[0]) >= params.min_share
    )


def _take_apart(
    row: int,
    rows: npt.NDArray[np.intp],
    cut: tuple[Valley, npt.NDArray[np.int32]],
    recent: npt.NDArray[np.intp],
    months: int,
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> None:
    valley, side = cut
    larger = int(np.bincount(side, minlength=2).argmax())
    for leaving in (1 - larger, larger):
        leave = rows[side == leaving]
        mover = mover_to(unit_mean(window.unit[leave]), leave, recent, window, found, styles, params)
        if mover is not None and mover[0] != row:
            styles.move(*mover, unit_mean(window.unit[leave]), months - 1)
            return
        whole = part_of(leave, recent, row, window, found, styles, params)
        if whole is not None:
            styles.move(whole[0], whole[2], unit_mean(window.unit[whole[1]]), months - 1)
            return
        back = returning(unit_mean(window.unit[leave]), styles)
        if back is not None:
            centroid = unit_mean(window.unit[leave])
            styles.centroids[row] = unit_mean(window.unit[rows[side != leaving]])
            styles.come_back(back[0], centroid, months - 1, f"{valley.words()}; {back[1]}", len(leave))
            return
    style_id = styles.ids[row]
    earlier = np.flatnonzero(
        (found.labels == row) & (window.ages >= months) & (window.ages <= styles.max_ages[row])
    )
    leave = rows[side != larger]
    came_out = not len(earlier) or parent_of(leave, recent, window, found, styles, params) is not None
    if came_out:
        styles.max_ages[row] = min(styles.max_ages[row], months - 1)
    else:
        # the style did not shrink, so the half that is not where it was is new, be it the larger one
        was = window.unit[earlier].mean(axis=0)
        halves = np.stack([window.unit[rows[side == each]].mean(axis=0) for each in (0, 1)])
        leave = rows[side == int(((halves - was) ** 2).sum(axis=1).argmax())]
    told = (
        f"{valley.words()}; of {len(rows)} posts of style {style_id} in the newest months of the window {len(leave)} "
        "are beyond it"
    )
    if came_out:
        event = StyleEvent("split", styles.next_id, (style_id,), len(leave), told)
    else:
        told += "; without them it is no smaller than before"
        event = StyleEvent("born", styles.next_id, (), len(leave), told)
    styles.events.append(event)
    styles.centroids[row] = unit_mean(window.unit[np.setdiff1d(rows, leave)])
    styles.add(styles.next_id, unit_mean(window.unit[leave]), months - 1)


def merge(window: PostWindow, found: Tracked, styles: LivingStyles, params: ContinuationParams) -> bool:
    """Put neighbours together whose recent posts are one group, under the larger one's id; whether any were."""
    gone: dict[int, StyleEvent] = {}
    changed: set[int] = set()
    for left, right in _neighbours(styles):
        if {left, right} & changed or {styles.ids[left], styles.ids[right]} & styles.fresh:
            continue
        both = np.flatnonzero(found.within & ((found.labels == left) | (found.labels == right)))
        months = window.recent(2 * params.style_posts, params.max_recent, both)
        rows = both[window.ages[both] < months]
        side = found.labels[rows] == right
        if min(int(side.sum()), int((~side).sum())) < params.min_posts or len(rows) < params.style_posts // 2:
            continue
        valley = valley_between(window.unit[rows], side)
        if valley is None or min(valley.depth) < params.merge_depth:
            continue
        smaller, larger = (left, right) if side.mean() > 0.5 else (right, left)
        told = f"{valley.words()}: no valley between style {styles.ids[smaller]} and {styles.ids[larger]}"
        n_posts = int((found.labels[rows] == smaller).sum())
        gone[smaller] = StyleEvent("merge", styles.ids[smaller], (styles.ids[larger],), n_posts, told)
        changed |= {left, right}
        styles.centroids[larger] = unit_mean(window.unit[rows])
        styles.max_ages[larger] = min(styles.max_ages[larger], months - 1)
    for row in sorted(gone, reverse=True):
        styles.events.append(gone[row])
        styles.drop(row)
    return bool(gone)


def _neighbours(styles: LivingStyles) -> list[tuple[int, int]]:
    """Pairs of rows of which one is among the two nearest of the other, the nearest pair first."""
    nearness = styles.centroids @ styles.centroids.T
    np.fill_diagonal(nearness, -np.inf)
    pairs = {
        (min(row, int(other)), max(row, int(other)))
        for row in range(len(styles.ids))
        for other in np.argsort(-nearness[row], kind="stable")[: min(2, len(styles.ids) - 1)]
    }
    return sorted(pairs, key=lambda pair: (-nearness[pair], pair))
