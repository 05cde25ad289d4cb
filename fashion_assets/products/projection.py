"""Products without labels of the wanted taxonomy: each gets the target category whose distribution over the labels
that we do know is nearest to its own.

Belongs here: the arithmetic on distributions, items and explanations. Where the distributions come from is in
``projection_sides`` (products) and ``projection_names`` (category names).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.projection_names import NAME_SIMILARITY_WEIGHT
from fashion_assets.products.schemas import CATEGORY_PROJECTION, PROJECTED_PRODUCTS
from fashion_assets.storage.errors import UserError

# Both distributions are mixed with this share of the uniform one, so that a label that one side never saw
# costs much but not infinitely: at k labels the dearest label costs log(k / 0.001) nats.
SMOOTHING = 1e-3
# How many labels an explanation names.
EVIDENCE_LABELS = 3

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProjectionConfig:
    """How the two sides are put together and compared; the defaults are the reference's plain mean."""

    #: Weights of the picture's and the text's probabilities; a product with one side only is judged by that.
    image_weight: float = 1.0
    text_weight: float = 1.0
    #: Keep only so many of the largest probabilities of each side, renormalised, as the reference did; None: all.
    top_k: int | None = None
    smoothing: float = SMOOTHING
    #: Share of similar names against the text classifier in what a category's name means.
    similarity_weight: float = NAME_SIMILARITY_WEIGHT

    def __post_init__(self) -> None:
        if min(self.image_weight, self.text_weight) < 0 or self.image_weight + self.text_weight <= 0:
            raise UserError(
                f"the weights of picture and text are {self.image_weight} and {self.text_weight}; give numbers of at "
                "least 0, one of them above 0"
            )
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"top_k is {self.top_k}; keep at least one probability, or leave it out for all")
        if not 0 <= self.smoothing < 1:
            raise UserError(f"the smoothing is {self.smoothing}; give a share from 0 to below 1")


def smooth(distributions: npt.ArrayLike, smoothing: float = SMOOTHING) -> FloatArray:
    """(m, k) rows scaled to sum 1 and mixed with the uniform distribution: (1 - s) p + s / k.

    Raises UserError for negative or non-finite numbers, or a row without mass.
    """
    p = np.atleast_2d(np.asarray(distributions, dtype=np.float64))
    if p.size == 0 or not np.isfinite(p).all() or (p < 0).any() or (p.sum(axis=1) <= 0).any():
        raise UserError("a label distribution must hold numbers >= 0 of which at least one is above 0")
    return np.asarray(
        (1 - smoothing) * p / p.sum(axis=1, keepdims=True) + smoothing / p.shape[1], dtype=np.float64
    )


def kl_divergence(p: npt.ArrayLike, q: npt.ArrayLike, smoothing: float = SMOOTHING) -> FloatArray:
    """(m, c) Kullback-Leibler divergences in nats of each row of ``p`` (m, k) from each row of ``q`` (c, k):
    sum_l p_l log(p_l / q_l), both smoothed. 0 only for equal rows.
    """
    left, right = smooth(p, smoothing), smooth(q, smoothing)
    if left.shape[1] != right.shape[1]:
        raise UserError(
            f"the distributions are over {left.shape[1]} and {right.shape[1]} labels; they must be the "
            "same labels"
        )
    # With smoothing 0 a p_l of 0 adds nothing, whatever q_l is.
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(left > 0, left * np.log(left), 0.0).sum(axis=1, keepdims=True)
        logs = np.log(right)
    finite = np.isfinite(logs)
    crossed = left @ np.where(finite, logs, 0.0).T
    # Mass of p where q has none is infinitely far.
    impossible = left @ (~finite).astype(np.float64).T > 0
    found = np.maximum(own - crossed, 0.0)
    found[impossible] = np.inf
    return np.asarray(found, dtype=np.float64)


def keep_top(distributions: npt.ArrayLike, top_k: int | None) -> FloatArray:
    """(n, k) with all but the ``top_k`` largest numbers of each row set to 0, rows scaled to sum 1.

    Equal numbers: the first ones are kept. Rows of zeros stay zeros.
    """
    p = np.asarray(distributions, dtype=np.float64)
    if top_k is not None and top_k < p.shape[1]:
        order = np.argsort(-p, axis=1, kind="stable")
        kept = np.zeros_like(p)
        np.put_along_axis(kept, order[:, :top_k], np.take_along_axis(p, order[:, :top_k], axis=1), axis=1)
        p = kept
    mass = p.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(p, mass, out=np.zeros_like(p), where=mass > 0))


