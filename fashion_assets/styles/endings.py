"""Styles that have no posts any more: dead, or gone into another that grew by as much.

Belongs here: the test of absence. Does not: merges of styles that both still have posts (`divisions.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.living import ContinuationParams, LivingStyles, PostWindow
from fashion_assets.styles.origins import between
from fashion_assets.styles.tracking import Tracked


def bury(
    window: PostWindow, found: Tracked, styles: LivingStyles, params: ContinuationParams
) -> npt.NDArray[np.bool_]:
    """Take out the styles whose posts stay away, with an event each; the rows (n,) that were theirs."""
    theirs = np.zeros(len(window.unit), dtype=bool)
    dead: list[tuple[int, StyleEvent]] = []
    for row in range(len(styles.ids)):
        event = _ending(row, window, found, styles, params)
        if event is not None and len(dead) < len(styles.ids) - 1:
            dead.append((row, event))
    for row, event in reversed(dead):
        theirs |= found.within & (found.labels == row)
        styles.retired[event.style_id] = styles.centroids[row]
        for heir in event.other_style_ids:
            styles.max_ages[styles.ids.index(heir)] = params.quiet_months - 1
        styles.drop(row)
        styles.events.append(event)
    return theirs


def posts_of_the_gone(
    window: PostWindow, styles: LivingStyles, params: ContinuationParams
) -> npt.NDArray[np.bool_]:
    """Which rows (n,) are older posts nearest to a style that is gone: they must not drag the living ones there."""
    if not styles.retired or not styles.ids:
        return np.zeros(len(window.unit), dtype=bool)
    gone = np.stack([styles.retired[one] for one in sorted(styles.retired)])
    nearest_gone = (window.unit @ gone.T).max(axis=1)
    nearest_living = (window.unit @ styles.centroids.T).max(axis=1)
    return np.asarray((window.ages > params.quiet_months) & (nearest_gone > nearest_living))


def _ending(
    row: int, window: PostWindow, found: Tracked, styles: LivingStyles, params: ContinuationParams
) -> StyleEvent | None:
    from scipy.stats import binom

    own = found.within & (found.labels == row)
    for quiet in range(params.quiet_months, params.memory_months + 1):
        late = window.ages < quiet
        early = ~late & (window.ages < quiet + params.memory_months) & (window.ages <= styles.max_ages[row])
        if not late.any() or not early.any():
            continue
        share, n_late = float(own[early].mean()), int(late.sum())
        expected, seen = share * n_late, int(own[late].sum())
        if seen > params.dead_level * expected or binom.cdf(seen, n_late, share / 2) > params.dead_p:
            continue
        told = f"{seen} posts in the last {quiet} months, {expected:.0f} expected by the months before"
        heir = _heir(row, share, late, early, window, found, styles, params)
        if heir is None:
            return StyleEvent("dead", styles.ids[row], (), int(own.sum()), told)
        other, rise = heir
        told += f", while style {other} {rise}"
        return StyleEvent("merge", styles.ids[row], (other,), int(own.sum()), told)
    return None


def _heir(
    row: int,
    share: float,
    late: npt.NDArray[np.bool_],
    early: npt.NDArray[np.bool_],
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> tuple[int, str] | None:
    """The id of the style that rose most and its rise in words, if it rose by enough of the `share` that is gone.

    The rise is over what the median style rose by, and beyond what a style's popularity does by itself. A style that is
    younger than the months compared, or was merged in them, says nothing: it rose for that reason.
    """
    n_before, n_late = int(early.sum()), int(late.sum())
    counts = [found.within & (found.labels == style) for style in range(len(styles.ids))]
    was = np.array([one[early].mean() for one in counts])
    now = np.array([one[late].mean() for one in counts])
    old = np.array([age >= int(window.ages[early].max()) for age in styles.max_ages]) & (was > 0)
    old[row] = False
    if not old.any():
        return None
    rise = np.where(old, now - was * float(np.median(now[old] / was[old])), -np.inf)
    best = int(rise.argmax())
    variance = was[best] * (1 - was[best]) * (1 / n_before + 1 / n_late)
    usual = float(np.sqrt(variance + (params.popularity * was[best]) ** 2))
    # a style that was on its way there already needs less proof
    near = float(1 - styles.centroids[row] @ styles.centroids[best]) <= params.near * between(
        styles.centroids
    )
    proof = 0.5 if near else 1.0
    if rise[best] < proof * max(params.inherited * share, params.heir_z * usual):
        return None
    return styles.ids[best], f"rose from {was[best]:.1%} to {now[best]:.1%}"
