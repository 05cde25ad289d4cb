"""A verdict in words and a colour: what speaks against a partition, by thresholds that the user can set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Level = Literal["passes", "doubtful", "fails", "none"]
"""Green, amber, red; "none": there was nothing to judge."""


@dataclass(frozen=True)
class Limits:
    """From where on a figure speaks against a variant; the first three fail it, the others make it doubtful."""

    #: A cluster with over half of the posts is the "extreme distribution" by which the reference rejected text.
    largest_share: float = 0.5
    #: Normalised entropy under this means that a few clusters hold nearly everything.
    entropy: float = 0.6
    #: A method that leaves out over half of the posts says little about them.
    noise: float = 0.5
    #: The same extreme in one month.
    month_share: float = 0.5
    #: Mean adjusted Rand index over bootstraps, or seeds, under which the groups are not the same twice.
    stability: float = 0.6
    #: Under this silhouette neighbouring clusters overlap nearly wholly.
    silhouette: float = 0.05


@dataclass(frozen=True)
class Figures:
    """What the verdict looks at; NaN for what is not known. `silhouette` counts posts in no cluster as 0."""

    interior: bool
    silhouette: float
    largest_share: float
    entropy: float
    noise: float
    month_share: float
    month: str
    ari_bootstraps: float
    ari_seeds: float


@dataclass(frozen=True)
class Verdict:
    """The level and what speaks against the variant, hard faults first; none if it passes.

    `extreme`: one cluster, or a few, hold nearly everything, in all or in one month. `noise` is the share of posts in
    no cluster, which is told also where it is within the limit.
    """

    level: Level
    faults: list[str]
    extreme: bool = False
    noise: float = 0.0

    @property
    def sentence(self) -> str:
        if self.faults:
            return "; ".join(self.faults)
        return f"passes, with {self.noise:.0%} of the posts in no cluster" if self.noise > 0 else "passes"


def judge(figures: Figures, limits: Limits) -> Verdict:
    """The verdict on a partition. A figure that is not known is no fault."""
    hard = _of_distribution(figures, limits)
    soft = []
    if figures.month_share > limits.month_share >= figures.largest_share:
        soft.append(f"in {figures.month} one cluster holds {figures.month_share:.0%}")
    extreme = bool(hard or soft)
    if not figures.interior:
        hard.insert(0, "the silhouette has no interior maximum")
    if figures.noise > limits.noise:
        hard.append(f"{figures.noise:.0%} of the posts are in no cluster")
    for drawn, agreement in (("bootstraps", figures.ari_bootstraps), ("seeds", figures.ari_seeds)):
        if math.isfinite(agreement) and agreement < limits.stability:
            soft.append(f"not the same twice: adjusted Rand index over {drawn} {agreement:.2f}")
    if figures.silhouette < limits.silhouette:
        soft.append(f"clusters hardly stand apart (silhouette {figures.silhouette:.3f})")
    return Verdict("fails" if hard else "doubtful" if soft else "passes", hard + soft, extreme, figures.noise)


def _of_distribution(figures: Figures, limits: Limits) -> list[str]:
    if figures.largest_share > limits.largest_share:
        return [f"one cluster holds {figures.largest_share:.0%}"]
    if figures.entropy < limits.entropy:
        return [
            f"few clusters hold nearly all posts (normalised entropy {figures.entropy:.2f}, "
            f"expected {limits.entropy:.2f})"
        ]
    return []
