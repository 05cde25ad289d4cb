"""From a head's decision to a probability, and from probabilities to the threshold that decides.

Belongs here: Platt's calibration, how far probabilities can be believed, the best threshold. Not here: figures
with intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

FloatArray = npt.NDArray[np.float64]

#: A larger decision must never mean a smaller probability, so the slope stays at or above this.
SMALLEST_SLOPE = 1e-6


@dataclass(frozen=True)
class PlattCalibration:
    """probability = 1 / (1 + exp(-(slope * decision + intercept))), slope > 0 (Platt 1999, "Probabilistic
    Outputs for Support Vector Machines", eq. 1, with the signs turned).
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (0 < self.slope < np.inf and np.isfinite(self.intercept)):
            raise UserError(
                f"a calibration needs a slope above 0 and a finite intercept, found slope {self.slope} and "
                f"intercept {self.intercept}; train the model anew"
            )

    @classmethod
    def fit(
        cls, decision: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> PlattCalibration:
        """The calibration of ``decision`` (n,) to ``labels`` bool (n,), rows counting by ``weights`` (n,).

        Targets are Platt's (his section 2.2): (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0, so that
        decisions that separate the classes do not give certainty; N are weighted counts, weights scaled to
        mean 1. Decisions that order the labels the wrong way get the smallest slope. UserError for one class
        only.
        """
        from scipy.optimize import minimize

        scores, truth, heavy = _rows("decision", decision, labels, weights)
        heavy = heavy / heavy.mean()
        n_true, n_false = float(heavy[truth].sum()), float(heavy[~truth].sum())
        if not (n_true and n_false):
            raise UserError(
                "a calibration needs words of both classes, these are all "
                f"{'fashion' if n_true else 'not fashion'}; give words that are fashion and words that are not"
            )
        targets = np.where(truth, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
        # In units of the decisions' spread, where one step size fits slope and intercept.
        unit = float(np.std(scores)) or 1.0
        scaled = scores / unit

        def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
            log_odds = parameters[0] * scaled + parameters[1]
            losses = np.logaddexp(0.0, log_odds) - targets * log_odds
            slopes = heavy * (_logistic(log_odds) - targets)
            return float(np.mean(heavy * losses)), np.array([np.mean(slopes * scaled), np.mean(slopes)])

        found = minimize(
            loss,
            np.array([1.0, 0.0]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(SMALLEST_SLOPE * unit, None), (None, None)],
            options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10},
        )
        return cls(slope=float(found.x[0]) / unit, intercept=float(found.x[1]))

    def apply(self, decision: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n,) probability of being fashion, of log-odds ``decision`` (n,); never falls as the decision rises."""
        log_odds = self.slope * np.asarray(decision, dtype=np.float64) + self.intercept
        return _logistic(log_odds).astype(np.float32)


def expected_calibration_error(
    prob: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 15, weights: npt.ArrayLike | None = None
) -> float:
    """How far probabilities are from shares, 0 to 1: over ``bins`` equally wide bins of ``prob`` (n,), the mean
    distance between a bin's mean probability and its share of True labels, by the bin's weight (Naeini, Cooper
    & Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning").
    """
    if bins < 1:
        raise UserError(f"the calibration error was asked for with {bins} bins; expected 1 or more")
    scores, truth, heavy = _rows("probability", prob, labels, weights)
    outside = (scores < 0) | (scores > 1)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(f"probability {row} is {scores[row]}; a probability lies between 0 and 1")
    # The last bin holds its upper edge, 1.
    place = np.minimum((scores * bins).astype(np.intp), bins - 1)
    distance = np.bincount(place, weights=heavy * (scores - truth), minlength=bins)
    return float(np.abs(distance).sum() / heavy.sum())


def best_threshold(
    prob: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[float, float]:
    """(threshold, f1): words with ``prob >= threshold`` are kept, and no other threshold has a higher F1.

    Every cut between distinct values of ``prob`` (n,) is tried, in O(n log n). The threshold lies in the middle
    between the neighbours of the cut (in the dtype of ``prob``), or on the smallest value if all are kept; of
    cuts that are equally good the highest wins, which keeps fewer words. UserError if no label is True.
    """
    given = np.asarray(prob)
    kind = given.dtype if given.dtype in (np.float16, np.float32) else np.dtype(np.float64)
    scores, truth, heavy = _rows("probability", given, labels, weights)
    if not truth.any():
        raise UserError("no word is labelled as fashion, so no threshold has an F1; give some that are")
    order = np.argsort(-scores, kind="stable")
    scores, truth, heavy = scores[order], truth[order], heavy[order]
    cuts = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits, kept = np.cumsum(heavy * truth)[cuts], np.cumsum(heavy)[cuts]
    f1 = 2 * hits / (kept + heavy[truth].sum())
    best = int(np.argmax(f1))
    upper = kind.type(scores[cuts[best]])
    if best == len(cuts) - 1:
        return float(upper), float(f1[best])
    lower = kind.type(scores[cuts[best] + 1])
    middle = kind.type(lower + (upper - lower) / 2)
    # Between neighbouring numbers of the dtype there is no middle: it would round down to the word left out.
    return float(middle if middle > lower else upper), float(f1[best])


def _logistic(log_odds: FloatArray) -> FloatArray:
    # 1 / (1 + exp(-x)) without overflow
    return np.asarray(np.exp(-np.logaddexp(0.0, -log_odds)))


def _rows(
    what: str, values: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, npt.NDArray[np.bool_], FloatArray]:
    """(values, labels, weights), each (n,), without rows of weight 0; UserError for other shapes, NaN, infinity
    or no row.
    """
    scores: FloatArray = np.asarray(values, dtype=np.float64)
    truth: npt.NDArray[Any] = np.asarray(labels)
    heavy: FloatArray = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    if scores.ndim != 1 or not scores.shape == truth.shape == heavy.shape:
        raise UserError(
            f"{what}, labels and weights have the shapes {scores.shape}, {truth.shape} and {heavy.shape}; expected "
            "one number each per word"
        )
    wrong = ~(np.isfinite(scores) & np.isfinite(heavy) & (heavy >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(
            f"{what} {row} is {scores[row]} with weight {heavy[row]}; expected finite numbers and no weight below 0"
        )
    counts = heavy > 0
    if not counts.any():
        raise UserError(f"there is no {what} with a weight above 0; give at least one labelled word")
    return scores[counts], truth.astype(np.bool_)[counts], heavy[counts]
