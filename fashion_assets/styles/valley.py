"""Are there one or two groups of posts here? A valley test on posts that the cut was not fitted on.

Two-means cuts any cloud of rows in two halves that look apart along the axis between their means, the more so the
more columns there are. So the axis is fitted on one half of the rows and looked at on the other, and the other way
round. In the coordinate where the two means lie at -1 and +1, a unimodal density is on one side of 0 at least as
high near 0 as near that side's mean; only two groups leave both sides emptier in the middle.

Belongs here: the cut and the counts. Does not: what a valley means for styles (`continuation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows

INNER, OUTER = 0.3, (0.7, 1.3)
"""The middle is nearer to 0 than 0.3; around a mean is 0.7 to 1.3 from 0: twice as wide, far from each other."""

NULL_SHARE = INNER / (INNER + OUTER[1] - OUTER[0])
"""Share of middle among both where the density is level: the middle has one third of the width."""

AXES, POWER_ROUNDS, MEANS_ROUNDS = 3, 15, 10
"""Starts of two-means (main axes), rounds to find those axes, rounds of two-means: each converges well before."""


@dataclass(frozen=True)
class Valley:
    """Posts near the middle and near the mean, of the left and of the right side; `left` and `right` are all of a
    side.
    """

    left: int
    right: int
    left_middle: int
    right_middle: int
    left_mean: int
    right_mean: int

    @property
    def depth(self) -> tuple[float, float]:
        """Density in the middle over that around the mean, left and right: about 1.3 for one normal group, 0.3 for two
        that are four standard deviations apart. 0 / 0 is 1.
        """

        def ratio(middle: int, mean: int) -> float:
            return (middle + 0.5) / (mean + 0.5) * (1 - NULL_SHARE) / NULL_SHARE

        return ratio(self.left_middle, self.left_mean), ratio(self.right_middle, self.right_mean)

    @property
    def p_value(self) -> float:
        """Largest probability, under any unimodal density, of sides as empty in the middle as both are.

        An intersection-union test: the larger of the two sides' binomial probabilities (Berger 1982).
        """
        from scipy.stats import binom

        sides = ((self.left_middle, self.left_mean), (self.right_middle, self.right_mean))
        return float(max(binom.cdf(middle, middle + mean, NULL_SHARE) for middle, mean in sides))

    def words(self) -> str:
        """The counts as a clause for the evidence of an event."""
        return (
            f"of {self.left + self.right} posts left out of the cut {self.left_middle + self.right_middle} lie "
            f"between the two centres and {self.left_mean + self.right_mean} around them"
        )


def two_groups(rows: npt.NDArray[np.float32], seed: int) -> tuple[Valley, npt.NDArray[np.int32]] | None:
    """The valley between the two groups of two-means in `rows` (n, d), and the group 0 or 1 of each row.

    The group of a row comes from the fold that it was not fitted in. None if a fold is cut into a group and
    nothing, as few or identical rows are.
    """
    folds = np.arange(len(rows)) % 2
    cuts = []
    for fold in (0, 1):
        fitted = rows[folds == fold]
        if len(fitted) < 4:
            return None
        means = _two_means(fitted, seed)
        if means is None:
            return None
        cuts.append(means)
    if float((cuts[0][1] - cuts[0][0]) @ (cuts[1][1] - cuts[1][0])) < 0:
        cuts[1] = cuts[1][::-1]
    coordinate = np.empty(len(rows))
    for fold in (0, 1):
        coordinate[folds != fold] = _coordinate(rows[folds != fold], cuts[fold])
    return _counted(coordinate), (coordinate > 0).astype(np.int32)


def valley_between(rows: npt.NDArray[np.float32], sides: npt.NDArray[np.bool_]) -> Valley | None:
    """The valley between two groups that are given: `sides` (n,) is which of the `rows` (n, d) are right of it.

    None if a fold lacks one of the groups.
    """
    folds = np.arange(len(rows)) % 2
    coordinate = np.empty(len(rows))
    for fold in (0, 1):
        here = folds == fold
        if not (here & sides).any() or not (here & ~sides).any():
            return None
        means = np.stack([rows[here & ~sides].mean(axis=0), rows[here & sides].mean(axis=0)])
        coordinate[~here] = _coordinate(rows[~here], means)
    return _counted(coordinate)


def _coordinate(rows: npt.NDArray[np.float32], means: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Where rows lie along the axis between the two means, which are at -1 and +1."""
    axis = (means[1] - means[0]).astype(np.float64) / 2
    squared = float(axis @ axis)
    if squared == 0:
        return np.zeros(len(rows))
    return np.asarray((rows - means.mean(axis=0)).astype(np.float64) @ axis / squared)


def _counted(coordinate: npt.NDArray[np.float64]) -> Valley:
    far = np.abs(coordinate)
    middle, mean = far < INNER, (far >= OUTER[0]) & (far <= OUTER[1])
    right = coordinate > 0
    return Valley(
        left=int((~right).sum()),
        right=int(right.sum()),
        left_middle=int((middle & ~right).sum()),
        right_middle=int((middle & right).sum()),
        left_mean=int((mean & ~right).sum()),
        right_mean=int((mean & right).sum()),
    )


def _two_means(rows: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32] | None:
    """The two means (2, d) of the best of `AXES` runs of two-means, each started by the sign along a main axis."""
    centred = rows - rows.mean(axis=0)
    axes = np.random.default_rng(seed).normal(size=(rows.shape[1], AXES)).astype(np.float32)
    for _ in range(POWER_ROUNDS):
        axes = np.linalg.qr(centred.T @ (centred @ axes))[0]
    best: tuple[float, npt.NDArray[np.float32]] | None = None
    for axis in axes.T:
        right = centred @ axis > 0
        for _ in range(MEANS_ROUNDS):
            if not right.any() or right.all():
                break
            means = np.stack([rows[~right].mean(axis=0), rows[right].mean(axis=0)])
            moved = _coordinate(rows, means) > 0
            if (moved == right).all():
                break
            right = moved
        if not right.any() or right.all():
            continue
        means = np.stack([rows[~right].mean(axis=0), rows[right].mean(axis=0)])
        # what two-means explains: n_left * n_right / n * squared distance of the means
        explained = float(right.mean() * (1 - right.mean()) * ((means[1] - means[0]) ** 2).sum())
        if best is None or explained > best[0]:
            best = explained, means
    return best[1] if best is not None else None


def unit_mean(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean direction (d,) of unit rows."""
    return np.asarray(unit_rows(rows.mean(axis=0, keepdims=True))[0])
