"""How far what a month brings has moved from the months before it: words, and places of vectors.

Belongs here: figures of drift and the limits above which chance does not explain them. Does not: which tables are
compared, and what follows (the checks).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: A population stability index above this is by convention a population that has changed; 0.10 to 0.25 is a shift
#: (Siddiqi 2006, Credit Risk Scorecards, ch. 9).
CHANGED_PSI = 0.25
#: The same of words: seasons alone move the words of fashion by 0.3 to 0.4 where the history is shorter than a year
#: (`python benchmarks/checks.py` on the sample data).
CHANGED_WORDS_PSI = 0.5
#: Standard deviations of chance above its mean that the limits add.
CHANCE_SIGMAS = 4.0
#: Bins of distances: deciles of the reference, as is usual for the index.
DISTANCE_BINS = 10
#: Words that have a bin of their own; the rest shares one. Beyond some hundred the words are too rare to say anything.
WORD_BINS = 200
#: Counts added to each bin, so that an empty one gives no infinite index (the prior of Jeffreys).
_PRIOR = 0.5

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Stability:
    """The index of two sets of counts, and the value up to which it is convention and chance."""

    psi: float
    limit: float

    @property
    def changed(self) -> bool:
        return self.psi > self.limit


def population_stability(
    reference: npt.ArrayLike, counts: npt.ArrayLike, *, changed: float = CHANGED_PSI
) -> Stability:
    """PSI = sum (p - q) ln(p / q) over bins, of counts (b,) against reference counts (b,); symmetric, never negative.

    ``limit`` is ``changed`` plus what chance brings: where nothing has changed, PSI / (1/n + 1/m) is chi-squared with
    b - 1 degrees of freedom (Yurdakul 2018, Statistical Properties of PSI). Raises ValueError unless the shapes are the
    same.
    """
    base, now = np.asarray(reference, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if base.shape != now.shape or base.ndim != 1:
        raise ValueError(f"two rows of counts are compared bin by bin; got {base.shape} and {now.shape}")
    q, p = base + _PRIOR, now + _PRIOR
    q, p = q / q.sum(), p / p.sum()
    psi = float(np.sum((p - q) * np.log(p / q)))
    freedom = max(len(base) - 1, 1)
    scale = 1 / max(base.sum(), 1.0) + 1 / max(now.sum(), 1.0)
    chance = scale * (freedom + CHANCE_SIGMAS * math.sqrt(2 * freedom))
    return Stability(psi, changed + float(chance))


@dataclass(frozen=True)
class WordDrift:
    """Stability of the words; ``unseen``: share of mentions of words that the reference does not hold; ``moved``: the
    words that carry most of the index, with their shares before and now.
    """

    stability: Stability
    unseen: float
    moved: tuple[tuple[str, float, float], ...]


def word_drift(reference: Mapping[str, int], counts: Mapping[str, int]) -> WordDrift:
    """Drift of word counts: the reference's `WORD_BINS` most frequent words, its other words, and unseen words."""
    ranked = sorted(reference, key=lambda word: (-reference[word], word))
    own, rest = ranked[:WORD_BINS], ranked[WORD_BINS:]
    unseen = sum(n for word, n in counts.items() if word not in reference)
    base = np.array([*(reference[word] for word in own), sum(reference[word] for word in rest), 0.0])
    now = np.array(
        [*(counts.get(word, 0) for word in own), sum(counts.get(word, 0) for word in rest), unseen]
    )
    stability = population_stability(base, now, changed=CHANGED_WORDS_PSI)
    before, after = base / max(base.sum(), 1.0), now / max(now.sum(), 1.0)
    weight = np.abs(after - before)[: len(own)]
    first = [int(i) for i in np.argsort(-weight, kind="stable")[:5] if weight[i] > 0]
    moved = tuple((own[i], float(before[i]), float(after[i])) for i in first)
    return WordDrift(stability, float(after[-1]), moved)


@dataclass(frozen=True)
class Cloud:
    """Where ``n`` vectors lie: their centroid (d,) and ``spread``, the root mean square distance to it."""

    n: int
    centroid: Floats
    spread: float


def cloud_of(parts: Iterable[Vectors]) -> Cloud | None:
    """The cloud of all rows of ``parts``, each (n, d), which are seen once; None of no rows."""
    n, total, square = 0, np.zeros(0), 0.0
    for part in parts:
        if not len(part):
            continue
        rows = np.asarray(part, dtype=np.float64)
        total = rows.sum(axis=0) + (total if n else 0.0)
        square += float(np.einsum("ij,ij->", rows, rows))
        n += len(rows)
    if not n:
        return None
    centroid = total / n
    return Cloud(n, centroid, math.sqrt(max(square / n - float(centroid @ centroid), 0.0)))


def centroid_shift(reference: Cloud, now: Cloud) -> float:
    """Distance of the centroids over the reference's spread, less what chance brings; 0 where all is chance.

    Of two samples of one population the squared distance is on average spread^2 (1/n + 1/m).
    """
    difference = now.centroid - reference.centroid
    spread = max(reference.spread, 1e-9)
    squared = float(difference @ difference) / spread**2 - (1 / reference.n + 1 / now.n)
    return math.sqrt(max(squared, 0.0))


def distances_to(centroid: Floats, parts: Iterable[Vectors]) -> Floats:
    """The Euclidean distance of every row of ``parts`` to ``centroid``, (n,)."""
    found = [np.linalg.norm(np.asarray(part, dtype=np.float64) - centroid, axis=1) for part in parts]
    return np.concatenate(found) if found else np.zeros(0)


def distance_stability(reference: Floats, now: Floats) -> Stability:
    """Stability of distances over the deciles of the reference's; bins that coincide are one."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, DISTANCE_BINS + 1)[1:-1]))
    bins = len(edges) + 1
    return population_stability(
        np.bincount(np.searchsorted(edges, reference, side="right"), minlength=bins),
        np.bincount(np.searchsorted(edges, now, side="right"), minlength=bins),
    )
