"""What the tests of a month share: thresholds, the window of posts, and the styles as they change.

Belongs here: data, no test. The tests are `endings.py`, `arrivals.py` and `divisions.py`; `continuation.py` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fashion_assets.styles.lineage import StyleEvent

Rows = npt.NDArray[np.float32]

#: A style that goes back further than any window: all posts may move its centroid.
ALWAYS = 10**6


@dataclass(frozen=True)
class ContinuationParams:
    """Thresholds of the events; chosen on seeds 0-19 of the kinds "plain" and "heavy" of
    `benchmarks/style_identity.py`, which reports on other seeds and on a third kind.

    Centroids: `half_life` 2 months after which a post weighs half: shorter is noisier, longer lags behind drift; 1.5 to
    5 find the same but for one event in twenty. `rounds` 5 of k-means, as the start is last month's answer. `spreads`
    3 robust standard deviations over the median distance is the edge of a style: 0.1 % of normal noise is beyond.

    New styles: `min_posts` 8 recent posts at least, and the lower end of the 95 % interval of their share over
    `min_share` 0.01. They are looked for in the newest month, in up to `max_recent` 3 while these hold fewer than
    `recent_posts` 1,000. `min_separation` 0.5: half as separate as the median of the known ones, and
    `least_separation` 0.1: where posts are all of one kind, the known ones are hardly apart either, or there is one
    only, and strays on one side of it would be a style every month.

    Splits and merges: `style_posts` 80 are judged on, as 40 a fold show a valley between groups four standard
    deviations apart. `split_p` 0.05: the test takes the worse of two sides, so one group seldom comes near it.
    `split_depth` 0.6 and `merge_depth` 0.8 of the density around the means: under the first two groups are two, over
    the second they are one, between them all stays as it is. `min_half` 0.15: less is a fringe.

    Ends: under `dead_level` 0.15 of the posts expected by the `memory_months` 6 before, and too few even for half the
    share at `dead_p` 1e-3, for `quiet_months` 2 or more: one empty month can be a gap of the crawl. They went into
    another style if that rose by `inherited` 0.6 of what is gone, and by `heir_z` 2 standard deviations of what shares
    do by themselves in some months, `popularity` 15 % beside chance; half of both if it lay on the way there.

    Origins: a new style split from the one to which `parent_share` 0.6 of its posts are nearest, if that is no further
    than `near` 0.75 of the median distance between neighbouring styles and lost `moved` 0.35 of its size, with a
    chance under `moved_p` 0.3: nearness is the evidence, the loss only has to fit. A style can move as far in a month
    without being another. `neighbours` 3 are asked whether a group is theirs.
    """

    half_life: float = 2.0
    rounds: int = 5
    spreads: float = 3.0
    min_posts: int = 8
    min_share: float = 0.01
    recent_posts: int = 1_000
    max_recent: int = 3
    min_separation: float = 0.5
    least_separation: float = 0.1
    style_posts: int = 80
    split_p: float = 0.05
    split_depth: float = 0.6
    merge_depth: float = 0.8
    min_half: float = 0.15
    dead_level: float = 0.15
    dead_p: float = 1e-3
    quiet_months: int = 2
    memory_months: int = 6
    parent_share: float = 0.6
    near: float = 0.75
    neighbours: int = 3
    moved: float = 0.35
    moved_p: float = 0.3
    inherited: float = 0.6
    popularity: float = 0.15
    heir_z: float = 2.0
    seed: int = 7


@dataclass(frozen=True)
class PostWindow:
    """Unit rows (n, d) of a window, and how many months before the newest each was posted, (n,)."""

    unit: Rows
    ages: npt.NDArray[np.int64]

    def recent(self, enough: int, limit: int, of: npt.NDArray[np.intp] | None = None) -> int:
        """The newest months, at most `limit`, that hold `enough` of the rows `of` (all)."""
        ages = self.ages if of is None else self.ages[of]
        return next((months for months in range(1, limit) if int((ages < months).sum()) >= enough), limit)


@dataclass
class LivingStyles:
    """The styles of a month while its events are found. Row i of `centroids` (k, d) is style `ids[i]`.

    `max_ages[i]`: older posts do not belong to it, as they are from before it was born, split or merged, and would
    pull it back to where its posts no longer are. `fresh` are the styles found or moved this month, `moves` says why.
    """

    ids: list[int]
    centroids: Rows
    max_ages: list[int]
    next_id: int
    retired: dict[int, Rows]
    events: list[StyleEvent] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)
    moves: dict[int, str] = field(default_factory=dict)

    def move(self, row: int, told: str, centroid: Rows, max_age: int) -> None:
        """Put a style where its posts are now; `told` is for its evidence."""
        self.centroids[row] = centroid
        self.max_ages[row] = min(self.max_ages[row], max_age)
        self.fresh.add(self.ids[row])
        self.moves[self.ids[row]] = told

    def moved_rows(self) -> set[int]:
        """Rows of the styles that were moved this month."""
        return {self.ids.index(style_id) for style_id in self.moves}

    def add(self, style_id: int, centroid: Rows, max_age: int) -> None:
        """A style found this month; `next_id` moves on if it was that."""
        self.ids.append(style_id)
        self.centroids = np.concatenate([self.centroids, centroid[None]]).astype(np.float32)
        self.max_ages.append(max_age)
        self.fresh.add(style_id)
        self.next_id = max(self.next_id, style_id + 1)

    def come_back(self, style_id: int, centroid: Rows, max_age: int, told: str, n_posts: int) -> None:
        """A retired style under its own id, with its event."""
        self.retired.pop(style_id)
        self.events.append(StyleEvent("return", style_id, (), n_posts, told))
        self.add(style_id, centroid, max_age)

    def drop(self, row: int) -> None:
        """Take a style out; rows behind it move up."""
        del self.ids[row], self.max_ages[row]
        self.centroids = np.delete(self.centroids, row, axis=0)
