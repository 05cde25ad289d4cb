"""Where the posts of a group came from: out of one that shrank by as much, or a style that moved there or returns.

Belongs here: the balance of posts between a group and the styles. Does not: finding groups.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.living import ContinuationParams, LivingStyles, PostWindow, Rows
from fashion_assets.styles.tracking import Tracked
from fashion_assets.styles.valley import unit_mean, valley_between


def parent_of(
    members: npt.NDArray[np.intp],
    recent: npt.NDArray[np.intp],
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> tuple[int, str] | None:
    """The row of the style that the rows `members` of the rows `recent` came out of, and its fall in words.

    None if they are nearest to several styles, or far from that one, or it lost no posts to them.
    """
    from scipy.stats import binom

    near = found.labels[members]
    if not (near >= 0).any():
        return None
    row = int(np.bincount(near[near >= 0]).argmax())
    early = _before(recent, row, window, styles, params)
    away = float(1 - found.centroids[row] @ unit_mean(window.unit[members]))
    if (
        (near == row).mean() < params.parent_share
        or not early.any()
        or away > params.near * between(found.centroids)
    ):
        return None
    own = found.labels == row
    was, now = float(own[early].mean()), int(own[recent].sum() - own[members].sum())
    fall = was - now / len(recent)
    if fall < params.moved * len(members) / len(recent) or binom.cdf(now, len(recent), was) > params.moved_p:
        return None
    return row, f"fell from {was:.1%} to {now / len(recent):.1%}"


def mover_to(
    centroid: Rows,
    members: npt.NDArray[np.intp],
    recent: npt.NDArray[np.intp],
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> tuple[int, str] | None:
    """The row of the style that is now where the group is, and what says so; None if there is none.

    It was near, has next to no posts left where it was, and lost at least `moved` as many as the group has. Judged in
    the newest month alone.
    """
    from scipy.stats import binom

    near_enough = params.near * between(found.centroids)
    away = 1 - found.centroids @ centroid
    newest = window.ages == 0
    n_newest = int(newest.sum())
    taken = np.zeros(len(newest), dtype=bool)
    taken[members] = True
    arrived = float((newest & taken).sum()) / n_newest
    for row in np.argsort(away, kind="stable").tolist():
        early = _before(recent, row, window, styles, params)
        if away[row] > near_enough or not early.any():
            continue
        own = found.labels == row
        was, left = float(own[early].mean()), int((own & newest & ~taken).sum())
        emptied = left <= params.dead_level * was * n_newest
        if (
            emptied
            and binom.cdf(left, n_newest, was / 2) <= params.moved_p
            and was - left / n_newest >= params.moved * arrived
        ):
            told = (
                f"{len(members)} posts at a cosine distance of {away[row]:.2f} from it, and {left} left where it was, "
                f"{was * n_newest:.0f} expected"
            )
            return row, told
    return None


def part_of(
    members: npt.NDArray[np.intp],
    recent: npt.NDArray[np.intp],
    beside: int | None,
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> tuple[int, npt.NDArray[np.intp], str] | None:
    """The row of a style that has no valley between its recent posts and the group, the rows of both, and the words.

    So a style that moves fast, and is half in another's cell by now, is not found a second time. `beside` is the row
    of the style in whose cell the group was found.
    """
    own = found.within[recent]
    away = 1 - found.centroids @ window.unit[members].mean(axis=0)
    for row in np.argsort(away, kind="stable")[: params.neighbours].tolist():
        theirs = np.setdiff1d(recent[own & (found.labels[recent] == row)], members)
        if row == beside or row in styles.moved_rows() or len(theirs) < params.min_posts:
            continue
        both = np.concatenate([theirs, members])
        order = np.argsort(both, kind="stable")
        valley = valley_between(window.unit[both[order]], (np.arange(len(both)) >= len(theirs))[order])
        if (
            valley is not None
            and len(both) >= params.style_posts // 2
            and min(valley.depth) >= params.merge_depth
        ):
            return row, both[order], f"{valley.words()}: {len(members)} of them had come near another style"
    return None


def returning(centroid: Rows, styles: LivingStyles) -> tuple[int, str] | None:
    """The id of the dead style that a group at `centroid` is, in words; None if a living one is nearly as near."""
    away = {one: float(1 - row @ centroid) for one, row in styles.retired.items()}
    if not away:
        return None
    nearest = min(away, key=lambda one: away[one])
    living = float(1 - (styles.centroids @ centroid).max())
    if away[nearest] >= living / 2:
        return None
    return nearest, f"{away[nearest]:.2f} from where style {nearest} was, {living:.2f} from any living one"


def between(centroids: Rows) -> float:
    """The median cosine distance of a style to its nearest neighbour; 2, the largest there is, for a single one."""
    if len(centroids) < 2:
        return 2.0
    nearness = centroids @ centroids.T
    np.fill_diagonal(nearness, -np.inf)
    return float(np.median(1 - nearness.max(axis=1)))


def _before(
    recent: npt.NDArray[np.intp],
    row: int,
    window: PostWindow,
    styles: LivingStyles,
    params: ContinuationParams,
) -> npt.NDArray[np.bool_]:
    """The rows (n,) of the months before the recent ones that say how large the style was."""
    horizon = int(window.ages[recent].max()) + 1
    early = (window.ages >= horizon) & (window.ages < horizon + params.memory_months)
    return np.asarray(early & (window.ages <= styles.max_ages[row]))
