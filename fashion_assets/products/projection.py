"""A foreign taxonomy seen through our labels: which of our categories is each of theirs, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.schemas import CATEGORY_PROJECTION
from fashion_assets.storage.errors import UserError

# Both distributions are mixed with this share of the uniform one, so that a label that one side never saw
# costs much but not infinitely: at k labels the dearest label costs log(k / 0.001) nats.
SMOOTHING = 1e-3
# How many labels the evidence sentence names.
EVIDENCE_LABELS = 3

FloatArray = npt.NDArray[np.float64]


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
    own = (left * np.log(left)).sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(own - left @ np.log(right).T, 0.0), dtype=np.float64)


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

    ``source_probabilities`` (n, k) and ``target_probabilities`` (m, k) are a head's probabilities over the
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
