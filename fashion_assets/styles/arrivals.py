"""Groups of recent posts that no style reaches: born, returned, moved there, or come out of one style.

Belongs here: whether a group is a style, and which. Does not: finding groups (`newcomers.py`), the balance of posts
(`origins.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.living import ContinuationParams, LivingStyles, PostWindow
from fashion_assets.styles.newcomers import Group, find_groups
from fashion_assets.styles.origins import mover_to, parent_of, part_of, returning
from fashion_assets.styles.tracking import Tracked
from fashion_assets.styles.valley import unit_mean


def welcome(window: PostWindow, found: Tracked, styles: LivingStyles, params: ContinuationParams) -> None:
    """Add the styles that recent posts beyond the reach of all others form, with an event each."""
    months = window.recent(params.recent_posts, params.max_recent)
    recent = np.flatnonzero(window.ages < months)
    labelled = found.labels[recent] >= 0
    if not labelled.any():
        return
    groups = find_groups(
        window.unit[recent],
        found.distance[recent],
        labelled & ~found.within[recent],
        reach=float(np.median(found.reach)),
        min_posts=params.min_posts,
        seed=params.seed,
    )
    least = max(params.min_separation * _usual_separation(found), params.least_separation)
    newest = window.ages[recent] == 0
    for group in groups:
        n = len(group.rows)
        # a style that is already gone again is no new style: the newest month has half its fair part or more
        present = int(newest[group.rows].sum()) >= 0.5 * n * float(newest.mean())
        share_low = float(wilson_interval(n, len(recent))[0])
        if present and share_low >= params.min_share and group.separation >= least:
            _enter(group, recent, months, window, found, styles, params)


def _usual_separation(found: Tracked) -> float:
    """The median over styles of the mean (b - a) / b, a and b the distances to the nearest two centroids."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = (found.second_distance - found.distance) / found.second_distance
    own = (each[found.within & (found.labels == style)] for style in range(len(found.centroids)))
    means = [float(np.nanmean(one)) for one in own if np.isfinite(one).any()]
    return float(np.median(means)) if means else 0.0


def _enter(
    group: Group,
    recent: npt.NDArray[np.intp],
    months: int,
    window: PostWindow,
    found: Tracked,
    styles: LivingStyles,
    params: ContinuationParams,
) -> None:
    members = recent[group.rows]
    told = (
        f"{len(members)} of the {len(recent)} newest posts ({len(members) / len(recent):.1%}) are beyond the reach of "
        f"every style or nearer to each other than to one (separation {group.separation:.2f})"
    )
    back = returning(group.centroid, styles)
    if back is not None:
        styles.come_back(back[0], group.centroid, months - 1, f"{told}; {back[1]}", len(members))
        return
    mover = mover_to(group.centroid, members, recent, window, found, styles, params)
    if mover is not None:
        styles.move(*mover, group.centroid, months - 1)
        return
    whole = part_of(members, recent, None, window, found, styles, params)
    if whole is not None:
        styles.move(whole[0], whole[2], unit_mean(window.unit[whole[1]]), months - 1)
        return
    parent = parent_of(members, recent, window, found, styles, params)
    if parent is None:
        event = StyleEvent("born", styles.next_id, (), len(members), told)
    else:
        row, fall = parent
        style_id = styles.ids[row]
        told += f"; most are nearest to style {style_id}, which {fall} without them"
        event = StyleEvent("split", styles.next_id, (style_id,), len(members), told)
    styles.events.append(event)
    styles.add(styles.next_id, group.centroid, months - 1)