def average_sides(
    image: npt.ArrayLike, text: npt.ArrayLike, config: ProjectionConfig | None = None
) -> FloatArray:
    """(n, k) weighted mean of the picture's and the text's probabilities (n, k); a side that a product lacks is a row
    of zeros and does not count. Rows of zeros where both are missing.
    """
    config = config or ProjectionConfig()
    sides = [keep_top(image, config.top_k), keep_top(text, config.top_k)]
    if sides[0].shape != sides[1].shape:
        raise UserError(
            f"the pictures' probabilities have shape {sides[0].shape}, the texts' {sides[1].shape}; they must be of "
            "the same products over the same labels"
        )
    # A side of weight 0 is still better than nothing for a product that has no other.
    weights = [max(config.image_weight, 1e-12), max(config.text_weight, 1e-12)]
    total = sum(weight * side for weight, side in zip(weights, sides, strict=True))
    return keep_top(total, None)


def project_items(
    ids: Sequence[str],
    probabilities: npt.ArrayLike,
    targets: Sequence[str],
    target_distributions: npt.ArrayLike,
    label_names: Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    config: ProjectionConfig | None = None,
) -> pd.DataFrame:
    """One row per product (``PROJECTED_PRODUCTS``): the target with the smallest divergence of the product's label
    distribution (n, k) from the target's (c, k), its runner-up, and which labels carried the choice.

    The margin is the runner-up's divergence less the winner's: sum_l p_l log(q_l / r_l) over the labels l, and the
    explanation names the labels with the largest terms. A product without any distribution (a row of zeros) has no
    target. Raises UserError if the sizes do not fit or two targets have one name.
    """
    config = config or ProjectionConfig()
    p = np.asarray(probabilities, dtype=np.float64).reshape(len(ids), -1)
    repeated = sorted({name for name in targets if list(targets).count(name) > 1})
    if repeated:
        raise UserError(f"the target category {repeated[0]!r} stands twice; every name must be different")
    if not targets or p.shape[1] != len(label_names):
        raise UserError(
            f"there are {len(targets)} target categories, and distributions over {p.shape[1]} labels of which "
            f"{len(label_names)} are named; expected at least one target and one name per label"
        )
    q = smooth(target_distributions, config.smoothing)
    known = np.flatnonzero(p.sum(axis=1) > 0)
    divergence = np.full((len(ids), len(targets)), np.nan)
    if len(known):
        divergence[known] = kl_divergence(p[known], target_distributions, config.smoothing)
    order = np.argsort(divergence, axis=1, kind="stable")
    rows = []
    for item, product in enumerate(ids):
        row: dict[str, object] = dict.fromkeys(PROJECTED_PRODUCTS.names)
        row |= {"id": str(product), "inputs": inputs[item] if inputs is not None else ""}
        if np.isfinite(divergence[item]).any():
            best = int(order[item, 0])
            second = int(order[item, 1]) if len(targets) > 1 else None
            row |= _choice(divergence[item], best, second, targets)
            own = smooth(p[item], config.smoothing)[0]
            other = q[second] if second is not None else np.full(q.shape[1], 1 / q.shape[1])
            row["explanation"] = _explanation(own, q[best], other, label_names)
        rows.append(row)
    return pd.DataFrame(rows, columns=PROJECTED_PRODUCTS.names)


def _choice(
    divergence: FloatArray, best: int, second: int | None, targets: Sequence[str]
) -> dict[str, object]:
    return {
        "target_category": targets[best],
        "divergence": float(divergence[best]),
        "runner_up": targets[second] if second is not None else None,
        "margin": float(divergence[second] - divergence[best]) if second is not None else float("nan"),
    }


def _explanation(own: FloatArray, winner: FloatArray, other: FloatArray, names: Sequence[str]) -> str:
    """Which labels make the winner nearer than the runner-up (or than chance, where there is none)."""
    # Without smoothing a probability may be 0; the floor keeps the terms finite.
    terms = own * np.log(np.maximum(winner, 1e-12) / np.maximum(other, 1e-12))
    order = np.argsort(-terms, kind="stable")
    carried = [
        f"{names[label]} {own[label]:.0%} ({terms[label]:+.2f})"
        for label in order[:EVIDENCE_LABELS]
        if terms[label] > 0
    ]
    said = f"carried by {', '.join(carried)}" if carried else "nothing speaks for it over the runner-up"
    against = int(order[-1])
    if terms[against] < -0.01:
        said += f"; against it {names[against]} {own[against]:.0%} ({terms[against]:+.2f})"
    return said


def category_distributions(
    probabilities: npt.ArrayLike, categories: Sequence[str]
) -> tuple[list[str], FloatArray, list[int]]:
    """(names sorted, (c, k) mean probabilities of each category's items, number of items)."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or len(p) != len(categories):
        raise UserError(
            f"there are probabilities of shape {p.shape} for {len(categories)} items; expected one row per "
            "item"
        )
    codes, names = pd.factorize(np.asarray(categories, dtype=object), sort=True)
    if (codes < 0).any():
        raise UserError(f"item {int(np.argmax(codes < 0))} has no category; name one or leave the item out")
    sums = np.zeros((len(names), p.shape[1]))
    np.add.at(sums, codes, p)
    counts = np.bincount(codes, minlength=len(names))
    return [str(name) for name in names], sums / np.maximum(counts, 1)[:, None], counts.tolist()


def project_categories(
    source_probabilities: npt.ArrayLike,
    source_categories: Sequence[str],
    target_probabilities: npt.ArrayLike,
    target_categories: Sequence[str],
    label_names: Sequence[str],
    *,
    smoothing: float = SMOOTHING,
) -> pd.DataFrame:
    """One row per target category (``CATEGORY_PROJECTION``): the source category whose items' mean label
    distribution is nearest, by the Kullback-Leibler divergence of the target from the source.

    ``source_probabilities`` (n, k) and ``target_probabilities`` (m, k) are probabilities over the
    same ``label_names`` (k,) for items of known source (n,) and target (m,) categories. ``evidence`` names
    the labels that most of the shared mass lies on, and the label that costs the match most.
    """
    sources, q, _ = category_distributions(source_probabilities, source_categories)
    targets, p, counts = category_distributions(target_probabilities, target_categories)
    if p.shape[1] != len(label_names) or not sources or not targets:
        raise UserError(
            f"{len(targets)} target and {len(sources)} source categories over {p.shape[1]} labels of which "
            f"{len(label_names)} are named; expected at least one category on both sides and one name per "
            "label"
        )
    divergences = kl_divergence(p, q, smoothing)
    rows = []
    for index, target in enumerate(targets):
        order = np.argsort(divergences[index], kind="stable")
        best, second = int(order[0]), int(order[1]) if len(order) > 1 else None
        runner_up = float(divergences[index, second]) if second is not None else float("nan")
        rows.append(
            {
                "target_category": target,
                "best_match": sources[best],
                "divergence": float(divergences[index, best]),
                "runner_up": sources[second] if second is not None else None,
                "runner_up_divergence": runner_up,
                "margin": runner_up - float(divergences[index, best]),
                "n_items": counts[index],
                "evidence": _evidence(p[index], q[best], label_names, smoothing),
            }
        )
    return pd.DataFrame(rows, columns=CATEGORY_PROJECTION.names)


def _evidence(target: FloatArray, source: FloatArray, names: Sequence[str], smoothing: float) -> str:
    left, right = smooth(target, smoothing)[0], smooth(source, smoothing)[0]
    shared = np.minimum(left, right)
    carried = [
        f"{names[i]} ({left[i]:.0%} of theirs, {right[i]:.0%} of ours)"
        for i in np.argsort(-shared)[:EVIDENCE_LABELS]
    ]
    cost = left * np.log(left / right)
    dearest = int(np.argmax(cost))
    against = f"; most against it: {names[dearest]} ({left[dearest]:.0%} against {right[dearest]:.0%})"
    return f"carried by {', '.join(carried)}" + (against if cost[dearest] > 0.05 else "")
